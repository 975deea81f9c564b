"""A running Latchgate that holds what fixtures.json describes, as the Frappe server did whose answers were recorded."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from latchgate.core.document_types import parse_time
from support.recorded_documents import KEYS, key_fields
from support.running import RunningLatchgate

__all__ = ["VECTORS", "running_like_frappe"]

VECTORS = Path(__file__).parents[1] / "vectors" / "frappe"


@contextlib.contextmanager
def running_like_frappe(home: Path, **settings: str) -> Iterator[RunningLatchgate]:
    """Run a server with these settings; the users and credentials are taken in by the command that users have."""
    running = RunningLatchgate(home, **settings)
    running.start()
    try:
        done = running.run("import", str(VECTORS / "fixtures.json"))
        assert done.returncode == 0, done.stderr
        _add_keys(running)
        yield running
    finally:
        running.stop()


def _add_keys(running: RunningLatchgate) -> None:
    """Make the keys that stand for the recorded records; their ends, which no command sets to the day, by SQL."""
    for owner, key_id, label, priority, status in KEYS:
        limit, expires = key_fields(priority, status)
        order = ["--label", label, "--limit", str(limit)]
        done = running.run("key", "import", owner, key_id, *order, typed=f"secret-of-{key_id}")
        assert done.returncode == 0, done.stderr
        with contextlib.closing(sqlite3.connect(running.home / "latchgate.db")) as database, database:
            ends = parse_time(expires) // 1_000_000
            database.execute("UPDATE api_key SET expires_at = ? WHERE key_id = ?", (ends, key_id))
