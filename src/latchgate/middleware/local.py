"""The gate in this process: it opens the instance that a server on the same host serves, and shares all with it.

The application holds the keys then: whoever runs code in it may do what Latchgate may. Everything is opened by the
process that serves, at its first request or start, and once more after a fork.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.core.heads import Head, collect_presented, find_host
from latchgate.core.policy import Decision, Judgement, Requirement
from latchgate.errors import LatchgateError, SettingsError
from latchgate.middleware.identities import identity_of
from latchgate.middleware.keepers import Passage
from latchgate.middleware.refusals import UNAVAILABLE, refusal_of
from latchgate.services.admissions import Admission
from latchgate.services.operator_log import OperatorLog
from latchgate.settings import Settings, load_settings

__all__ = ["LocalKeeper"]

_AGAIN_SECONDS = 1.0
"""After a failure to open, how long requests are refused without another try."""
_left_behind: list[Latchgate] = []
"""What a fork has brought from its parent: it must be neither used nor closed here, not even by being collected."""


@dataclass(frozen=True, slots=True)
class _House:
    """What one process has open."""

    process: int
    latchgate: Latchgate | None
    """None if it could not be opened."""
    failed_at: float = 0.0


class LocalKeeper:
    """Fulfils the protocol Keeper with the instance that the settings name."""

    def __init__(self, settings: Settings | None = None, *, sessions: bool = False) -> None:
        """Open nothing yet.

        Args:
            settings: Which instance; without them what the environment says, read when it is opened.
            sessions: Whether the cookie of a desk's session counts too. Its visitors' browsers send it by themselves:
                what changes something then needs a `X-Frappe-CSRF-Token` header.
        """
        self._settings = settings
        self._sessions = sessions
        self._house: _House | None = None
        self._opening = threading.Lock()
        # What is registered stays so for ever; the keeper need not.
        begin_anew = weakref.WeakMethod(self._begin_anew)
        os.register_at_fork(after_in_child=lambda: _call(begin_anew))

    def open(self) -> None:
        """Open the instance. Raises SettingsError if it cannot be as it is set up."""
        house = self._find_house()
        if house is None or house.latchgate is None:
            self._open(tells=True)

    def admit_at_once(self, head: Head, requires: Requirement | None) -> Passage | None:
        """Decide, unless the instance is yet to be opened or its database is across a network."""
        house = self._find_house()
        if house is None or house.latchgate is None or house.latchgate.gate_may_wait:
            return None
        return self._admit(house.latchgate, head, requires)

    def admit(self, head: Head, requires: Requirement | None) -> Passage:
        """Decide about a request; one that cannot be decided about is refused."""
        house = self._find_house()
        if house is None or (house.latchgate is None and time.monotonic() - house.failed_at >= _AGAIN_SECONDS):
            house = self._open(tells=False)
        if house.latchgate is None:
            return Passage(UNAVAILABLE)
        return self._admit(house.latchgate, head, requires)

    def close(self) -> None:
        """Close the instance; a later request opens it anew."""
        with self._opening:
            house = self._find_house()
            self._house = None
        if house is not None and house.latchgate is not None:
            house.latchgate.close()

    def _admit(self, latchgate: Latchgate, head: Head, requires: Requirement | None) -> Passage:
        gate, trusted = latchgate.gate, latchgate.settings.trusted_proxies
        started = time.perf_counter()
        presented = collect_presented(head, trusted, sessions=self._sessions)
        if requires is None:
            host = find_host(head.headers)
            # Two of them are no host's name; the rules refuse what is none.
            admission = gate.admit_protected(replace(presented, host=", " if host is None else host))
        else:
            admission = gate.admit(presented, requires)
        if admission.failure is not None:
            detail = admission.failure.detail or admission.failure.public
            OperatorLog().error("request failed", request_id=admission.request_id, detail=detail)
        refusal = None
        if admission.decision is not Decision.ALLOWED:
            scope = requires.scope if requires else None
            refusal = refusal_of(admission.who, Judgement(admission.decision, admission.reason), scope)
        passage = Passage(refusal, started=started)
        if refusal is None:
            passage.identity = identity_of(admission.who, admission.request_id, passage.notes.note)
        passage.write = _writer(latchgate, admission)
        if admission.credential_presented and latchgate.request_log.waits_for_disk:
            passage.sync = latchgate.request_log.sync
        return passage

    def _find_house(self) -> _House | None:
        house = self._house
        # Some servers fork without telling Python.
        if house is not None and house.process != os.getpid():
            self._begin_anew()
            return None
        return house

    def _open(self, *, tells: bool) -> _House:
        with self._opening:
            house = self._find_house()
            if house is not None and (
                house.latchgate is not None or time.monotonic() - house.failed_at < _AGAIN_SECONDS
            ):
                return house
            try:
                settings = self._settings or load_settings()
                latchgate = open_latchgate(settings, create=False, cached=True)
                self._house = _House(os.getpid(), latchgate)
            except LatchgateError as error:
                OperatorLog().error("latchgate cannot be opened", reason=error.public, detail=error.detail)
                self._house = _House(os.getpid(), None, time.monotonic())
                if tells and isinstance(error, SettingsError):
                    raise
            return self._house

    def _begin_anew(self) -> None:
        house, self._house = self._house, None
        self._opening = threading.Lock()
        if house is not None and house.latchgate is not None:
            _left_behind.append(house.latchgate)


def _writer(latchgate: Latchgate, admission: Admission) -> Callable[[int, float, str | None], None]:
    def write(status: int, seconds: float, reason: str | None) -> None:
        latchgate.gate.record(admission, status, seconds, reason)

    return write


def _call(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    found = method()
    if found is not None:
        found()
