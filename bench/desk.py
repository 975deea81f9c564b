"""How long the desk's pages take on a large instance, beside plain SQL for what stands on them, in turns.

    python bench/desk.py [--rounds 15] [--users 100000] [--keys 300000] [--rows 5000000] [--home FOLDER] [--only WORD]

A server answers a signed-in System Manager on a kept connection; `sqlite3` in this process reads what the page shows,
by the statements of desk_questions.py. Both are told by their processor time, which a busy machine changes least. What
a page costs at any size (a session, rights, the template of its rows) is told by the same page of a small instance,
whose lists are as long: the aim is for what the size adds. Last, the log's first page beside a count of its rows.
"""

import argparse
import http.client
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from desk_probes import FIRST_OF_LOG, Probe, list_probes
from desk_questions import Databases
from large import fill, keep
from processes import Server
from report import Aim, Table, finish, judge, options_of
from servers import serve_latchgate

from latchgate.bootstrap import open_latchgate
from latchgate.core.tokens import Secret
from latchgate.errors import Conflict
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.users import UserOrder
from latchgate.settings import load_settings

__all__ = ["MANAGER", "Browser", "add_manager", "signed_in"]

MANAGER, _PASSWORD = "manager@example.com", "correct horse battery"
_MOST_TIMES = 5
_LEAST_MS = 1.0
"""A look-up by an index, which takes some microseconds, is no yardstick for a page."""
_OK = 200
_SMALL = (100, 300, 30_000)
"""Users, keys and rows of the instance whose pages show as much."""
_COUNT = "SELECT count(*) FROM request_log"


@dataclass(frozen=True)
class Browser:
    """A signed-in manager's connection."""

    connection: http.client.HTTPConnection
    cookie: str

    def read(self, address: str) -> tuple[int, str]:
        """Ask for a page; give its status and its text."""
        self.connection.request("GET", address, headers={"Cookie": self.cookie, "Accept": "text/html"})
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def time(self, address: str) -> float:
        """Ask for a page; give how many seconds it took."""
        started = time.perf_counter()
        status, text = self.read(address)
        taken = time.perf_counter() - started
        if status != _OK:
            raise SystemExit(f"{address} was answered with {status}: {text[:200]!r}")
        return taken


@dataclass(frozen=True)
class Visit:
    """A server, and who is signed in there."""

    server: Server
    browser: Browser


@dataclass(frozen=True)
class Found:
    """What a page took by the clock, and the processor time of it, of a small instance's, and of plain SQL."""

    takes_ms: float
    large_ms: float
    small_ms: float
    plain_ms: float

    @property
    def ratio(self) -> float:
        """What the size adds to a page, in times of plain SQL, or of a millisecond where that takes less."""
        return max(0.0, self.large_ms - self.small_ms) / max(self.plain_ms, _LEAST_MS)

    @property
    def told(self) -> str:
        """That as a column tells it."""
        return f"{self.ratio:.1f}"


def main() -> None:
    """Fill two instances, measure and print tables in Markdown."""
    options = options_of(__doc__, rounds=15, kept=True, users=100_000, keys=300_000, rows=5_000_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        size = (options.users, options.keys, options.rows)
        large = keep(options.home, *size) if options.home else fill(Path(folder) / "large", *size)
        small = fill(Path(folder) / "small", *_SMALL)
        visits = []
        for home in (large.home, small.home):
            add_manager(home)
            server = stack.enter_context(serve_latchgate(home))
            visits.append(Visit(server, stack.enter_context(signed_in(server))))
        files = [
            stack.enter_context(closing(sqlite3.connect(large.home / name))) for name in ("latchgate.db", "log.db")
        ]
        databases = Databases(*files)
        probes = [probe for probe in list_probes() if options.only.lower() in probe.name.lower()]
        found = {probe.name: _measure(probe, visits, databases, options.rounds) for probe in probes}
        counting = [_time(lambda: databases.log.execute(_COUNT).fetchall()) for _ in range(options.rounds)]
    _finish(options, found, statistics.mean(counting) * 1000)


def add_manager(home: Path) -> None:
    """Give an instance a System Manager who can sign in, unless it has that one."""
    latchgate = open_latchgate(load_settings({"home": home}), create=False)
    with closing(latchgate), suppress(Conflict):
        order = UserOrder(MANAGER, roles=frozenset({"System Manager"}), password=Secret(_PASSWORD))
        latchgate.users.create(COMMAND_LINE, order)


@contextmanager
def signed_in(server: Server) -> Iterator[Browser]:
    """Sign the manager in."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        body = urlencode({"usr": MANAGER, "pwd": _PASSWORD})
        connection.request("POST", "/api/method/login", body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        answer.read()
        cookies = [value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
        yield Browser(connection, "; ".join(cookies))


def _measure(probe: Probe, visits: Sequence[Visit], databases: Databases, rounds: int) -> Found:
    for visit in visits:
        visit.browser.time(probe.address)
    large, small = visits
    before = [visit.server.spent() for visit in visits]
    taken, plain = [], []
    for _ in range(rounds):
        taken.append(large.browser.time(probe.address))
        small.browser.time(probe.address)
        plain.append(_time(lambda: probe.ask(databases)))
    spent = [visit.server.spent().since(one).serving / rounds for visit, one in zip(visits, before, strict=True)]
    return Found(statistics.median(taken) * 1000, spent[0] * 1000, spent[1] * 1000, statistics.mean(plain) * 1000)


def _time(ask: Callable[[], object]) -> float:
    started = time.process_time()
    ask()
    return time.process_time() - started


def _finish(options: argparse.Namespace, found: dict[str, Found], count_ms: float) -> None:
    rows = [
        (name, f"{one.takes_ms:.0f}", *(f"{ms:.1f}" for ms in (one.large_ms, one.small_ms, one.plain_ms)), one.told)
        for name, one in found.items()
    ]
    caption = (
        f"{options.users:,} users, {options.keys:,} keys, {options.rows:,} log rows of 90 days; {options.rounds} "
        "rounds in turns. What a page takes is a median by the clock, all else processor time. A count of all log rows "
        f"takes {count_ms:.0f} ms."
    )
    head = ("page", "takes, ms", "at size, ms", "small, ms", "plain SQL, ms", "what the size adds, of plain SQL")
    worst = max(found, key=lambda name: found[name].ratio)
    aims = [
        Aim(
            "what the size adds to a page of the desk, of plain SQL",
            f"at most {_MOST_TIMES} times",
            f"{judge(found[worst].ratio, most=_MOST_TIMES, form='{:.1f} times')} ({worst})",
        )
    ]
    if FIRST_OF_LOG in found:
        told = judge(found[FIRST_OF_LOG].large_ms / count_ms, most=1.0)
        aims.append(Aim("the log's first page, of a count of its rows", "less", told))
    finish(options, [Table(caption, head, tuple(rows))], aims)


if __name__ == "__main__":
    main()
