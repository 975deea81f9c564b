"""Whose address a request comes from: the one function that knows of proxies."""

import re
from collections.abc import Sequence

from latchgate.core.addresses import Address, Network, covers, normal_address, normal_text

__all__ = ["resolve_peer", "tells_address"]

# Some proxies write the port too: 192.0.2.1:4711, [2001:db8::1]:4711, or the brackets alone.
_PORT = re.compile(r"^(?:([0-9.]+):[0-9]+|\[([^\]]*)\](?::[0-9]+)?)$")


def resolve_peer(
    peer: str, forwarded_for: Sequence[bytes], trusted: Sequence[Network], *, trusts_socket: bool = False
) -> str:
    """Tell the caller's address.

    X-Forwarded-For counts only if the peer is a trusted proxy, and then from its right end: each entry was written by
    the one after it, so that the first one (from the right) that no trusted proxy wrote is the caller. What stands left
    of it is the caller's own word and counts for nothing.

    A peer at a Unix socket has no address: it lies in no range, neither a proxy's nor one that a key may be used from.

    Args:
        peer: The other end of the connection; empty at a Unix socket, or some word where it is not known.
        forwarded_for: The value of every X-Forwarded-For header, in order.
        trusted: The proxies' addresses.
        trusts_socket: Whether an empty peer is a trusted proxy too.
    """
    found = peer
    entries = b",".join(forwarded_for).decode("ascii", "replace").split(",") if forwarded_for else []
    if trusts_socket and entries and not peer:
        address = _read_entry(entries.pop())
        if address is None:
            return peer
        found = str(address)
    while entries and trusted and covers(trusted, found):
        address = _read_entry(entries.pop())
        if address is None:
            break
        found = str(address)
    return normal_text(found)


def tells_address(forwarded_for: Sequence[bytes]) -> bool:
    """Whether the last entry, which is the peer's own word, is an address; otherwise `resolve_peer` gives the peer's.

    Args:
        forwarded_for: The value of every X-Forwarded-For header, in order.
    """
    if not forwarded_for:
        return False
    return _read_entry(forwarded_for[-1].rpartition(b",")[2].decode("ascii", "replace")) is not None


def _read_entry(entry: str) -> Address | None:
    return normal_address(_PORT.sub(r"\1\2", entry.strip()))
