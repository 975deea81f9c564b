"""Writers of segments that are killed: a parent forks one after the other, and prints what each had acknowledged."""

import os
import random
import signal
import struct
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from latchgate.errors import StorageError
from latchgate.request_log.records import encode
from latchgate.request_log.segment_writer import LogRules
from support.host_log import SMALL, open_segments
from support.log_rows import make_row

_ACKNOWLEDGED = struct.Struct("<Q")


def kill_writers(folder: Path, rules: LogRules, count: int, seed: int) -> None:
    """Have so many writers killed at moments that chance gives, two at once, and print the ids that were written."""
    chances = random.Random(seed)  # noqa: S311  # the same chances each time
    for number in range(0, count, 2):
        pairs = [(name, *_start(folder, rules, name)) for name in (number, number + 1)]
        # Some are killed while they make their first segment, the others once they write.
        said = [os.read(pipe, _ACKNOWLEDGED.size) if number % 8 else b"" for _, _, pipe in pairs]
        time.sleep(chances.random() * 0.002)
        for _, process, _ in pairs:
            os.kill(process, signal.SIGKILL)
        for (name, process, pipe), first in zip(pairs, said, strict=True):
            os.waitpid(process, 0)
            _print_acknowledged(name, first, pipe)


def _start(folder: Path, rules: LogRules, name: int) -> tuple[int, int]:
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    os.close(reading)
    log = open_segments(folder, rules)
    row = 0
    while True:
        # Long ones and short ones: a tear may be anywhere.
        log.append(encode(make_row(request_id=f"{name}-{row}", path="/" + "x" * (row * 37 % 900))))
        os.write(writing, _ACKNOWLEDGED.pack(row))
        row += 1


def _print_acknowledged(name: int, first: bytes, pipe: int) -> None:
    with os.fdopen(pipe, "rb") as stream:
        said = first + stream.read()
    for start in range(0, len(said) // _ACKNOWLEDGED.size * _ACKNOWLEDGED.size, _ACKNOWLEDGED.size):
        sys.stdout.write(f"{name}-{_ACKNOWLEDGED.unpack_from(said, start)[0]}\n")


def fork_writer(folder: Path, rules: LogRules) -> None:
    """Append in a parent, then in its child, then in the parent; the child goes on living after its parent's death."""
    log = open_segments(folder, rules)
    # Held across the fork: it is the parent's.
    reservation = log.reserve()
    log.append(encode(make_row(request_id="parent-0")))
    process = os.fork()
    if process == 0:
        log.append(encode(make_row(request_id="child-0")), reservation)
        log.sync()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        log.append(encode(make_row(request_id="child-1")), log.reserve())
        os._exit(0)
    log.append(encode(make_row(request_id="parent-1")), reservation)
    os.kill(os.getpid(), signal.SIGKILL)


def refuse_requests(folder: Path, rules: LogRules) -> None:
    """Log refused requests without end, far more than the quota, and say of each that it was logged."""
    log = open_segments(folder, rules)
    while True:
        log.append_refused(make_row(ip_address="192.0.2.1", user=None, reason="unknown_key"), log.reserve())
        sys.stdout.write(".")
        sys.stdout.flush()


def fill_disk(folder: Path, rules: LogRules) -> None:
    """Fill the disk to its last byte once there is a segment, write until the log is full, and say what was written."""
    log = open_segments(folder, rules)
    log.append(encode(make_row(request_id="0")))
    sys.stdout.write("0\n")
    with (folder / "junk").open("wb", buffering=0) as junk, suppress(OSError):
        while True:
            junk.write(bytes(4096))
    for number in range(1, 1_000_000):
        try:
            room = log.reserve()
        except StorageError as error:
            sys.stdout.write(f"full: {error.detail}\n")
            break
        log.append(encode(make_row(request_id=f"{number}", path="/" + "x" * 900)), room)
        sys.stdout.write(f"{number}\n")
    (folder / "junk").unlink()
    log.append(encode(make_row(request_id="after")), log.reserve())
    sys.stdout.write("after\n")
    log.close()


if __name__ == "__main__":
    _rules = replace(SMALL, mapped=sys.argv[1] == "mapped")
    match sys.argv[2]:
        case "fork":
            fork_writer(Path(sys.argv[3]), _rules)
        case "refuse":
            refuse_requests(Path(sys.argv[3]), _rules)
        case "fill":
            fill_disk(Path(sys.argv[3]), _rules)
        case _:
            kill_writers(Path(sys.argv[3]), _rules, int(sys.argv[4]), int(sys.argv[5]))
