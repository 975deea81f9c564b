"""What the desk's pages tell, asked in plain SQL by statements written by hand, on SQLite."""

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from latchgate.server.desk.log_list import ROWS_SEARCHED_MAX

__all__ = [
    "AUDITORS",
    "Databases",
    "ask_activity",
    "ask_activity_of",
    "ask_home",
    "ask_key",
    "ask_keys",
    "ask_keys_of",
    "ask_log",
    "ask_log_of",
    "ask_newest_keys",
    "ask_role",
    "ask_roles",
    "ask_search",
    "ask_user",
    "ask_users",
    "named",
    "search_log",
]

AUDITORS = "Auditor"
"""A role that every fifth user has."""
_HOUR, _DAY = 3600, 86_400
# What bounds each, as the pages say themselves.
_KEYS_READ, _KEYS_JUDGED, _ROWS_JUDGED, _ROWS_REFUSED, _ROWS_SAMPLED = 10_000, 100, 300, 20_000, 1000

_USER = (
    "SELECT u.name, u.first_name, u.last_name, u.user_type, u.enabled, u.creation,"
    " (SELECT count(*) FROM api_key k WHERE k.user_id = u.id AND k.revoked_at IS NULL) FROM user u"
)
_KEY = (
    "SELECT k.key_id, k.source, k.label, k.scopes, k.networks, k.expires_at, k.revoked_at, k.creation, u.name,"
    " u.enabled FROM api_key k JOIN user u ON u.id = k.user_id"
)
_ROW = (
    "SELECT id, time, request_id, user, api_key, scheme, source, method, path, status, seconds, ip_address, user_agent,"
    " reason FROM request_log"
)
_SAMPLE = "SELECT user, api_key, path, reason FROM request_log"
_NEWEST = "ORDER BY time DESC, id DESC"
_ACTIVITY = "SELECT id, time, user, operation, subject, detail, ip_address FROM activity_log"


@dataclass(frozen=True)
class Databases:
    """The two files of an instance."""

    accounts: sqlite3.Connection
    log: sqlite3.Connection


def ask_home(on: Databases) -> None:
    """Count what there is, and read all that the first page looks after, with its chart."""
    for table in ("user", "api_key", "role", "authorization_source"):
        _all(on.accounts, f"SELECT count(*) FROM {table}")
    newest = (
        f"SELECT ip_address, status, requests, time FROM request_log WHERE time >= ? {_NEWEST} LIMIT {_ROWS_REFUSED}"
    )
    _all(on.log, f"SELECT count(*) FROM ({newest})", _ago_us(1))
    refused = "WHERE status IN (401, 403, 429) GROUP BY ip_address ORDER BY 2 DESC LIMIT 5"
    _all(on.log, f"SELECT ip_address, sum(requests) FROM ({newest}) {refused}", _ago_us(1))
    keys = "SELECT name, detail, sum(requests) FROM log_count WHERE span = 3600 AND kind = 2 AND start >= ?"
    _all(on.log, f"{keys} AND outcome = 9 GROUP BY name, detail ORDER BY 3 DESC LIMIT 5", _now() - _DAY)
    managers = "SELECT user_id FROM user_role WHERE role_id = (SELECT id FROM role WHERE name = 'System Manager')"
    _all(on.accounts, f"SELECT name FROM user WHERE enabled AND password_hash IS NOT NULL AND id IN ({managers})")
    _judge_keys(on)
    _ask_chart(on, 1)


def _judge_keys(on: Databases, *, wide: bool = True) -> list[str]:
    """Read the newest keys and when each was last used, then what those used last were used for."""
    live = f"WHERE k.revoked_at IS NULL ORDER BY k.creation DESC, k.id DESC LIMIT {_KEYS_READ}"
    names = [row[0] for row in _all(on.accounts, f"{_KEY} {live}")]
    used = "SELECT credential, time FROM last_use WHERE credential IN (SELECT value FROM json_each(?))"
    last = sorted(_all(on.log, used, json.dumps(names)), key=lambda row: row[1], reverse=True)
    judged = [name for name, _ in last[:_KEYS_JUDGED]] if wide else []
    for name in judged:
        _judge_key(on, name)
    return judged or names


def _judge_key(on: Databases, key: str) -> None:
    rows = f"SELECT * FROM request_log WHERE api_key = ? AND time >= ? {_NEWEST} LIMIT {_ROWS_JUDGED}"
    told = "SELECT ip_address, count(*), sum(method IN ('GET', 'HEAD')), min(time)"
    _all(on.log, f"{told} FROM ({rows}) WHERE reason IS NULL AND source = 'User' GROUP BY ip_address", key, _ago_us(90))


def named(text: str) -> str:
    """Say that a user's name, or what people call it, holds a text."""
    return f"(name LIKE '%{text}%' OR trim(first_name || ' ' || last_name) LIKE '%{text}%')"


def ask_users(condition: str, on: Databases, order: str = "creation DESC, id DESC") -> None:
    """Read a page of users with their keys' number and when each was last seen."""
    rows = _all(on.accounts, f"{_USER} WHERE {condition} ORDER BY {order} LIMIT 21")
    for name, *_ in rows[:20]:
        _all(on.log, "SELECT max(time) FROM request_log WHERE user = ?", name)
    _all(on.accounts, f"SELECT count(*) FROM user WHERE {condition}")
    _all(on.accounts, "SELECT name FROM role ORDER BY name")


def ask_keys_of(user: str, on: Databases) -> None:
    """Read an owner's keys and when each was last used."""
    owner = "k.user_id = (SELECT id FROM user WHERE name = ?) AND k.revoked_at IS NULL ORDER BY k.creation DESC"
    for row in _all(on.accounts, f"{_KEY} WHERE {owner}", user):
        _all(on.log, "SELECT * FROM last_use WHERE credential = ?", row[0])


def ask_activity_of(user: str, on: Databases) -> None:
    """Read a user, the newest rows and the chart of the last day."""
    _all(on.accounts, f"{_USER} WHERE name = ?", user)
    _all(on.log, f"{_ROW} WHERE user = ? {_NEWEST} LIMIT 21", user)
    _ask_chart(on, 1, 1, user)


def ask_roles(on: Databases) -> None:
    """Read the roles, with how many have each and what each may do."""
    for (role,) in _all(on.accounts, "SELECT id FROM role ORDER BY name LIMIT 21"):
        _all(on.accounts, "SELECT count(*) FROM user_role WHERE role_id = ?", role)
    _all(on.accounts, "SELECT * FROM permission")


def ask_role(on: Databases) -> None:
    """Read who has a role, and what it may do."""
    holders = (
        f"FROM user_role r JOIN user u ON u.id = r.user_id JOIN role o ON o.id = r.role_id WHERE o.name = '{AUDITORS}'"
    )
    full = "trim(u.first_name || ' ' || u.last_name)"
    _all(on.accounts, f"SELECT u.name, {full}, u.enabled {holders} ORDER BY {full} LIMIT 21")
    _all(on.accounts, f"SELECT count(*) {holders}")
    _all(on.accounts, "SELECT * FROM permission")


def ask_keys(condition: str, on: Databases) -> None:
    """Read a page of keys, each with what it was used for."""
    found = _all(on.accounts, f"{_KEY} WHERE {condition} ORDER BY k.creation DESC, k.id DESC LIMIT 26")[:25]
    _all(on.accounts, f"SELECT count(*) FROM api_key k WHERE {condition}")
    _show_keys(on, [row[0] for row in found])


def _show_keys(on: Databases, names: list[str]) -> None:
    for name in names:
        for _ in _all(on.log, "SELECT * FROM last_use WHERE credential = ?", name):
            _judge_key(on, name)


def ask_newest_keys(on: Databases, *, wide: bool) -> None:
    """Read what is found among the newest keys, and the first of them whole."""
    names = json.dumps(_judge_keys(on, wide=wide)[:25])
    shown = _all(on.accounts, f"{_KEY} WHERE k.key_id IN (SELECT value FROM json_each(?))", names)
    _show_keys(on, [row[0] for row in shown])


def ask_key(key: str, on: Databases) -> None:
    """Read a key, what it was used for, its newest rows and its chart."""
    _all(on.accounts, f"{_KEY} WHERE k.key_id = ?", key)
    _show_keys(on, [key])
    _all(on.log, f"{_ROW} WHERE api_key = ? {_NEWEST} LIMIT 11", key)
    _ask_chart(on, 1, 2, key)


def ask_search(text: str, on: Databases) -> None:
    """Look for a text among users, keys and clients."""
    like = f"LIKE '%{text}%'"
    users = f"(u.name {like} OR trim(u.first_name || ' ' || u.last_name) {like})"
    _all(on.accounts, f"{_USER} WHERE {users} ORDER BY u.name LIMIT 11")
    _all(on.accounts, f"SELECT count(*) FROM user u WHERE {users}")
    keys = f"(k.key_id {like} OR k.label {like} OR u.name {like})"
    names = [row[0] for row in _all(on.accounts, f"{_KEY} WHERE {keys} ORDER BY k.creation DESC, k.id DESC LIMIT 11")]
    _all(on.accounts, f"SELECT count(*) FROM api_key k JOIN user u ON u.id = k.user_id WHERE {keys}")
    for name in names:
        _all(on.log, "SELECT * FROM last_use WHERE credential = ?", name)
    _all(on.accounts, f"SELECT * FROM oauth_client WHERE client_id {like} OR app_name {like}")


def ask_log(days: int, on: Databases) -> None:
    """Read the newest rows of a time, its chart, and what it has most of."""
    _all(on.log, f"{_ROW} WHERE time >= ? {_NEWEST} LIMIT 51", _ago_us(days))
    _all(on.log, f"{_SAMPLE} WHERE time >= ? {_NEWEST} LIMIT {_ROWS_SAMPLED}", _ago_us(days))
    _ask_chart(on, days)
    # By roll-ups the page counts refusals alone: of users and keys there are too many, and it counts the newest rows.
    span = _HOUR if days < 3 else _DAY  # noqa: PLR2004  # as the page
    since = (_now() - days * _DAY) // span * span
    counts = "SELECT name, sum(requests) FROM log_count WHERE span = ? AND kind = 3 AND start >= ?"
    _all(on.log, f"{counts} GROUP BY name ORDER BY 2 DESC LIMIT 10", span, since)


def ask_log_of(column: str, kind: int, name: str, on: Databases) -> None:
    """Read the newest rows that an index finds, their chart, and what they have most of."""
    _all(on.log, f"{_ROW} WHERE {column} = ? {_NEWEST} LIMIT 51", name)
    _all(on.log, f"{_SAMPLE} WHERE {column} = ? {_NEWEST} LIMIT {_ROWS_SAMPLED}", name)
    _ask_chart(on, 90, kind, name)


def search_log(condition: str, days: int, on: Databases) -> None:
    """Look through the newest rows of a time, as many as the page does."""
    within = f"FROM (SELECT * FROM request_log WHERE time >= ? {_NEWEST} LIMIT {ROWS_SEARCHED_MAX})"
    found = _all(on.log, f"{_ROW.partition(' FROM')[0]} {within} WHERE {condition} LIMIT 51", _ago_us(days))
    if len(found) > 50:  # noqa: PLR2004  # a page's rows
        names = f"{_SAMPLE.partition(' FROM')[0]} {within} WHERE {condition} LIMIT {_ROWS_SAMPLED}"
        _all(on.log, names, _ago_us(days))
    _ask_chart(on, days)


def ask_activity(condition: str, on: Databases) -> None:
    """Read the newest rows of the activity log."""
    _all(on.accounts, f"{_ACTIVITY} WHERE time >= ? AND {condition} {_NEWEST} LIMIT 51", _ago_us(30))


def ask_user(user: str, on: Databases) -> None:
    """Read one."""
    _all(on.accounts, f"{_USER} WHERE name = ?", user)


def _ask_chart(on: Databases, days: int, kind: int = 0, name: str = "") -> None:
    """Read a chart's bars: by minutes of a day where those are kept, by hours of days, by days of months."""
    span = 60 if days == 1 and not kind else _HOUR if days <= 30 else _DAY  # noqa: PLR2004  # as the page
    begin = (_now() - days * _DAY) // span * span
    chosen = "SELECT start, outcome, sum(requests) FROM log_count WHERE span = ? AND kind = ?"
    if not kind:
        _all(on.log, f"{chosen} AND start >= ? GROUP BY start, outcome", span, kind, begin)
        return
    starts = json.dumps(list(range(begin, _now() + 1, span)))
    wanted = "AND start IN (SELECT value FROM json_each(?)) AND name = ? GROUP BY start, outcome"
    _all(on.log, f"{chosen} {wanted}", span, kind, starts, name)


def _all(database: sqlite3.Connection, statement: str, *values: object) -> list[Any]:
    return database.execute(statement, values).fetchall()


def _now() -> int:
    return int(time.time())


def _ago_us(days: int) -> int:
    return (_now() - days * _DAY) * 1_000_000
