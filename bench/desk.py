"""How long the desk's pages take on a large instance, beside plain SQL for what stands on them, in turns.

    python bench/desk.py [--rounds 15] [--users 100000] [--keys 300000] [--rows 5000000] [--home FOLDER] [--only WORD]

A server answers a signed-in System Manager on a kept connection; `sqlite3` in this process reads what the page shows,
by the statements of desk_questions.py. What a page costs at any size (a session, rights, the template of its rows) is
told by the same page of a small instance, whose lists are as long: the aim is for what the size adds. Last, the log's
first page beside a count of its rows.
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
_OK = 200
_SMALL = (100, 300, 3000)
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


def main() -> None:
    """Fill two instances, measure and print tables in Markdown."""
    options = options_of(__doc__, rounds=15, kept=True, users=100_000, keys=300_000, rows=5_000_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        size = (options.users, options.keys, options.rows)
        large = keep(options.home, *size) if options.home else fill(Path(folder) / "large", *size)
        small = fill(Path(folder) / "small", *_SMALL)
        browsers = []
        for home in (large.home, small.home):
            add_manager(home)
            browsers.append(stack.enter_context(signed_in(stack.enter_context(serve_latchgate(home)))))
        files = [
            stack.enter_context(closing(sqlite3.connect(large.home / name))) for name in ("latchgate.db", "log.db")
        ]
        databases = Databases(*files)
        probes = [probe for probe in list_probes() if options.only.lower() in probe.name.lower()]
        found = {probe: _measure(probe, browsers, databases, options.rounds) for probe in probes}
        counting = [_time(lambda: databases.log.execute(_COUNT).fetchall()) for _ in range(options.rounds)]
    _finish(options, found, _median_ms(counting))


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


def _measure(
    probe: Probe, browsers: Sequence[Browser], databases: Databases, rounds: int
) -> tuple[list[float], list[float], list[float]]:
    """Give the seconds of the large instance's page, of the small one's, and of plain SQL."""
    large, small = browsers
    for browser in browsers:
        browser.time(probe.address)
    runs = [
        (large.time(probe.address), small.time(probe.address), _time(lambda: probe.ask(databases)))
        for _ in range(rounds)
    ]
    first, second, third = zip(*runs, strict=True)
    return list(first), list(second), list(third)


def _time(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


def _median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000


def _finish(options: argparse.Namespace, found: dict[Probe, tuple[list[float], ...]], count_ms: float) -> None:
    rows, ratios, pages = [], {}, {}
    for probe, times in found.items():
        large, small, plain = map(_median_ms, times)
        pages[probe.name] = large
        ratios[probe.name] = max(0.0, large - small) / plain
        told = (f"{one:.1f}" for one in (large, small, plain))
        rows.append((probe.name, *told, f"{large / plain:.1f}", f"{ratios[probe.name]:.1f}"))
    caption = (
        f"{options.users:,} users, {options.keys:,} keys, {options.rows:,} log rows of 90 days; medians of "
        f"{options.rounds} in turns. A count of all log rows takes {count_ms:.0f} ms."
    )
    head = ("page", "large, ms", "small, ms", "plain SQL, ms", "page, of plain SQL", "what the size adds, of plain SQL")
    worst = max(ratios, key=lambda name: ratios[name])
    aims = [
        Aim(
            "what the size adds to a page of the desk, of plain SQL",
            f"at most {_MOST_TIMES} times",
            f"{judge(ratios[worst], most=_MOST_TIMES, form='{:.1f} times')} ({worst})",
        )
    ]
    if FIRST_OF_LOG in pages:
        told = judge(pages[FIRST_OF_LOG] / count_ms, most=1.0)
        aims.append(Aim("the log's first page, of a count of its rows", "less", told))
    finish(options, [Table(caption, head, tuple(rows))], aims)


if __name__ == "__main__":
    main()
