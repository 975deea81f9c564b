"""The master: forks the processes that serve, replaces what dies, and ends or restarts them one after the other.

It has no threads and no event loop, opens nothing and serves nobody, so that it has next to nothing to fail by. It
waits for signals, which are blocked otherwise: none comes in the middle of anything. Why it is so:
docs/decisions/0036-workers.md.
"""

import enum
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from latchgate.errors import ErrorCode, LatchgateError, SettingsError
from latchgate.server.families import INGESTER_SLOT, Family
from latchgate.server.links import Order, UpLink
from latchgate.server.listeners import count_waiting, turn_newcomers_away
from latchgate.server.members import Backoff, Kind, Member, Stage, Work, describe_end
from latchgate.server.service_managers import tell_service_manager
from latchgate.services.operator_log import OperatorLog

__all__ = ["Supervisor", "Works"]

_log = OperatorLog()

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_BRIEF_SECONDS, _LONG_SECONDS = 0.02, 1.0
# Long enough for connections that are just coming into being to arrive.
_DOOR_SECONDS_LEAST, _DOOR_SECONDS_MOST = 0.05, 3.0
# Beyond the time that the settings give: what a worker needs to cancel, to close its databases and to end.
_ENDING_SECONDS = 5.0
_LAST_PASS_SECONDS = 10.0
_HURRIED_SECONDS = 2.0
_FAILED_STARTS_MAX = 5


@dataclass(frozen=True, slots=True)
class Works:
    """What the processes do, each after its fork."""

    serve: Callable[[int, UpLink], None]
    """As a worker, in the slot of that number."""
    ingest: Work | None
    count_start: Callable[[Kind], None]
    count_death: Callable[[Kind], None]
    note_family: Callable[[Kind, int], None]
    """Takes how many processes of a kind there are, whenever that changes."""
    note_free_slot: Callable[[int], None]
    """Takes the slot of a process that is no more."""
    look_after: Callable[[], None]
    """Sees to it that what the processes share is whole; done all the time, and just before each fork."""


class _Phase(enum.IntEnum):
    SERVING = 0
    CLOSING_THE_DOOR = 1
    """No newcomers; those who stand at the door are let in."""
    ENDING_WORKERS = 2
    ENDING_INGESTER = 3
    OVER = 4


class Supervisor:
    """Keeps so many workers serving on the sockets, from `run` to its end."""

    def __init__(self, works: Works, listeners: Sequence[socket.socket], workers: int, stop_seconds: float) -> None:
        """Take over the listening sockets; `stop_seconds` is what workers get to answer what was begun."""
        self._works = works
        self._listeners = listeners
        self._wanted = workers
        self._stop_seconds = stop_seconds
        self._family = Family(workers)
        self._backoffs = {kind: Backoff() for kind in Kind}
        self._restart_is_wanted = False
        self._has_served = False
        self._has_terminal = _has_terminal()
        self._phase = _Phase.SERVING
        self._since = self._until = 0.0
        self._failure: LatchgateError | None = None

    def run(self) -> None:
        """Fork and watch until SIGTERM or SIGINT.

        Raises:
            LatchgateError: No worker can serve, for a reason that will not pass.
        """
        if threading.active_count() > 1:
            raise AssertionError(f"the master has threads: {threading.enumerate()}")
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            while self._phase is not _Phase.OVER:
                self._works.look_after()
                self._act(time.monotonic())
                came = signal.sigtimedwait(_SIGNALS, self._pause_seconds())
                if came is not None:
                    self._note_signal(came.si_signo)
                self._read_reports()
                for member, wait_status in self._family.bury():
                    self._works.note_free_slot(member.slot)
                    self._note_family(member.kind)
                    self._note_end(member, wait_status)
        finally:
            self._family.end_all_at_once()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if self._failure is not None:
            raise self._failure

    # What happens

    def _note_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            return
        # A terminal that is closed sends this too; nobody wants a server that goes on without it.
        if number == signal.SIGHUP and not (self._has_terminal and not _has_terminal()):
            self._restart_is_wanted = self._phase is _Phase.SERVING
        elif self._phase is _Phase.SERVING:
            self._begin_to_stop()
        else:
            self._hurry()

    def _read_reports(self) -> None:
        for member in self._family.everybody():
            if member.read_report() and member.kind is Kind.WORKER:
                self._note_ready()

    def _note_ready(self) -> None:
        if not self._has_served:
            tell_service_manager("READY=1")
        self._has_served = True
        outdated = self._family.outdated()
        if outdated:
            # One that serves for one that leaves: never fewer than before.
            outdated[0].end(Order.MAKE_ROOM)
            _log.info("worker makes room", pid=outdated[0].pid, left=len(outdated) - 1)

    def _note_end(self, member: Member, wait_status: int) -> None:
        if member.stage is Stage.LEAVING and wait_status == 0:
            return
        now = time.monotonic()
        lived_seconds = now - member.began
        self._works.count_death(member.kind)
        told = {"reason": str(member.failure)} if member.failure else {}
        _log.error(
            f"{member.kind} died",
            pid=member.pid,
            how=describe_end(wait_status),
            lived_seconds=round(lived_seconds, 1),
            **told,
        )
        if member.stage is not Stage.LEAVING:
            self._backoffs[member.kind].note_death(lived_seconds, now)
        if member.kind is Kind.WORKER and member.stage is Stage.STARTING:
            self._note_failed_start(member)

    def _note_failed_start(self, member: Member) -> None:
        # Those that serve are better than what came instead.
        kept = self._family.adopt_outdated()
        if kept:
            _log.error("restart given up: the new worker did not come to serve", kept=kept)
        elif self._phase is _Phase.SERVING and not self._family.serving():
            failure = member.failure
            if failure is not None and failure.code is ErrorCode.SETTINGS:
                self._give_up(failure)
            elif not self._has_served and self._backoffs[Kind.WORKER].deaths >= _FAILED_STARTS_MAX:
                self._give_up(failure or SettingsError("The workers die at their start; the lines above say how"))

    # What is to be done

    def _act(self, now: float) -> None:
        match self._phase:
            case _Phase.SERVING:
                self._keep_serving(now)
            case _Phase.CLOSING_THE_DOOR:
                waited = now - self._since
                is_empty = waited >= _DOOR_SECONDS_LEAST and not count_waiting(self._listeners)
                if is_empty or now >= self._until or not self._family.serving():
                    self._end_workers()
            case _Phase.ENDING_WORKERS if not self._family.workers():
                self._end_ingester()
            case _Phase.ENDING_INGESTER if not self._family.everybody():
                self._phase = _Phase.OVER
            case _ if now >= self._until:
                self._end_by_force()
            case _:
                pass

    def _keep_serving(self, now: float) -> None:
        if self._restart_is_wanted and not self._family.outdated() and not self._family.is_starting():
            self._restart_is_wanted = False
            self._family.generation += 1
            _log.info("restart", workers=self._wanted)
        # One after the other while a restart is under way; all at once else.
        while len(self._family.current()) < self._wanted and not (
            self._family.outdated() and self._family.is_starting()
        ):
            if not self._start_worker(now):
                break
        if self._works.ingest is not None and not self._family.has_ingester():
            self._start_ingester(self._works.ingest, now)

    def _start_worker(self, now: float) -> bool:
        slot = self._family.find_slot()
        if slot is None or not self._backoffs[Kind.WORKER].is_over(now):
            return False
        return self._fork(Kind.WORKER, slot, partial(self._works.serve, slot))

    def _start_ingester(self, ingest: Work, now: float) -> None:
        if self._backoffs[Kind.INGESTER].is_over(now):
            self._fork(Kind.INGESTER, INGESTER_SLOT, ingest)

    def _fork(self, kind: Kind, slot: int, work: Work) -> bool:
        self._works.look_after()
        self._works.count_start(kind)
        try:
            self._family.fork(kind, slot, work, () if kind is Kind.WORKER else self._listeners)
        except OSError as error:
            # Too many processes or open files, say: those that there are go on.
            _log.error(f"no {kind} could be started", reason=error.strerror)
            self._backoffs[kind].note_death(0.0, time.monotonic())
            return False
        self._note_family(kind)
        return True

    # The end

    def _begin_to_stop(self) -> None:
        tell_service_manager("STOPPING=1")
        turn_newcomers_away(self._listeners)
        self._enter(_Phase.CLOSING_THE_DOOR, _DOOR_SECONDS_MOST)

    def _end_workers(self) -> None:
        for listener in self._listeners:
            listener.close()
        for member in self._family.workers():
            member.end(Order.STOP)
        self._enter(_Phase.ENDING_WORKERS, self._stop_seconds + _ENDING_SECONDS)

    def _end_ingester(self) -> None:
        for member in self._family.everybody():
            member.end(Order.STOP)
        # A pass cut short loses nothing: the next start goes on from there.
        self._enter(_Phase.ENDING_INGESTER, _HURRIED_SECONDS if self._failure else _LAST_PASS_SECONDS)

    def _hurry(self) -> None:
        if self._phase < _Phase.ENDING_WORKERS:
            self._end_workers()
        for member in self._family.everybody():
            member.end(Order.HURRY)
        self._until = min(self._until, time.monotonic() + _HURRIED_SECONDS)

    def _give_up(self, failure: LatchgateError) -> None:
        self._failure = failure
        self._end_workers()

    def _end_by_force(self) -> None:
        late = self._family.workers() or list(self._family.everybody())
        _log.warning("killed what did not end in time", pids=[member.pid for member in late])
        for member in late:
            member.kill()
        self._until += _LONG_SECONDS

    def _enter(self, phase: _Phase, seconds: float) -> None:
        self._phase, self._since = phase, time.monotonic()
        self._until = self._since + seconds

    def _note_family(self, kind: Kind) -> None:
        self._works.note_family(kind, sum(member.kind is kind for member in self._family.everybody()))

    def _pause_seconds(self) -> float:
        is_calm = (
            self._phase is _Phase.SERVING
            and not self._family.is_starting()
            and len(self._family.current()) == self._wanted
        )
        return _LONG_SECONDS if is_calm else _BRIEF_SECONDS


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
