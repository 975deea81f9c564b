"""What the process that moves the log's rows has to do with the accounts: the policy, and addresses of the activity."""

from latchgate.core.addresses import shorten_address
from latchgate.core.system_settings import LogPolicy
from latchgate.services.ports import Store
from latchgate.services.standing_settings import StandingSettings

__all__ = ["ROWS_AT_ONCE", "LogUpkeep"]

ROWS_AT_ONCE = 500
"""Few: whoever changes an account waits for it."""
_BEGINNING = (-1, -1)


class LogUpkeep:
    """Fulfils the log's port Upkeep; one thread at a time.

    Where the walk through the activity log stopped is remembered by this process alone: to look at a row once more
    changes nothing.
    """

    def __init__(self, store: Store, standing: StandingSettings) -> None:
        """Take the accounts, and what the operator said."""
        self._store, self._standing = store, standing
        self._after = _BEGINNING

    def find_policy(self) -> LogPolicy:
        """Tell how long the logs keep what, as it is decided now. Raises StorageError."""
        with self._store.read() as tx:
            return self._standing.log_policy(tx)

    def shorten_activity(self, before_us: int) -> int:
        """Shorten the addresses of some rows that are older, in one transaction; tell how many were looked at.

        Raises StorageError; nothing was changed then.
        """
        with self._store.read() as tx:
            rows = tx.activity.list_addresses(self._after, before_us, ROWS_AT_ONCE)
        shorter = {row_id: shorten_address(address) for _, row_id, address in rows}
        changes = {row_id: shorter[row_id] for _, row_id, address in rows if shorter[row_id] != address}
        if changes:
            with self._store.write() as tx:
                tx.activity.replace_addresses(changes)
        if rows:
            self._after = rows[-1][:2]
        return len(rows)
