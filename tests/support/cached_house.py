"""A house whose gate remembers verdicts, beside the one that looks every credential up."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from latchgate.core.credentials import Presented, parse_credential
from latchgate.core.principals import Reason, Rejected, Who
from latchgate.services.cached_authentication import CachedAuthenticator
from latchgate.services.gate import Gate
from latchgate.services.verified_cache import VerifiedCache
from latchgate.storage.changes import open_feed
from support.fake_feed import FakeBoottime
from support.house import CountingEntropy, House

__all__ = ["CACHE_BYTES", "CachedHouse", "cached", "is_remembered", "reason"]

CACHE_BYTES = 1_000_000


@dataclass(frozen=True)
class CachedHouse:
    """Two gates over one database: `gate` remembers, `house.gate` does not."""

    house: House
    cache: VerifiedCache
    gate: Gate
    boottime: FakeBoottime

    def verify(self, presented: Presented) -> Who:
        """Tell who a request is by what is remembered, or else by a look-up that is remembered."""
        assert self.gate.cached is not None
        return self.gate.cached.verify(parse_credential(presented), presented)

    def verify_anew(self, presented: Presented) -> Who:
        """Tell who it is by a look-up of the other gate's."""
        return self.house.gate.authenticator.verify(parse_credential(presented), presented.peer_address)

    def recall(self, presented: Presented) -> Who | None:
        """Tell whom memory alone lets in."""
        source = presented.source[0] if presented.source else None
        verdict = self.cache.recall(self.cache.key(presented.authorization[0], source))
        return verdict.who if verdict and verdict.holds_for(presented.peer_address) else None

    def let_in(self, presented: Presented) -> Who | None:
        """Tell whom the gate lets in without more ado: by memory, or by a look-up that is remembered."""
        source = presented.source[0] if presented.source else None
        authorization = presented.authorization[0]
        name = self.gate.name(authorization, source)
        verdict = self.gate.recall(authorization, source, presented.peer_address, name)
        return verdict.who if verdict else None


@contextmanager
def cached(house: House, bytes_max: int = CACHE_BYTES) -> Iterator[CachedHouse]:
    """Open a cache over a house's database. Its trust lasts as long as the test does not move `boottime`."""
    boottime = FakeBoottime()
    cache = VerifiedCache(lambda: open_feed(house.database), house.clock, boottime, CountingEntropy(), bytes_max)
    with closing(cache):
        cache.beat()
        gate = replace(house.gate, cached=CachedAuthenticator(house.gate.authenticator, cache))
        yield CachedHouse(house, cache, gate, boottime)


def reason(who: object) -> Reason | None:
    """Tell why somebody was refused."""
    return who.reason if isinstance(who, Rejected) else None


def is_remembered(remembering: CachedHouse, presented: Presented) -> bool:
    """Whether an answer comes without any look-up."""
    before = remembering.cache.misses
    remembering.verify(presented)
    return remembering.cache.misses == before
