"""Bursts of refusals: an address that tries credentials, a key whose secret was replaced and whose program goes on."""

from collections.abc import Sequence
from dataclasses import dataclass

from latchgate.services.actors import Actor
from latchgate.services.documents import DocumentService
from latchgate.services.log_ports import LogUses, RefusedBurst
from latchgate.services.ports import Clock

__all__ = ["MANY_AN_HOUR", "MANY_A_DAY", "ROWS_LOOKED_AT", "Bursts", "RefusalService"]

MANY_AN_HOUR, MANY_A_DAY = 20, 100
"""From so many refusals on they are a burst: of one typing error or one expired key there are fewer."""
ROWS_LOOKED_AT = 20_000
"""How many of the newest requests are looked at for addresses."""

_LOG = "API Request Log"
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_BURSTS_MAX = 5


@dataclass(frozen=True, slots=True)
class Bursts:
    """Who was refused often within a day, the most often first."""

    addresses: Sequence[RefusedBurst] = ()
    keys: Sequence[RefusedBurst] = ()
    whole: bool = True
    """Whether all requests of the day were looked at for addresses, or ROWS_LOOKED_AT alone."""


@dataclass(frozen=True, slots=True)
class RefusalService:
    """Tells of refusals whoever may read everybody's requests."""

    documents: DocumentService
    log: LogUses
    clock: Clock

    def find_bursts(self, actor: Actor) -> Bursts:
        """Find who was refused often; nobody, for an actor who may not read all requests. Raises StorageError."""
        if _LOG not in self.documents.list_readable(actor, [_LOG]):
            return Bursts()
        now_us = self.clock.now_us()
        found = self.log.refusals(now_us - _HOUR_US, now_us - _DAY_US, ROWS_LOOKED_AT, _BURSTS_MAX)
        return Bursts(_many(found.addresses), _many(found.keys), found.whole)


def _many(bursts: Sequence[RefusedBurst]) -> list[RefusedBurst]:
    return [one for one in bursts if one.recently >= MANY_AN_HOUR or one.requests >= MANY_A_DAY]
