"""The table `change` is kept short: whoever writes drops the oldest rows of one that has grown long."""

from sqlalchemy import Connection, bindparam, delete, update

from latchgate.storage.instance_tables import change, change_head

__all__ = ["KEPT_CHANGES", "prune_changes"]

KEPT_CHANGES = 100_000
"""How many of the newest changes stay: whoever follows them from further back starts afresh."""
_SPARE = 10_000
"""How many more there may be before any are dropped, so that few writers have the work."""
_DROPPED_AT_ONCE = 2 * _SPARE
"""How many one writer drops at most, some tens of milliseconds; more than come in between, unless it is an import."""

_DELETE = delete(change).where(change.c.seq <= bindparam("last_gone"))
_RAISE_FLOOR = update(change_head).values(floor=bindparam("last_gone"))


def prune_changes(connection: Connection, floor: int, head: int) -> None:
    """Drop what is beyond KEPT_CHANGES, if that is worth it; the floor says so in the same transaction.

    Args:
        connection: The transaction that writes now.
        floor: The last number that was dropped before.
        head: The newest number.
    """
    if head - floor <= KEPT_CHANGES + _SPARE:
        return
    gone = {"last_gone": min(head - KEPT_CHANGES, floor + _DROPPED_AT_ONCE)}
    connection.execute(_DELETE, gone)
    connection.execute(_RAISE_FLOOR, gone)
