"""Whether the secret before a rotation is still in use, so that its end can be brought forward safely."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.core.document_types import format_time, parse_time
from latchgate.core.log_entries import former_use_name
from latchgate.services.ports import Clock, RequestLog

__all__ = ["RESTED_SECONDS", "FormerSecret", "FormerSecrets"]

RESTED_SECONDS = 86_400
"""After so long without a use, ending it breaks nothing that is used daily."""

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class FormerSecret:
    """A secret that was replaced and still works."""

    until: str
    """When it ends by itself, as the key's field says it."""
    last_used: str
    """When it last opened a request; empty if it has not since it was replaced."""
    last_used_from: str
    """From which address; empty to whoever may not see that of the key either."""
    rested: bool
    """Whether it was neither used for a day, nor replaced within it."""


@dataclass(frozen=True, slots=True)
class FormerSecrets:
    """Tells of a key's former secret what the request log knows: each use of it has a name of its own there."""

    request_log: RequestLog
    clock: Clock

    def find(self, key: Mapping[str, Any]) -> FormerSecret | None:
        """Find the secret that still works beside a key's own; None if there is none.

        Args:
            key: The fields of an API Key, as its viewer sees them.
        """
        until = key["former_secret_until"]
        now_us = self.clock.now_us()
        if not until or key["status"] in {"revoked", "expired"} or parse_time(until) <= now_us:
            return None
        name = former_use_name(key["source"], key["name"], parse_time(until) // _MICROSECONDS)
        use = self.request_log.last_uses([name]).get(name)
        # The key was changed no earlier than it was rotated: what is not known is taken to be shorter ago.
        latest = max(parse_time(key["modified"]), use.time if use else 0)
        return FormerSecret(
            until,
            (format_time(use.time) or "") if use else "",
            use.ip_address if use and "last_used_from" in key else "",
            now_us - latest >= RESTED_SECONDS * _MICROSECONDS,
        )
