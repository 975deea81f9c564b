"""A large instance: users, keys and log rows by the hundred thousand, and the roll-ups that belong to the rows."""

import json
import random
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from desk_questions import AUDITORS

from latchgate.bootstrap import open_latchgate
from latchgate.request_log.roll_ups import roll_up
from latchgate.request_log.rows import COLUMNS, FORMER
from latchgate.settings import load_settings

__all__ = ["Large", "fill", "keep", "user_name"]

_BATCH = 20_000
_ROLLED_UP = 500_000
_DAY_US = 86_400_000_000
_DAYS = 90
_FORBIDDEN, _OK = 403, 200
_AGENTS = ("nightly-job/1.4", "python-requests/2.32", "curl/8.5")
_OPERATIONS = ("session.started", "session.started", "session.ended", "api_key.generated")
_TOLD = "large.json"


@dataclass(frozen=True)
class Large:
    """What lies in it; the rows are of the last 90 days, evenly, and a few users sent most of them."""

    home: Path
    users: int
    keys: int
    rows: int
    first_user_id: int
    start_us: int
    step_us: int

    def time_us(self, row: int) -> int:
        """Tell when a row's request came."""
        return self.start_us + row * self.step_us


def fill(home: Path, users: int, keys: int, rows: int) -> Large:
    """Make an instance, in a process of its own, so that nothing of it stays in this one's memory."""
    context = get_context("spawn")
    told = context.SimpleQueue()
    filling = context.Process(target=_fill, args=(home, users, keys, rows, told))
    filling.start()
    filling.join()
    if filling.exitcode:
        raise SystemExit(filling.exitcode)
    large: Large = told.get()
    return large


def keep(home: Path, users: int, keys: int, rows: int) -> Large:
    """Take the instance that was left here, or make one and leave it; the time of its rows ends when it was made."""
    told = home / _TOLD
    if told.exists():
        left = Large(**{**json.loads(told.read_text()), "home": home})
        if (left.users, left.keys, left.rows) == (users, keys, rows):
            return left
        raise SystemExit(f"{home} holds an instance of another size; name an empty folder")
    large = fill(home, users, keys, rows)
    told.write_text(json.dumps({**asdict(large), "home": ""}))
    return large


def user_name(number: int) -> str:
    """Name a user; the lowest numbers sent most requests."""
    return f"user{number:07}@example.com"


def _fill(home: Path, users: int, keys: int, rows: int, told: Any) -> None:  # noqa: ANN401  # a queue of multiprocessing
    started = time.monotonic()
    open_latchgate(load_settings({"home": home})).close()
    now_us = time.time_ns() // 1000
    with closing(sqlite3.connect(home / "latchgate.db")) as database, database:
        _insert(database, "user", _users(users, now_us))
        first = database.execute("SELECT min(id) FROM user WHERE name LIKE 'user%'").fetchone()[0]
        large = Large(home, users, keys, rows, first, now_us - _DAYS * _DAY_US, _DAYS * _DAY_US // rows)
        _insert(database, "api_key", _keys(large))
        _insert(database, "activity_log", _activity(large))
        role = database.execute("INSERT INTO role (name, creation) VALUES (?, ?)", (AUDITORS, now_us)).lastrowid
        whose = range(first, first + users, 5)
        _insert(database, "user_role", ({"user_id": user, "role_id": role} for user in whose))
    with closing(sqlite3.connect(home / "log.db")) as log, log:
        _insert(log, "request_log", _rows(large))
        _roll_up(log, large)
        log.execute("UPDATE log_position SET last_id = ?", (rows,))
    print(f"{users:,} users, {keys:,} keys, {rows:,} log rows in {time.monotonic() - started:.0f} s\n", flush=True)
    told.put(large)


def _users(count: int, now_us: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "name": user_name(number),
            "first_name": f"User {number}",
            "last_name": "",
            "user_type": "System User" if number % 10 else "Website User",
            "enabled": number % 50 != 0,
            "restrict_ip": "[]",
            "login_after": 0,
            "login_before": 0,
            "creation": now_us - count + number,
            "modified": now_us - count + number,
        }


def _keys(large: Large) -> Iterator[dict[str, Any]]:
    # Some hundred end within a fortnight.
    soon = large.time_us(large.rows) // 1_000_000
    for number in range(large.keys):
        # The newest are of those who sent most: theirs are the keys that are judged by their use.
        made_us = large.start_us - number
        yield {
            "source": "User",
            "key_id": f"lgk_{number:022}",
            "user_id": large.first_user_id + number % large.users,
            "label": f"key {number}",
            "is_primary": number < large.users,
            "scopes": '["all"]',
            "networks": "[]",
            "expires_at": None if number % 500 else soon + number % 14 * 86_400,
            "creation": made_us,
            "created_by": "Administrator",
            "modified": made_us,
        }


def _activity(large: Large) -> Iterator[dict[str, Any]]:
    # As many as there are keys, over the time of the log.
    step_us = _DAYS * _DAY_US // large.keys
    for number in range(1, large.keys + 1):
        whose = number % large.users
        yield {
            "time": large.start_us + number * step_us,
            "user": user_name(whose),
            "operation": _OPERATIONS[number % len(_OPERATIONS)],
            "subject": user_name(whose),
            "detail": "",
            "ip_address": f"192.0.2.{whose % 250}",
            "user_id": large.first_user_id + whose,
        }


def _rows(large: Large) -> Iterator[dict[str, Any]]:
    generator = random.Random(1)  # noqa: S311  # drawn alike in each run
    for number in range(1, large.rows + 1):
        # Of each power of ten of ranks as many requests as of the next: few users send most.
        whose = int(large.users ** generator.random()) - 1
        refused = number % 1000 == 0
        yield {
            "id": number,
            "time": large.time_us(number),
            "request_id": f"{number:032x}",
            "user": user_name(whose),
            "user_id": large.first_user_id + whose,
            "api_key": f"lgk_{whose:022}",
            "scheme": "token",
            "source": "User",
            "method": "GET",
            "path": f"/api/method/frappe.auth.get_logged_user?page={number % 100}",
            "status": _FORBIDDEN if refused else _OK,
            "seconds": 0.001,
            "ip_address": f"192.0.2.{whose % 250}",
            "user_agent": _AGENTS[whose % len(_AGENTS)],
            "reason": "role_missing" if refused else None,
        }


def _roll_up(log: sqlite3.Connection, large: Large) -> None:
    """Count the rows as the ingester does, in pieces that fit into memory."""
    rows = ({"requests": 1, **row} for row in _rows(large))
    add = (
        "INSERT INTO log_count (span, kind, start, name, detail, outcome, requests) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET requests = log_count.requests + excluded.requests"
    )
    use = (
        "INSERT INTO last_use (credential, time, ip_address) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET time = excluded.time, ip_address = excluded.ip_address"
    )
    # No key came with its former secret.
    names = (*COLUMNS[:FORMER], "former_until", *COLUMNS[FORMER:])
    while batch := [tuple(row.get(name) for name in names) for row in islice(rows, _ROLLED_UP)]:
        rolled = roll_up(batch)
        log.executemany(add, sorted((*place, requests) for place, requests in rolled.counts.items()))
        log.executemany(use, sorted((name, *last) for name, last in rolled.uses.items()))


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    rows, statement = iter(rows), ""
    while batch := list(islice(rows, _BATCH)):
        if not statement:
            names = ", ".join(batch[0])
            statement = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(f":{name}" for name in batch[0])})'
        database.executemany(statement, batch)
