"""A process that the master forked: how it begins, and what the master knows of it."""

import enum
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from latchgate.errors import LatchgateError, SettingsError
from latchgate.server.links import Order, UpLink, find_report, give_order, make_link
from latchgate.services.operator_log import OperatorLog

__all__ = ["Backoff", "Kind", "Member", "Stage", "Work", "describe_end", "fork_member"]

_log = OperatorLog()

Work = Callable[[UpLink], None]
"""What a process does from its beginning to its end."""

_FAILED, _CANNOT_START, _NO_DATABASE = 1, 3, 4


class Kind(enum.StrEnum):
    """What a process is for."""

    WORKER = "worker"
    INGESTER = "ingester"


class Stage(enum.Enum):
    """How far a process has come."""

    STARTING = enum.auto()
    SERVING = enum.auto()
    LEAVING = enum.auto()
    """It was ordered to end."""


@dataclass(slots=True)
class Member:
    """One process, as the master sees it."""

    kind: Kind
    slot: int
    generation: int
    """How many restarts had been asked for when it was forked."""
    pid: int
    link: socket.socket
    stage: Stage = Stage.STARTING
    failure: LatchgateError | None = None
    """Why it cannot serve, as it told."""
    began: float = field(default_factory=time.monotonic)

    def read_report(self) -> bool:
        """Take in what it has told; tell whether it serves since now."""
        report = find_report(self.link)
        if report is None:
            return False
        self.failure = report.failure
        if report.failure or self.stage is not Stage.STARTING:
            return False
        self.stage = Stage.SERVING
        return True

    def end(self, order: Order) -> None:
        """Order it to end."""
        self.stage = Stage.LEAVING
        give_order(self.link, order)

    def kill(self) -> None:
        """End it at once. It has not been waited for, so that the number is still its own."""
        os.kill(self.pid, signal.SIGKILL)


class Backoff:
    """Replaces what died at once, and more slowly what dies again and again."""

    _FIRST_SECONDS = 0.1
    _LONGEST_SECONDS = 10.0
    _HEALTHY_SECONDS = 10.0

    def __init__(self) -> None:
        self.deaths = 0
        """One after another, each after a short life."""
        self._until = 0.0

    def note_death(self, lived_seconds: float, now: float) -> None:
        """Reckon how long to wait before the next start."""
        self.deaths = 1 if lived_seconds >= self._HEALTHY_SECONDS else self.deaths + 1
        if self.deaths > 1:
            self._until = now + min(self._FIRST_SECONDS * 2.0 ** min(self.deaths - 2, 16), self._LONGEST_SECONDS)

    def is_over(self, now: float) -> bool:
        """Tell whether to start now."""
        return now >= self._until


def fork_member(work: Work, inherited: Iterable[socket.socket]) -> tuple[int, socket.socket]:
    """Fork a process that works and ends; give its number and the master's end of the link to it.

    To be called with the signals blocked that the master waits for, by a process without threads and without an event
    loop.

    Args:
        work: What it does.
        inherited: The sockets of the master that it must not keep open.

    Raises:
        OSError: The system has no room for another process.
    """
    ours, theirs = make_link()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid:
        theirs.close()
        return pid, ours
    status = _FAILED
    try:
        for other in (ours, *inherited):
            other.close()
        status = _run(work, UpLink(theirs))
    finally:
        # Never back into what the master was doing, whatever is raised here.
        os._exit(status)


def describe_end(wait_status: int) -> str:
    """Say how a process ended."""
    if os.WIFSIGNALED(wait_status):
        number = os.WTERMSIG(wait_status)
        try:
            return f"signal {signal.Signals(number).name}"
        except ValueError:
            return f"signal {number}"
    return f"status {os.waitstatus_to_exitcode(wait_status)}"


def _run(work: Work, link: UpLink) -> int:
    # Ctrl-C and a closed terminal tell every process of the group; what is to be done about it, the master says.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        work(link)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else _FAILED
    except LatchgateError as error:
        link.report_failure(error)
        return _CANNOT_START if isinstance(error, SettingsError) else _NO_DATABASE
    except BaseException:  # noqa: BLE001  # the outermost frame of a process: what ends it must be told
        _log.exception("process failed", pid=os.getpid())
        return _FAILED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
