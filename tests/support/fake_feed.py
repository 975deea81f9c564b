"""A database in memory for the cache of verdicts: its changes, its nonce, and what happens between two steps."""

from collections.abc import Callable, Sequence

from latchgate.errors import StorageError
from latchgate.services.verdict_ports import Changes, FoundKey, FoundRules, FoundToken, Position

__all__ = ["FakeBoottime", "FakeDatabase", "FakeFeed"]


class FakeBoottime:
    """Seconds since the machine started; they pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class FakeDatabase:
    """What many processes would share.

    `meanwhile` runs once, in the middle of the next reading: after the nonce was read, before the rows are.
    """

    def __init__(self) -> None:
        self.epoch = "first"
        self.floor = 0
        self.rows: list[tuple[str, int]] = []
        self.nonce = 7
        self.version = 1
        self.whole = True
        self.broken = False
        self.followed_max = 10
        self.meanwhile: Callable[[], object] | None = None
        self.feeds: list[FakeFeed] = []

    @property
    def head(self) -> Position:
        return Position(self.epoch, len(self.rows))

    def commit(self, kind: str, ref: int) -> None:
        """Change a record, as a writer that has not raised the nonce yet, or never will."""
        self.rows.append((kind, ref))
        self.version += 1

    def raise_nonce(self) -> None:
        # Neither one more nor one less than before: nobody may rely on an order.
        self.nonce = (self.nonce * 1_103_515_245 + 12_345) % 2**31

    def write(self, kind: str, ref: int) -> None:
        """Change a record and acknowledge it."""
        self.commit(kind, ref)
        self.raise_nonce()

    def open(self) -> "FakeFeed":
        if self.broken:
            raise StorageError("The database cannot be reached")
        self.whole = True
        feed = FakeFeed(self)
        self.feeds.append(feed)
        return feed


class FakeFeed:
    """Fulfils the port Feed, but for the look-ups: the tests bring their own."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.closed = False

    @property
    def nonce(self) -> int:
        return self._database.nonce

    def is_whole(self) -> bool:
        return self._database.whole

    def version(self) -> int:
        self._require_sound()
        return self._database.version

    def read_changes(self, after: int) -> Changes:
        meanwhile, self._database.meanwhile = self._database.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self._require_sound()
        database = self._database
        rows = database.rows[after:] if len(database.rows) - after <= database.followed_max else None
        return Changes(database.head, database.floor, rows)

    def find_key(self, source: str, key_id: str) -> FoundKey:
        raise NotImplementedError

    def find_token(self, lookups: Sequence[bytes]) -> FoundToken:
        raise NotImplementedError

    def find_rules(self) -> FoundRules:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True

    def _require_sound(self) -> None:
        if self._database.broken or self.closed:
            raise StorageError("The database cannot be reached")
