"""Keys that were made long ago, and what they were used for since."""

import sqlite3
import time
from contextlib import closing

from support.asgi import Service
from support.log_rows import make_row

__all__ = ["age_key", "note_uses"]

_DAY_US = 86_400_000_000


def _days_ago(days: float) -> int:
    return time.time_ns() // 1000 - int(days * _DAY_US)


def age_key(service: Service, key_id: str, days: float) -> None:
    """Make a key older, its last change as well."""
    made = _days_ago(days)
    with closing(sqlite3.connect(service.latchgate.settings.home / "latchgate.db")) as database:
        database.execute("UPDATE api_key SET creation = ?, modified = ? WHERE key_id = ?", (made, made, key_id))
        database.commit()


def note_uses(service: Service, user: str, key_id: str, days: float = 1, **different: object) -> None:
    """Write the row of a request that a key opened so many days ago, as its user."""
    with service.latchgate.store.read() as tx:
        found = tx.users.find(user)
    assert found is not None
    row = make_row(time=_days_ago(days), user=user, user_id=found.id, api_key=key_id, **different)
    service.latchgate.request_log.append(row)
