"""Two servers on copies of one data folder are sent the same bytes; what they answer, leave open and log is compared.

What a server does is made certain without waiting for time to pass: after each piece, pings on a second connection are
answered by the same event loop, so that it has taken the piece in and done with it what can be done.
"""

import contextlib
import re
import select
import shutil
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import requests

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.core.log_entries import LogEntry
from latchgate.settings import load_settings
from support.running import RunningLatchgate

__all__ = ["Exchange", "Fate", "Seen", "Side", "Twins", "count_answers", "mask", "running_twins"]

_PATIENCE_SECONDS = 60.0
_QUIET_PINGS = 4
"""So many pings in a row bring nothing new: each takes the event loop round at least once."""
_SLOW_SECONDS = 5.0
"""Half of what a head may take: what took longer may differ because the machine is slow, and is sent again."""
_LINGER_SECONDS = 1.0
"""Half of what a server that has refused leaves its side open for."""
_LOADED_LATE = ("/login", "/api/openapi.json")
_PING = b"GET /livez HTTP/1.1\r\nHost: ping\r\n\r\n"
_DATE = re.compile(rb"(?m)^(date: )[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT(?=\r$)", re.IGNORECASE)
_REQUEST_ID = re.compile(rb"(?m)^(x-request-id: )([0-9a-f]{32})(?=\r$)", re.IGNORECASE)


class Fate(StrEnum):
    """What became of a connection when nothing more was to come."""

    OPEN = "kept open"
    CLOSED = "closed"
    HALF_CLOSED = "half closed: nothing more is sent, what arrives is still taken"
    ENDED = "ended; the client had ended its side before, or too much time went by to tell how"
    RESET = "reset"


@dataclass(frozen=True)
class Exchange:
    """What a client does on one connection."""

    pieces: tuple[bytes, ...]
    answers: int = 0
    """Whole answers to wait for, where threads make them; others are there once the server is at rest."""
    ends_its_side: bool = False
    """Whether the client says after the last piece that nothing more comes."""
    reads_late: bool = False
    """Whether the client takes nothing in until everything was sent, and little at a time then."""
    is_head: bool = False
    """Whether answers have no body, since HEAD was asked."""


@dataclass(frozen=True)
class Seen:
    """What a client saw, and what the server logged."""

    answers: bytes
    fate: Fate
    rows: tuple[LogEntry, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def request_ids(self) -> list[str]:
        """The ids that the answers name, in order."""
        return [found[1].decode() for found in _REQUEST_ID.findall(self.answers)]


class _Talk:
    """One connection of the client; reading never waits."""

    def __init__(self, port: int, *, small: bool) -> None:
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(_PATIENCE_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = bytearray()
        self.is_over = False
        self.is_reset = False

    def read(self, count: int = 1 << 20) -> bool:
        """Take in what has arrived; tell whether there was anything, its end included."""
        if self.is_over:
            return False
        try:
            data = self.socket.recv(count)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            self.is_over = self.is_reset = True
            return True
        self.received += data
        self.is_over = not data
        return True

    def send(self, piece: bytes, *, reading: bool) -> None:
        """Send a piece as far as the server lives to take it."""
        left = memoryview(piece)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while left and not self.is_over:
            assert time.monotonic() < deadline, "the server takes nothing more"
            with contextlib.suppress(BlockingIOError):
                try:
                    left = left[self.socket.send(left) :]
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    # What it still said may be there to be read.
                    while self.read():
                        pass
                    self.is_over = self.is_reset = True
                    return
            if reading:
                self.read()
            select.select([self.socket] if reading else [], [self.socket], [], 0.05)

    def close(self) -> None:
        """Go away at once, so that thousands of connections leave nothing behind."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Side:
    """One of the servers, its instance opened beside it, and the address at which it is asked."""

    def __init__(self, latchgate: Latchgate, port: int) -> None:
        self.latchgate = latchgate
        self.port = port
        self._pings = self._dial()
        # What is loaded by the first who needs it is loaded in a thread, whose end no ping tells of.
        for path in _LOADED_LATE:
            requests.get(f"http://127.0.0.1:{port}{path}", timeout=_PATIENCE_SECONDS).raise_for_status()
        # A connection's first request must come soon; those that follow may wait while the other side starts.
        self._ping()
        _, self._position = latchgate.request_log.follow(None)

    def close(self) -> None:
        """Close what belongs to this side alone."""
        self._pings.close()

    def play(self, exchange: Exchange) -> Seen:
        """Do what the client does; tell what it saw, and which rows the log has more."""
        began = time.monotonic()
        talk = _Talk(self.port, small=exchange.reads_late)
        try:
            for piece in exchange.pieces:
                talk.send(piece, reading=not exchange.reads_late)
                self._settle(talk, reading=not exchange.reads_late)
            if exchange.ends_its_side and not talk.is_over:
                talk.socket.shutdown(socket.SHUT_WR)
            self._read_on(talk, exchange)
            fate = self._find_fate(talk, poke=not exchange.ends_its_side)
        finally:
            talk.close()
        self._settle(None, reading=False)
        return Seen(bytes(talk.received), fate, self._new_rows(), time.monotonic() - began)

    def _read_on(self, talk: _Talk, exchange: Exchange) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        if exchange.reads_late:
            self._read_slowly(talk)
        while not talk.is_over and count_answers(bytes(talk.received), is_head=exchange.is_head) < exchange.answers:
            assert time.monotonic() < deadline, "an answer does not come"
            talk.read()
            select.select([talk.socket], [], [], 0.05)
        self._settle(talk, reading=True)

    def _read_slowly(self, talk: _Talk) -> None:
        quiet = 0
        while quiet < _QUIET_PINGS and not talk.is_over:
            quiet = 0 if talk.read(65_536) else quiet + 1
            self._ping()

    def _settle(self, talk: _Talk | None, *, reading: bool) -> None:
        quiet = 0
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while quiet < _QUIET_PINGS:
            assert time.monotonic() < deadline, "the server does not come to rest"
            self._ping()
            quiet = 0 if talk and reading and talk.read() else quiet + 1

    def _dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_SECONDS)

    def _ping(self) -> None:
        # A server ends a connection that was quiet for long, as it is while the tests wait for the other side.
        if not self._is_pinged():
            self._pings.close()
            self._pings = self._dial()
            assert self._is_pinged(), "the server ends new connections without an answer"

    def _is_pinged(self) -> bool:
        received = b""
        try:
            self._pings.sendall(_PING)
            while count_answers(received) < 1:
                data = self._pings.recv(65_536)
                if not data:
                    return False
                received += data
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _find_fate(self, talk: _Talk, *, poke: bool) -> Fate:
        if talk.is_reset:
            return Fate.RESET
        if not talk.is_over:
            return Fate.OPEN
        if not poke:
            return Fate.ENDED
        # A socket that is closed answers a byte with a reset, one that is half closed takes it.
        began = time.monotonic()
        try:
            talk.socket.send(b"\n")
            for _ in range(_QUIET_PINGS):
                self._ping()
            talk.socket.send(b"\n")
        except (BrokenPipeError, ConnectionResetError):
            return Fate.CLOSED
        return Fate.HALF_CLOSED if time.monotonic() - began < _LINGER_SECONDS else Fate.ENDED

    def _new_rows(self) -> tuple[LogEntry, ...]:
        rows, self._position = self.latchgate.request_log.follow(self._position)
        return tuple(rows)


@dataclass(frozen=True)
class Twins:
    """Two sides that are to behave alike."""

    one: Side
    other: Side
    liken: Callable[[bytes, bytes], tuple[bytes, bytes]] = lambda one, other: (one, other)
    """Put what may differ, beyond what `mask` knows, into the same form in both."""

    def compare(self, exchange: Exchange) -> tuple[Seen, Seen]:
        """Play an exchange on both sides; fail where they differ."""
        for _ in range(5):
            one, other = self.one.play(exchange), self.other.play(exchange)
            if max(one.seconds, other.seconds) < _SLOW_SECONDS:
                break
        problems = self.differences(one, other)
        assert not problems, f"{exchange}\n" + "\n".join(problems)
        return one, other

    def compare_each(self, exchanges: Sequence[Exchange]) -> None:
        """Play exchanges one after the other, each twice: what a verdict was remembered for is answered from memory."""
        for exchange in exchanges:
            self.compare(exchange)
            self.compare(exchange)

    def differences(self, one: Seen, other: Seen) -> list[str]:
        """List how two sides differ, but in what must: times and request ids."""
        found = []
        answers = self.liken(mask(one.answers), mask(other.answers))
        if answers[0] != answers[1]:
            found.append(f"answers:\n{answers[0]!r}\n{answers[1]!r}")
        if one.fate != other.fate and Fate.ENDED not in {one.fate, other.fate}:
            found.append(f"connection: {one.fate} / {other.fate}")
        rows = self.liken(*("\n".join(map(_plain, seen.rows)).encode() for seen in (one, other)))
        if rows[0] != rows[1]:
            found.append(f"log rows:\n{rows[0]!r}\n{rows[1]!r}")
        places = [_places(seen) for seen in (one, other)]
        if places[0] != places[1]:
            found.append(f"which row has which answer's id: {places[0]} / {places[1]}")
        return found


def mask(answers: bytes) -> bytes:
    """Put the two things that no two answers share into one form: the date, and the request's id."""
    return _REQUEST_ID.sub(rb"\1<32 digits>", _DATE.sub(rb"\1<date>", answers))


def count_answers(received: bytes, *, is_head: bool = False) -> int:
    """Count the whole answers at the beginning of what was received."""
    count = 0
    while (end := received.find(b"\r\n\r\n")) >= 0:
        head = received[:end].lower()
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        has_body = not (is_head or re.match(rb"http/1\.1 (1\d\d|204|304) ", head))
        end += 4 + (int(length[1]) if length and has_body else 0)
        if len(received) < end:
            break
        received = received[end:]
        # What only says "go on" is none.
        count += not head.startswith(b"http/1.1 1")
    return count


@contextlib.contextmanager
def running_twins(home: Path, folder: Path, settings: Sequence[dict[str, str]]) -> Iterator[Twins]:
    """Run two servers with these settings on copies, in a folder, of a data folder that nobody has open."""
    with contextlib.ExitStack() as stack:
        sides = []
        for number, own in enumerate(settings):
            copy = folder / f"side-{number}"
            shutil.copytree(home, copy)
            running = RunningLatchgate(copy, **own).start()
            stack.callback(running.stop)
            latchgate = open_latchgate(load_settings({"home": copy, "password_profile": "cheapest"}), create=False)
            stack.callback(latchgate.close)
            side = Side(latchgate, running.port)
            stack.callback(side.close)
            sides.append(side)
        yield Twins(sides[0], sides[1])


def _plain(row: LogEntry) -> str:
    return repr(replace(row, time=0, request_id="", seconds=0.0))


def _places(seen: Seen) -> list[int | None]:
    """Tell for each answer which of the rows is its own."""
    rows = [row.request_id for row in seen.rows]
    return [rows.index(request_id) if request_id in rows else None for request_id in seen.request_ids]
