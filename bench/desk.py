"""How long the desk's pages take on a large instance, beside plain SQL for what stands on them, in turns.

    python bench/desk.py [--rounds 15] [--users 100000] [--keys 300000] [--rows 5000000]

A server answers a signed-in System Manager on a kept connection; `sqlite3` in this process reads what the page shows,
by statements written by hand. What a page costs at any size (a session, rights, a template) is told by the same page
of an instance with nothing in it: the aim is for what the size adds. Last, the log's first page beside a count of
its rows.
"""

import argparse
import http.client
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from instances import make_instance
from large import Large, fill, user_name
from processes import Server
from report import Aim, Table, finish, judge, options_of
from servers import serve_latchgate

from latchgate.bootstrap import open_latchgate
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.users import UserOrder
from latchgate.settings import load_settings

_MANAGER, _PASSWORD = "manager@example.com", "correct horse battery"
_MOST_TIMES = 5
_OK = 200
_DAY_US = 86_400_000_000
_DATABASES = ("latchgate.db", "log.db")
_COUNT = "SELECT count(*) FROM request_log"


@dataclass(frozen=True)
class Probe:
    """A page, and what is on it in plain SQL: the database's file and a statement."""

    name: str
    address: str
    statements: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Browser:
    """A signed-in manager's connection."""

    connection: http.client.HTTPConnection
    cookie: str

    def time(self, address: str) -> float:
        """Ask for a page; give how many seconds it took."""
        started = time.perf_counter()
        self.connection.request("GET", address, headers={"Cookie": self.cookie, "Accept": "text/html"})
        answer = self.connection.getresponse()
        body = answer.read()
        taken = time.perf_counter() - started
        if answer.status != _OK:
            raise SystemExit(f"{address} was answered with {answer.status}: {body[:200]!r}")
        return taken


def main() -> None:
    """Fill two instances, measure and print tables in Markdown."""
    options = options_of(__doc__, rounds=15, users=100_000, keys=300_000, rows=5_000_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        large = fill(Path(folder) / "large", options.users, options.keys, options.rows)
        empty = Path(folder) / "empty"
        make_instance(empty)
        browsers = []
        for home in (large.home, empty):
            _add_manager(home)
            browsers.append(stack.enter_context(_signed_in(stack.enter_context(serve_latchgate(home)))))
        databases = {
            name: stack.enter_context(closing(sqlite3.connect(large.home / name)))
            for name in ("latchgate.db", "log.db")
        }
        found = {probe: _measure(probe, browsers, databases, options.rounds) for probe in _probes(large)}
        count_ms = _median_ms([_run(databases, (("log.db", _COUNT),)) for _ in range(options.rounds)])
    _finish(options, found, count_ms)


def _add_manager(home: Path) -> None:
    latchgate = open_latchgate(load_settings({"home": home}), create=False)
    with closing(latchgate):
        order = UserOrder(_MANAGER, roles=frozenset({"System Manager"}), password=Secret(_PASSWORD))
        latchgate.users.create(COMMAND_LINE, order)


@contextmanager
def _signed_in(server: Server) -> Iterator[Browser]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        body = urlencode({"usr": _MANAGER, "pwd": _PASSWORD})
        connection.request("POST", "/api/method/login", body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        answer.read()
        cookies = [value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
        yield Browser(connection, "; ".join(cookies))


def _measure(
    probe: Probe, browsers: list[Browser], databases: dict[str, sqlite3.Connection], rounds: int
) -> tuple[list[float], list[float], list[float]]:
    """Give the seconds of the large instance's page, of the empty one's, and of plain SQL."""
    large, empty = browsers
    # Names in the address are not there where nothing is: its cost at no size is that of the list.
    plainly = probe.address if "example.com" not in probe.address and "lgk_" not in probe.address else "/app/user"
    for browser, address in ((large, probe.address), (empty, plainly)):
        browser.time(address)
    runs = [(large.time(probe.address), empty.time(plainly), _run(databases, probe.statements)) for _ in range(rounds)]
    first, second, third = zip(*runs, strict=True)
    return list(first), list(second), list(third)


def _run(databases: dict[str, sqlite3.Connection], statements: Sequence[tuple[str, str]]) -> float:
    started = time.perf_counter()
    for name, statement in statements:
        databases[name].execute(statement).fetchall()
    return time.perf_counter() - started


def _probes(large: Large) -> Iterator[Probe]:
    accounts, _ = _DATABASES
    some = user_name(3)
    users = "SELECT name, first_name, last_name, user_type, enabled FROM user"
    keys = "SELECT k.key_id, k.label, k.expires_at, k.revoked_at, u.name FROM api_key k JOIN user u ON u.id = k.user_id"
    yield Probe("Home", "/app", ((accounts, "SELECT count(*) FROM user"), (accounts, "SELECT count(*) FROM api_key")))
    yield Probe(
        "Users, first page",
        "/app/user",
        ((accounts, f"{users} ORDER BY modified DESC LIMIT 51"), (accounts, "SELECT count(*) FROM user")),
    )
    yield Probe(
        "Users, by a piece of a name",
        "/app/user?search=er00123",
        (
            (accounts, f"{users} WHERE name LIKE '%er00123%' ORDER BY modified DESC LIMIT 51"),
            (accounts, "SELECT count(*) FROM user WHERE name LIKE '%er00123%'"),
        ),
    )
    yield Probe("A user", f"/app/user/{some}", ((accounts, f"{users} WHERE name = '{some}'"),))
    yield Probe(
        "API Keys, first page",
        "/app/api-key",
        (
            (accounts, f"{keys} ORDER BY k.creation DESC, k.id DESC LIMIT 51"),
            (accounts, "SELECT count(*) FROM api_key"),
        ),
    )
    yield Probe("Activity", "/app/activity", ((accounts, "SELECT * FROM activity_log ORDER BY time DESC LIMIT 51"),))
    yield from _log_probes(large)


def _log_probes(large: Large) -> Iterator[Probe]:
    accounts, log = _DATABASES
    some, key = user_name(3), f"lgk_{3:022}"
    owned = "SELECT k.*, u.name FROM api_key k JOIN user u ON u.id = k.user_id"
    rows = "SELECT id, time, user, api_key, method, path, status, seconds, ip_address, reason FROM request_log"
    since_us = large.time_us(large.rows) - _DAY_US
    yield Probe(
        "A key",
        f"/app/api-key/User/{key}",
        (
            (accounts, f"{owned} WHERE k.key_id = '{key}'"),
            (log, f"{rows} WHERE api_key = '{key}' ORDER BY time DESC, id DESC LIMIT 10"),
        ),
    )
    yield Probe("Request Log, first page", "/app/request-log", ((log, f"{rows} ORDER BY time DESC, id DESC LIMIT 51"),))
    yield Probe(
        "Request Log, one user's",
        f"/app/request-log?user={some}",
        ((log, f"{rows} WHERE user = '{some}' ORDER BY time DESC, id DESC LIMIT 51"),),
    )
    yield Probe(
        "Request Log, refused of a day",
        "/app/request-log?status=refused",
        ((log, f"{rows} WHERE reason IS NOT NULL AND time > {since_us} ORDER BY time DESC, id DESC LIMIT 51"),),
    )


def _median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000


def _finish(options: argparse.Namespace, found: dict[Probe, tuple[list[float], ...]], count_ms: float) -> None:
    rows, ratios = [], {}
    for probe, times in found.items():
        large, empty, plain = map(_median_ms, times)
        ratios[probe.name] = max(0.0, large - empty) / plain
        told = (f"{one:.2f}" for one in (large, empty, plain))
        rows.append((probe.name, *told, f"{ratios[probe.name]:.1f}"))
    first_ms = next(_median_ms(times[0]) for probe, times in found.items() if probe.name == "Request Log, first page")
    caption = (
        f"{options.users:,} users, {options.keys:,} keys, {options.rows:,} log rows of 90 days; medians of "
        f"{options.rounds} in turns."
    )
    head = ("page", "large, ms", "empty, ms", "plain SQL, ms", "what the size adds, of plain SQL")
    worst = max(ratios, key=lambda name: ratios[name])
    aims = [
        Aim(
            "what the size adds to a page, of plain SQL",
            f"at most {_MOST_TIMES} times",
            f"{judge(ratios[worst], most=_MOST_TIMES, form='{:.1f} times')} ({worst})",
        ),
        Aim("the log's first page, of a count of its rows", "less", judge(first_ms / count_ms, most=1.0)),
    ]
    finish(options, [Table(caption, head, tuple(rows))], aims)


if __name__ == "__main__":
    main()
