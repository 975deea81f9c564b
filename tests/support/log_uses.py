"""What the request log tells of uses, as a test says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from latchgate.errors import StorageError
from latchgate.services.log_ports import KeyUse, Refusals

__all__ = ["FakeUses"]


@dataclass
class FakeUses:
    """Fulfils the port LogUses. `broken` makes every call fail."""

    use: KeyUse = field(default_factory=lambda: KeyUse(3, 3, ("192.0.2.7",), 0, whole=True))
    """How every key was used."""
    seen: Mapping[str, int] = field(default_factory=dict)
    broken: bool = False
    asked: int = 0
    """For how many keys, in all."""

    def key_uses(
        self, keys: Sequence[tuple[str, str]], since_us: int, rows_max: int
    ) -> Mapping[tuple[str, str], KeyUse]:
        self._answer()
        self.asked += len(keys)
        return dict.fromkeys(keys, self.use)

    def last_seen(self, users: Sequence[str]) -> Mapping[str, int]:
        self._answer()
        return {user: time_us for user, time_us in self.seen.items() if user in users}

    def refusals(self, recent_us: int, since_us: int, rows_max: int, limit: int) -> Refusals:
        raise AssertionError("refusals are asked of a real log")

    def _answer(self) -> None:
        if self.broken:
            raise StorageError("The request log cannot be reached")
