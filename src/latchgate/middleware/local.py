"""The gate in this process: it opens the instance that a server on the same host serves, and shares all with it.

The application holds the keys then: whoever runs code in it may do what Latchgate may. Everything is opened by the
process that serves, at its first request or start. It is closed before a fork, and opened anew by whoever serves then.
"""

import os
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from latchgate.bootstrap import Latchgate
from latchgate.core.credentials import Presented
from latchgate.core.heads import Head, collect_presented, find_host
from latchgate.core.policy import UNLIMITED, Decision, Judgement, Requirement
from latchgate.errors import SettingsError, StorageError
from latchgate.middleware.identities import Judged, identity_of
from latchgate.middleware.instances import Instance
from latchgate.middleware.keepers import Passage
from latchgate.middleware.refusals import UNAVAILABLE, refusal_of
from latchgate.services.admissions import Admission
from latchgate.services.forks import heed_forks
from latchgate.services.operator_log import OperatorLog
from latchgate.settings import Settings, load_settings

__all__ = ["LocalKeeper", "judge"]


class LocalKeeper:
    """Fulfils the protocol Keeper with the instance that the settings name."""

    usual = UNLIMITED

    def __init__(
        self, settings: Settings | None = None, *, sessions: bool = False, trusts_socket: bool = False
    ) -> None:
        """Open nothing yet.

        Args:
            settings: Which instance; without them what the environment says, read when it is opened.
            sessions: Whether the cookie of a desk's session counts too. Its visitors' browsers send it by themselves:
                what changes something then needs a `X-Frappe-CSRF-Token` header.
            trusts_socket: Whether whoever asks over a Unix socket, and has no address, is a proxy whose
                X-Forwarded-For counts, as from those of LATCHGATE_TRUSTED_PROXIES.
        """
        self._settings = settings
        self._sessions, self._trusts_socket = sessions, trusts_socket
        self._instances: dict[int, Instance] = {}
        self._name: Hashable = None
        heed_forks(self, uses_others=True)

    @property
    def instance(self) -> Hashable:
        """Which instance, and what counts there; None if its settings cannot be read."""
        if self._name is None:
            with suppress(SettingsError):
                settings = self._settings or load_settings()
                which = settings.home, settings.database_url, settings.trusted_proxies
                self._name = *which, self._sessions, self._trusts_socket
        return self._name

    def open(self) -> None:
        """Open the instance. Raises SettingsError if it cannot be as it is set up."""
        instance = self._instance()
        if instance.borrow(tells=True) is not None:
            instance.give_back()

    def admit_at_once(self, head: Head, requires: Requirement | None) -> Passage | None:
        """Decide, unless the instance is yet to be opened or its database is across a network."""
        instance = self._instance()
        latchgate = instance.borrow_at_once()
        if latchgate is None:
            return None
        try:
            return None if latchgate.gate_may_wait else self._judge(latchgate, head, requires)
        finally:
            instance.give_back()

    def admit(self, head: Head, requires: Requirement | None) -> Passage:
        """Decide about a request; one that cannot be decided about is refused."""
        instance = self._instance()
        latchgate = instance.borrow()
        if latchgate is None:
            return Passage(UNAVAILABLE)
        try:
            return self._judge(latchgate, head, requires)
        finally:
            instance.give_back()

    def close(self) -> None:
        """Close the instance; a later request opens it anew."""
        self._instance().close()

    def before_fork(self) -> None:
        """Close the databases, so that parent and child each open their own. Requests wait for that meanwhile."""
        self._instance().shut()

    def after_fork_in_parent(self) -> None:
        """Let requests in again."""
        self._instance().reopen()

    def after_fork_in_child(self) -> None:
        """Leave the parent what it had."""
        for instance in self._instances.values():
            instance.leave()
        self._instances = {}

    def _instance(self) -> Instance:
        # By the process, since some servers fork without telling Python.
        process = os.getpid()
        instance = self._instances.get(process)
        return instance or self._instances.setdefault(process, Instance(self._settings))

    def _judge(self, latchgate: Latchgate, head: Head, requires: Requirement | None) -> Passage:
        trusted = latchgate.settings.trusted_proxies
        presented = collect_presented(head, trusted, sessions=self._sessions, trusts_socket=self._trusts_socket)
        judged = Judged(self.instance, head, by_rules=requires is None)
        passage = judge(latchgate, presented, judged, requires, record=self._record, sync=self._sync)
        passage.hold = self._hold
        return passage

    # What follows comes after the application, which may have forked meanwhile: the instance is another by then.

    def _record(self, admission: Admission, status: int, seconds: float, reason: str | None) -> None:
        instance = self._instance()
        held = instance.lent()
        if held is not None:
            # By `_hold`: most rows are written at once.
            held.gate.record(admission, status, seconds, reason)
            return
        latchgate = _require_open(instance.borrow())
        try:
            latchgate.gate.record(admission, status, seconds, reason)
        finally:
            instance.give_back()

    def _hold(self) -> Callable[[], None] | None:
        instance = self._instance()
        return None if instance.borrow_at_once() is None else instance.give_back

    def _sync(self) -> None:
        # If it was closed meanwhile, that has put the row on the disk.
        instance = self._instance()
        latchgate = _require_open(instance.borrow())
        try:
            latchgate.request_log.sync()
        finally:
            instance.give_back()


def _require_open(latchgate: Latchgate | None) -> Latchgate:
    if latchgate is None:
        raise StorageError("The request cannot be logged: the instance cannot be opened")
    return latchgate


def judge(
    latchgate: Latchgate,
    presented: Presented,
    judged: Judged,
    requires: Requirement | None,
    *,
    record: Callable[[Admission, int, float, str | None], None],
    sync: Callable[[], None],
) -> Passage:
    """Have the gate decide about a request.

    Args:
        latchgate: Whose gate.
        presented: The request, collected.
        judged: The same, and where it is judged.
        requires: What is asked of the caller; None: what the access rules say.
        record: Writes the request's row, as the gate's own; raises StorageError.
        sync: Puts it on the disk, where replies wait for that; raises StorageError.
    """
    gate = latchgate.gate
    started = time.perf_counter()
    if requires is None:
        host = find_host(judged.head.headers)
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
        if admission.rule is not None:
            scope = admission.rule.only_scope
        refusal = refusal_of(admission.who, Judgement(admission.decision, admission.reason), scope)
    passage = Passage(refusal, started=started)
    if refusal is None:
        passage.identity = identity_of(admission.who, admission.request_id, passage.notes.note)
        passage.judged = judged
    passage.write = partial(record, admission)
    if admission.credential_presented and latchgate.request_log.waits_for_disk:
        passage.sync = sync
    return passage
