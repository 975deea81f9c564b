"""A master over works that a test chooses, to be run as a program: its arguments say what workers and ingester do.

A worker notes in a file that it began, reports that it serves, and ends when it is told to.
"""

import errno
import os
import socket
import sys
import time
from pathlib import Path

from latchgate.errors import LatchgateError, SettingsError, StorageError
from latchgate.server.links import Order, UpLink
from latchgate.server.supervisor import Supervisor, Works

_FOLDER = Path(sys.argv[1])
_MANNER = sys.argv[2]


def _note(text: str, file: str = "notes") -> None:
    with (_FOLDER / file).open("a") as notes:
        notes.write(text + "\n")


def _refusal() -> LatchgateError:
    problem = SettingsError("the key file is gone", "and so is the folder")
    problem.add_note("restore both")
    return problem


_REFUSALS: dict[str, BaseException] = {
    "settings": _refusal(),
    "storage": StorageError("The database cannot be reached", detail="refused"),
    "fault": RuntimeError("a fault of ours"),
    "leaves": SystemExit("gone"),
}


def _serve(slot: int, link: UpLink) -> None:
    _note(f"begun {slot} {os.getpid()}")
    if _MANNER in _REFUSALS:
        raise _REFUSALS[_MANNER]
    if (_FOLDER / "refuse").exists():
        raise _refusal()
    link.report_ready()
    while _MANNER == "stubborn" or link.order() is Order.NONE:
        time.sleep(0.01)
    _note(f"ended {slot}")


def _ingest(link: UpLink) -> None:
    _note(f"ingests {os.getpid()}")
    while not link.wait(60):
        pass
    _note("last pass")


def _refuse_some_forks() -> None:
    fork, refused = os.fork, iter([True, True])

    def crowded() -> int:
        if next(refused, False):
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return fork()

    os.fork = crowded


def _main() -> int:
    if _MANNER == "crowded":
        _refuse_some_forks()
    works = Works(
        serve=_serve,
        ingest=_ingest if _MANNER == "ingests" else None,
        count_start=lambda kind: _note(f"start {kind}", "counts"),
        count_death=lambda kind: _note(f"death {kind}", "counts"),
        note_family=lambda kind, there: _note(f"{there} {kind}", "counts"),
        note_free_slot=lambda slot: _note(f"free {slot}", "counts"),
        look_after=lambda: None,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        Supervisor(works, [listener], workers=2, stop_seconds=0.2).run()
    except LatchgateError as error:
        _note(f"failed {type(error).__name__} {error.public} {error.detail} {getattr(error, '__notes__', [])}")
        return 3
    _note("over")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
