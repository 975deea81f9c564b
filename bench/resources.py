"""How fast records of a large instance are listed, counted and read, beside plain SQL for the same rows, in turns.

    python bench/resources.py [--users 100000] [--keys 300000] [--rows 5000000] [--rounds 15]

Both run in this process on the same SQLite files: the service with permissions, checks and formatting, asked by a
System Manager's key and, for what is one's own, by a user's; and `sqlite3` with a statement written by hand. Another
process has filled the files, so that the last column tells by how much the answers raised the most memory that this
one ever held.
"""

import argparse
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from large import Large, fill, user_name

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.core.credentials import Presented
from latchgate.core.policy import SIGNED_IN
from latchgate.core.questions import Asked
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.users import UserOrder
from latchgate.settings import load_settings


@dataclass(frozen=True, slots=True)
class Probe:
    """One question, asked of the service and in plain SQL."""

    name: str
    service: Callable[[], object]
    database: str
    sql: str


def main() -> None:
    """Fill an instance, measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=300_000)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        large = fill(home, options.users, options.keys, options.rows)
        latchgate = open_latchgate(load_settings({"home": home}))
        try:
            _measure(latchgate, large, options.rounds)
        finally:
            latchgate.close()


def _measure(latchgate: Latchgate, large: Large, rounds: int) -> None:
    latchgate.users.create(COMMAND_LINE, UserOrder("manager@example.com", roles=frozenset({"System Manager"})))
    manager, user = _admitted(latchgate, "manager@example.com"), _admitted(latchgate, user_name(large.users // 2 + 1))
    probes = chain(
        _probes(latchgate, manager, large), _log_probes(latchgate, manager, large), _own_probes(latchgate, user)
    )
    print("| question | service ms | plain SQL ms | ratio | memory grew, MB |\n|---|---:|---:|---:|---:|")
    for probe in probes:
        database = sqlite3.connect(large.home / probe.database)
        before = _peak_mb()
        plainly = partial(_all_rows, database, probe.sql)
        pairs = [(_timed(probe.service), _timed(plainly)) for _ in range(rounds)]
        grew = _peak_mb() - before
        database.close()
        service, plain = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        print(f"| {probe.name} | {service:.2f} | {plain:.2f} | {ratio:.1f} | {grew:.0f} |", flush=True)


def _admitted(latchgate: Latchgate, user: str) -> Actor:
    """Let a user in by a new key, as a request is."""
    issued = latchgate.api_keys.generate(COMMAND_LINE, Owner("User", user), KeyOrder("bench"))
    pair = f"token {issued.key.key_id}:{issued.secret.text}".encode()
    admission = latchgate.gate.admit(Presented("GET", "/", "127.0.0.1", authorization=(pair,)), SIGNED_IN)
    if admission.principal is None:
        raise SystemExit(f"{user} was not let in: {admission.reason}")
    return Actor.of(admission.principal, "127.0.0.1", admission.judge_again)


def _probes(latchgate: Latchgate, actor: Actor, large: Large) -> Iterator[Probe]:
    documents = latchgate.documents

    def rows(doctype: str, **asked: object) -> Callable[[], object]:
        return lambda: documents.list_rows(actor, doctype, Asked(**asked))

    for label, start in (("first", 0), ("middle", large.users // 2), ("last", large.users - 20)):
        yield Probe(
            f"User, {label} page",
            rows("User", fields=["name", "first_name", "enabled"], order_by="name asc", start=start),
            "latchgate.db",
            f"SELECT name, first_name, enabled FROM user ORDER BY name LIMIT 21 OFFSET {start}",
        )
    for label, start in (("first", 0), ("middle", large.keys // 2), ("last", large.keys - 20)):
        yield Probe(
            f"API Key, {label} page",
            rows("API Key", fields=["name", "label"], order_by="name asc", start=start),
            "latchgate.db",
            f"SELECT key_id, label FROM api_key ORDER BY key_id LIMIT 21 OFFSET {start}",
        )
    yield Probe(
        "API Key, count of a label",
        lambda: documents.count(actor, "API Key", Asked(filters=[["label", "like", "key 12%"]])),
        "latchgate.db",
        "SELECT count(*) FROM api_key WHERE label LIKE 'key 12%'",
    )
    name = user_name(large.users // 2)
    yield Probe(
        "User, one record",
        lambda: documents.get(actor, "User", name),
        "latchgate.db",
        f"SELECT * FROM user WHERE name = '{name}'",
    )


def _log_probes(latchgate: Latchgate, actor: Actor, large: Large) -> Iterator[Probe]:
    documents = latchgate.documents

    def rows(**asked: object) -> Callable[[], object]:
        return lambda: documents.list_rows(actor, "API Request Log", Asked(**asked))

    fields = ["name", "time", "user", "path", "status"]
    columns = "id, time, user, path, status"
    for label, after in (("first", large.rows + 1), ("middle", large.rows // 2), ("last", 22)):
        yield Probe(
            f"API Request Log, {label} page (after)",
            rows(fields=fields, after=None if after > large.rows else str(after)),
            "log.db",
            f"SELECT {columns} FROM request_log WHERE (time, id) < ({large.time_us(after)}, {after})"
            " ORDER BY time DESC, id DESC LIMIT 21",
        )
    name = user_name(large.users // 2)
    yield Probe(
        "API Request Log, one user's first page",
        rows(fields=fields, filters={"user": name}),
        "log.db",
        f"SELECT {columns} FROM request_log WHERE user = '{name}' ORDER BY time DESC, id DESC LIMIT 21",
    )
    yield Probe(
        "API Request Log, count of a status",
        lambda: documents.count(actor, "API Request Log", Asked(filters={"status": 403})),
        "log.db",
        "SELECT count(*) FROM request_log WHERE status = 403",
    )


def _own_probes(latchgate: Latchgate, actor: Actor) -> Iterator[Probe]:
    documents, user_id = latchgate.documents, actor.principal.user_id if actor.principal else 0
    yield Probe(
        "API Key, one's own",
        lambda: documents.list_rows(actor, "API Key", Asked(fields=["name", "label"])),
        "latchgate.db",
        f"SELECT key_id, label FROM api_key WHERE user_id = {user_id} ORDER BY creation DESC, id DESC LIMIT 21",
    )
    yield Probe(
        "API Request Log, one's own",
        lambda: documents.list_rows(actor, "API Request Log", Asked(fields=["name", "time", "path", "status"])),
        "log.db",
        f"SELECT id, time, path, status FROM request_log WHERE user = '{actor.user}' AND user_id = {user_id}"
        " ORDER BY time DESC, id DESC LIMIT 21",
    )


def _all_rows(database: sqlite3.Connection, statement: str) -> list[Any]:
    return database.execute(statement).fetchall()


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
