"""The instance as one process has it open: opened when it is needed, and closed only while no thread uses it."""

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.errors import LatchgateError, SettingsError
from latchgate.opening import open_segments
from latchgate.request_log.segment_writer import SegmentLog
from latchgate.services.measures import Measures
from latchgate.services.operator_log import OperatorLog
from latchgate.settings import Settings, load_settings
from latchgate.storage.data_folder import DataFolder

__all__ = ["Instance"]

_AGAIN_SECONDS = 1.0
"""After a failure to open, how long nobody tries again."""
_PATIENCE_SECONDS = 10.0
"""How long is waited for who uses it: more than an answer of SQLite takes."""
_opened: dict[int, tuple[int, Latchgate]] = {}
"""By its id what is open, and in which process. What a fork has brought along is neither used nor closed here, not even
by being collected: to close an SQLite connection of another process would let go of locks that are not ours."""


@dataclass(frozen=True, slots=True)
class _Lasting:
    """What the parent has across a fork: no database. A new segment for each fork would soon fill the log."""

    settings: Settings
    segments: SegmentLog
    folder: DataFolder
    """Held, so that nobody puts another in its place while there are segments in it."""

    def close(self) -> None:
        self.segments.close()
        self.folder.close()


class Instance:
    """An instance of one process; any thread may use it, between borrowing it and giving it back."""

    def __init__(self, settings: Settings | None) -> None:
        """Open nothing yet.

        Args:
            settings: Which instance; None: what the environment says when it is opened.
        """
        self._settings = settings
        self._latchgate: Latchgate | None = None
        self._lasting: _Lasting | None = None
        self._failed_at = -_AGAIN_SECONDS
        # A signal in the middle of either may fork: then nothing is left to close, or the thread is inside.
        self._turning = threading.RLock()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._inside: dict[int, int] = {}
        """By thread, how often it has borrowed it."""
        self._shut = 0

    def borrow_at_once(self) -> Latchgate | None:
        """Give it, if it is open and no fork is under way; None: nothing is to be given back."""
        with self._lock:
            if not self._may_enter():
                return None
            # Entered first: a fork by a signal would else close it between the look and the use.
            self._enter()
            latchgate = self._latchgate
            if latchgate is None:
                self.give_back()
            return latchgate

    def borrow(self, *, tells: bool = False) -> Latchgate | None:
        """Give it, opened if need be; None if it cannot be, and nothing is to be given back.

        Args:
            tells: Whether it is tried again however recent the last failure, and what its settings fail by is raised.

        Raises:
            SettingsError: It cannot be opened as it is set up.
        """
        with self._lock:
            self._changed.wait_for(self._may_enter)
            self._enter()
        latchgate = None
        try:
            latchgate = self._latchgate or self._open(tells=tells)
        finally:
            if latchgate is None:
                self.give_back()
        return latchgate

    def lent(self) -> Latchgate | None:
        """Give it to a thread that has borrowed it, and has not given it back; None to any other."""
        # Without the lock: a thread alone changes what stands there of it, and what somebody has stays open.
        return self._latchgate if threading.get_ident() in self._inside else None

    def give_back(self) -> None:
        """Use it no longer."""
        ident = threading.get_ident()
        with self._lock:
            times = self._inside.pop(ident) - 1
            if times:
                self._inside[ident] = times
            if self._shut:
                self._changed.notify_all()

    def shut(self) -> None:
        """Let nobody have it any more, and close its databases once nobody has; after that, `reopen`.

        Where its database is across a network nobody is waited for: what is open there, a child may leave as it is.
        If somebody, or the very thread that asks for this, keeps it for too long, it stays open.
        """
        with self._lock:
            self._shut += 1
            latchgate = self._latchgate
        self._close_databases(0.0 if latchgate is not None and latchgate.gate_may_wait else _PATIENCE_SECONDS)

    def close(self) -> None:
        """Close it with all that is open, once nobody has it; whoever comes after that has it opened anew."""
        with self._lock:
            self._shut += 1
        try:
            self._close_databases(_PATIENCE_SECONDS)
            with self._turning:
                lasting = self._lasting
                if self._latchgate is None and lasting is not None:
                    self._lasting = None
                    lasting.close()
        finally:
            self.reopen()

    def leave(self) -> None:
        """Let go, in a child, of what its parent's would hold as long as the child lives."""
        if self._lasting is not None:
            self._lasting.folder.close()

    def reopen(self) -> None:
        """Let whoever comes have it, opened anew."""
        with self._lock:
            # In a child that was forked in the middle of another fork it was never shut.
            self._shut = max(0, self._shut - 1)
            self._changed.notify_all()

    def _close_databases(self, patience_seconds: float) -> None:
        with self._lock:
            own = threading.get_ident() in self._inside
            if own or not self._changed.wait_for(lambda: not self._inside, patience_seconds):
                return
        # Two threads may fork at once: the second goes on only when the first has closed it.
        with self._turning:
            latchgate, self._latchgate = self._latchgate, None
            if latchgate is not None:
                latchgate.close()
                _opened.pop(id(latchgate), None)

    def _enter(self) -> None:
        ident = threading.get_ident()
        self._inside[ident] = self._inside.get(ident, 0) + 1

    def _may_enter(self) -> bool:
        # Who is inside already is waited for: it must not wait in turn.
        return not self._shut or threading.get_ident() in self._inside

    def _open(self, *, tells: bool) -> Latchgate | None:
        with self._turning:
            if self._latchgate is not None:
                return self._latchgate
            if not tells and time.monotonic() - self._failed_at < _AGAIN_SECONDS:
                return None
            try:
                return self._open_now()
            except LatchgateError as error:
                OperatorLog().error("latchgate cannot be opened", reason=error.public, detail=error.detail)
                self._failed_at = time.monotonic()
                if tells and isinstance(error, SettingsError):
                    raise
                return None

    def _open_now(self) -> Latchgate:
        lasting = self._lasting
        settings = lasting.settings if lasting else self._settings or load_settings()
        _require_own(settings)
        segments = lasting.segments if lasting else open_segments(settings, Measures.alone())
        with ExitStack() as stack:
            latchgate = open_latchgate(settings, create=False, cached=True, segments=segments)
            stack.callback(latchgate.close)
            self._lasting = lasting or _Lasting(settings, segments, DataFolder(settings.home))
            stack.pop_all()
        _opened[id(latchgate)] = os.getpid(), latchgate
        self._latchgate = latchgate
        return latchgate


def _require_own(settings: Settings) -> None:
    """Refuse a database of SQLite that a parent had open. Raises SettingsError.

    SQLite takes the parent's locks for this process' own. Once they are gone, another process may remove the
    write-ahead log under this one, which then never learns of what is revoked.
    """
    path = settings.database_path
    inherited = [one for process, one in tuple(_opened.values()) if process != os.getpid()]
    if path is not None and any(one.settings.database_path == path for one in inherited):
        raise SettingsError(
            "This process was forked while the instance was open in its parent, so that revocations might go unnoticed "
            "here: fork first (uWSGI: lazy-apps), or have the server call Python's hooks before it forks (uWSGI: "
            "py-call-uwsgi-fork-hooks, not in old releases)"
        )
