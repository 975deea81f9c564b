"""What the master and a process that it forked tell each other; and that the other one is gone."""

import enum
import json
import select
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from latchgate.errors import ErrorCode, LatchgateError, SettingsError, StorageError

__all__ = ["Order", "Report", "UpLink", "find_report", "give_order", "make_link"]

_MESSAGE_BYTES_MAX = 64 * 1024


class Order(enum.IntEnum):
    """How a process is to end; of several the strongest counts."""

    NONE = 0
    MAKE_ROOM = 1
    """A successor serves: take no more connections, and end once the present ones have ended by themselves."""
    STOP = 2
    """Answer what was begun, within the time that the settings give, and end."""
    HURRY = 3
    """End, whatever was begun."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a process tells of its start."""

    failure: LatchgateError | None
    """Why it cannot serve; None if it serves."""


class UpLink:
    """The process's end. That the master is gone is an order too: to stop."""

    def __init__(self, link: socket.socket) -> None:
        link.settimeout(0)
        self._link = link
        self._order = Order.NONE
        self.has_master = True

    def fileno(self) -> int:
        """Tell the descriptor, to be watched for reading."""
        return self._link.fileno()

    def order(self) -> Order:
        """Tell the strongest order given so far, without waiting."""
        with suppress(BlockingIOError):
            while self.has_master:
                told = _receive(self._link)
                self.has_master = bool(told)
                self._order = max(self._order, *map(Order, told or [Order.STOP]))
        return self._order

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the process is to end, or for so long; tell whether it is to end."""
        if not self.is_set():
            select.select([self._link], [], [], seconds)
        return self.is_set()

    def is_set(self) -> bool:
        """Tell whether the process is to end."""
        return self.order() >= Order.STOP

    def __call__(self) -> bool:
        """Tell whether the process is to end."""
        return self.is_set()

    def report_ready(self) -> None:
        """Tell that this process serves."""
        self._send({"ready": True})

    def report_failure(self, error: LatchgateError) -> None:
        """Tell why this process cannot serve."""
        problems = error.problems if isinstance(error, SettingsError) else (error.public,)
        notes = getattr(error, "__notes__", [])
        self._send(
            {"ready": False, "code": error.code, "problems": problems, "detail": error.detail, "notes": list(notes)}
        )

    def _send(self, document: dict[str, Any]) -> None:
        with suppress(OSError):  # the master is gone
            self._link.send(json.dumps(document).encode())


def make_link() -> tuple[socket.socket, socket.socket]:
    """Make both ends; a message is read as it was sent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(0)
    return ours, theirs


def give_order(link: socket.socket, order: Order) -> None:
    """Tell a process how to end."""
    with suppress(OSError):  # it is gone
        link.send(bytes([order]))


def find_report(link: socket.socket) -> Report | None:
    """Give what a process has told, if it has."""
    try:
        told = _receive(link)
    except BlockingIOError:
        return None
    if not told:
        return None
    document = json.loads(told)
    return Report(None if document["ready"] else _rebuild(document))


def _rebuild(document: dict[str, Any]) -> LatchgateError:
    problems: list[str] = document["problems"]
    error: LatchgateError
    if document["code"] == ErrorCode.SETTINGS:
        error = SettingsError(*problems)
    else:
        error = StorageError(problems[0], detail=document["detail"])
    for note in document["notes"]:
        error.add_note(note)
    return error


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(_MESSAGE_BYTES_MAX)
    except ConnectionResetError:
        return b""
