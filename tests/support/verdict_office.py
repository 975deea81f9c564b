"""A cache of verdicts over a fake database, on a fake clock."""

from latchgate.core.credentials import Scheme
from latchgate.core.principals import Principal
from latchgate.core.users import UserType
from latchgate.services.verdict_ports import Position
from latchgate.services.verdicts import Verdict, tag_of
from latchgate.services.verified_cache import Found, VerifiedCache
from support.fake_feed import FakeBoottime, FakeDatabase
from support.house import CountingEntropy, FakeClock

__all__ = ["EVER", "KEY", "KEY_ID", "OTHER", "OTHER_ID", "Office", "verdict"]

KEY, OTHER = b"k" * 32, b"o" * 32
KEY_ID, OTHER_ID, USER_ID = 5, 6, 3
EVER = 2**62


class Office:
    """A cache over a fake database on a fake clock."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.clock = FakeClock()
        self.boottime = FakeBoottime()
        self.cache = VerifiedCache(
            self.database.open, self.clock, self.boottime, CountingEntropy(), bytes_max=1_000_000
        )
        self.cache.beat()

    def look_up(self, key: bytes = KEY) -> Found[Position]:
        found = self.cache.look_up(key, lambda _feed: self.database.head)
        assert found is not None
        return found

    def keep(self, key: bytes = KEY, key_id: int = KEY_ID, until: int = EVER) -> Verdict:
        """Look a key up and keep that it is good."""
        kept, found = verdict(key_id, until), self.look_up(key)
        self.cache.keep(key, kept, found, found.value)
        return kept


def verdict(key_id: int = KEY_ID, until: int = EVER) -> Verdict:
    """Tell that a key of Ann's is good."""
    principal = Principal(
        "ann@example.com",
        USER_ID,
        UserType.SYSTEM,
        "Ann",
        frozenset({"All"}),
        Scheme.TOKEN,
        "User",
        f"key-{key_id}",
        frozenset({"all"}),
    )
    return Verdict(principal, until, (), (tag_of("user", USER_ID), tag_of("api_key", key_id)))
