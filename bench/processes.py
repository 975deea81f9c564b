"""Which processes of a server serve, and how much processor time and memory each of them took.

A server is a master with workers and others beside them, or one process alone. Those that serve are told by what they
do: they wait, by epoll, for connections on the server's port.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Server", "Spent", "memory_kib"]

_TICKS = os.sysconf("SC_CLK_TCK")
_LISTEN = "0A"


@dataclass(frozen=True)
class Spent:
    """Processor time in seconds: of the processes that serve, and of those beside them, such as the ingester."""

    serving: float
    beside: float

    def since(self, before: "Spent") -> "Spent":
        """What was spent since an earlier look."""
        return Spent(self.serving - before.serving, self.beside - before.beside)


@dataclass(frozen=True)
class Server:
    """A running server: the process that was started, and the port that it or its children listen on."""

    pid: int
    port: int

    def list_serving(self) -> list[int]:
        """List the processes that answer; a server that waits in another way than by epoll answers by all it has."""
        sockets = set(_find_listeners(self.port))
        family = list(_walk(self.pid))
        return [pid for pid in family if _waits_for(pid, sockets)] or family

    def list_beside(self) -> list[int]:
        """List the children that do not answer: the ingester of a request log."""
        serving = {*self.list_serving(), self.pid}
        return [pid for pid in _walk(self.pid) if pid not in serving]

    def spent(self) -> Spent:
        """Look at the processor time that its processes took so far."""
        serving, family = set(self.list_serving()), list(_walk(self.pid))
        return Spent(
            sum(_processor_seconds(pid) for pid in family if pid in serving),
            sum(_processor_seconds(pid) for pid in family if pid not in serving),
        )


def memory_kib(pid: int) -> dict[str, int]:
    """Give a process's memory in KiB: `Rss`, all that it has mapped and touched, and `Pss`, its share of that."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    pairs = (line.partition(":")[::2] for line in lines)
    return {name: int(value.split()[0]) for name, value in pairs if name in {"Rss", "Pss"}}


def _walk(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                yield from _walk(int(child))


def _find_listeners(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _waits_for(pid: int, sockets: set[str]) -> bool:
    folder = Path(f"/proc/{pid}")
    with suppress(OSError):
        for descriptor in (folder / "fd").iterdir():
            if descriptor.readlink().name != "anon_inode:[eventpoll]":
                continue
            for line in (folder / "fdinfo" / descriptor.name).read_text().splitlines():
                if line.startswith("tfd:") and str((folder / "fd" / line.split()[1]).readlink()) in sockets:
                    return True
    return False


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
