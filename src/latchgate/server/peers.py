"""Whose address a request comes from: the one function that knows of proxies."""

from collections.abc import Sequence

from latchgate.core.addresses import Network, covers, normal_address

__all__ = ["resolve_peer"]


def resolve_peer(peer: str, forwarded_for: Sequence[bytes], trusted: Sequence[Network]) -> str:
    """Tell the caller's address.

    X-Forwarded-For counts only if the peer is a trusted proxy, and then from its right end: each entry was written by
    the one after it, so that the first one (from the right) that no trusted proxy wrote is the caller. What stands left
    of it is the caller's own word and counts for nothing.

    Args:
        peer: The other end of the connection.
        forwarded_for: The value of every X-Forwarded-For header, in order.
        trusted: The proxies' addresses.
    """
    found = peer
    entries = b",".join(forwarded_for).decode("ascii", "replace").split(",") if forwarded_for else []
    while entries and trusted and covers(trusted, found):
        address = normal_address(entries.pop().strip())
        if address is None:
            break
        found = str(address)
    address = normal_address(found)
    return str(address) if address else found
