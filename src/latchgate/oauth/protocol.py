"""The way to Authlib, which is loaded by the first request that needs the protocol, not by every start."""

from typing import TYPE_CHECKING

from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.oauth.backing import Backing

if TYPE_CHECKING:
    from latchgate.oauth.provider import Provider

__all__ = ["provider_on"]


def provider_on(backing: Backing, issuer: str) -> "Provider":
    """Give both endpoints' protocol, on the state of one transaction."""
    with ONE_AT_A_TIME:
        from latchgate.oauth.provider import Provider
    return Provider(backing, issuer)
