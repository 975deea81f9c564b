"""Processes that ask a server as much as they can, on kept connections, several at once, and write all down."""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TextIO

from support.asgi import LOGGED_USER
from support.history import Asked, Credential, boot_ns

__all__ = ["ROLE_PATH", "Pool", "publish", "read_asked", "run_clients", "write_asked"]

ROLE_PATH = "/api/resource/Role?limit=1"
"""What needs the role."""
_CONNECTIONS = 8
_DEPTHS = (1, 1, 1, 2, 8)
"""How many requests are sent before the first answer is waited for."""
_REFUSALS_MAX = 3
"""A credential that was refused more often than that in a row has probably ended, and is asked by seldom."""
_SELDOM = 0.1
_WANTS = ("user", "user", "role", "verify role", "verify http", "verify services", "verify http", "verify services")
"""What is asked for: who one is, what needs the role, and by a proxy what needs it, or what a rule opens and closes."""
_OK, _NO_CONTENT, _UNAUTHORIZED = 200, 204, 401
_LOOK_SECONDS = 0.1
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_USER = re.compile(rb"\r\nx-auth-request-user: ([!-~]+)\r\n", re.IGNORECASE)
_REQUEST_ID = re.compile(rb"\r\nx-request-id: ([0-9a-f]{32})\r\n", re.IGNORECASE)


class Pool:
    """The credentials that there are: files that grow by a line each, read again and again."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [file.open() for file in files]
        self._rests = ["" for _ in files]
        self.credentials: list[Credential] = []
        self.refusals: Counter[str] = Counter()
        """How often in a row a credential was refused, by its name."""
        self.lively: list[Credential] = []
        """Those that were not refused lately."""
        self.read_on()

    def read_on(self) -> None:
        """Take in what has been added; half a line waits for its other half. Find anew who is lively."""
        for number, file in enumerate(self._files):
            *lines, self._rests[number] = (self._rests[number] + file.read()).split("\n")
            for line in lines:
                document = json.loads(line)
                self.credentials.append(Credential(**{**document, "switches": tuple(document["switches"])}))

        self.lively = [one for one in self.credentials if self.refusals[one.name] <= _REFUSALS_MAX] or self.credentials

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def publish(file: TextIO, credential: Credential) -> None:
    """Let the clients know of a credential; from now on it must open what its switches say."""
    file.write(json.dumps(asdict(credential)) + "\n")
    file.flush()


def write_asked(file: TextIO, one: Asked) -> None:
    """Add a request to a file."""
    fields = (one.begun, one.ended, one.credential, one.needs, one.status, one.user, one.request_id)
    file.write("\t".join(map(str, fields)) + "\n")


def read_asked(file: Path) -> Iterator[Asked]:
    """Read the requests of a file."""
    with file.open() as lines:
        for line in lines:
            begun, ended, credential, needs, status, user, request_id = line.rstrip("\n").split("\t")
            yield Asked(int(begun), int(ended), credential, needs, int(status), user, request_id)


def run_clients(port: int, pools: Sequence[Path], output: Path, over: Event, seed: int) -> None:
    """Ask until it is over, and then by every credential once more; the whole work of a process."""
    asyncio.run(_run(port, pools, output, over, random.Random(seed)))  # noqa: S311  # which of many to ask by


async def _run(port: int, pools: Sequence[Path], output: Path, over: Event, chance: random.Random) -> None:
    known = Pool(pools)
    # Nothing to ask by yet: the processes that change make it known.
    while not known.credentials:
        await asyncio.sleep(_LOOK_SECONDS)
        known.read_on()
    with output.open("w") as file:
        clients = [_ask_on(port, known, file, over, random.Random(chance.random())) for _ in range(_CONNECTIONS)]  # noqa: S311  # as above
        await asyncio.gather(_look(known, over), *clients)
        known.read_on()
        # Nobody dies any more.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for credential in known.credentials:
            await _ask(reader, writer, [(credential, want) for want in dict.fromkeys(_WANTS)], file, known.refusals)
        writer.close()
    known.close()


async def _look(known: Pool, over: Event) -> None:
    while not over.is_set():
        await asyncio.sleep(_LOOK_SECONDS)
        known.read_on()


async def _ask_on(port: int, known: Pool, file: TextIO, over: Event, chance: random.Random) -> None:
    """Ask on one connection after another: those that a killed worker breaks are made anew."""
    while not over.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_LOOK_SECONDS / 10)
            continue
        with suppress(OSError, asyncio.IncompleteReadError):
            while not over.is_set():
                await _ask(
                    reader,
                    writer,
                    [_choose(known, chance) for _ in range(chance.choice(_DEPTHS))],
                    file,
                    known.refusals,
                )
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _choose(known: Pool, chance: random.Random) -> tuple[Credential, str]:
    credentials = known.credentials if chance.random() < _SELDOM else known.lively
    return chance.choice(credentials), chance.choice(_WANTS)


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    wanted: list[tuple[Credential, str]],
    file: TextIO,
    refusals: Counter[str],
) -> None:
    begun = boot_ns()
    writer.write(b"".join(_write(credential, want) for credential, want in wanted))
    for credential, want in wanted:
        head = await reader.readuntil(b"\r\n\r\n")
        length, request_id, named = _LENGTH.search(head), _REQUEST_ID.search(head), _USER.search(head)
        status = int(head[9:12])
        assert length or status == _NO_CONTENT, head
        assert request_id, head
        body = await reader.readexactly(int(length[1])) if length else b""
        ended = boot_ns()
        refusals[credential.name] = refusals[credential.name] + 1 if status == _UNAUTHORIZED else 0
        user = json.loads(body)["message"] if status == _OK and want == "user" else ""
        if status == _NO_CONTENT:
            assert named, head
            user = named[1].decode()
        needs = _needs(credential, want)
        write_asked(file, Asked(begun, ended, credential.name, needs, status, user, request_id[1].decode()))


def _needs(credential: Credential, want: str) -> str:
    match want.split():
        case ["user"]:
            return ""
        case ["verify", name] if name != "role":
            return f"rule {name}"
        case _:
            return credential.role


def _write(credential: Credential, want: str) -> bytes:
    kind, _, name = want.partition(" ")
    told = ""
    if kind == "verify":
        path = "/auth/verify?proxy=nginx"
        told = f"X-Original-Method: GET\r\nX-Original-URI: /{name}/a\r\nX-Forwarded-For: 192.0.2.1\r\n"
    else:
        path = ROLE_PATH if kind == "role" else LOGGED_USER
    head = f"GET {path} HTTP/1.1\r\nHost: latchgate\r\nAuthorization: {credential.header}\r\n"
    return f"{head}{told}\r\n".encode()
