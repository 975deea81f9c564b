"""Internet addresses: the ranges that a user or a key may be used from, and the unit by which failures are counted."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = [
    "Address",
    "Network",
    "covers",
    "normal_address",
    "normal_text",
    "parse_networks",
    "shorten_address",
    "throttle_unit",
    "within",
]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4_OCTETS = 4
_SHORT = 64
_KEPT_BITS = {4: 24, 6: 48}
"""By version: how much of an address is left once it is shortened."""
_MAPPED = IPv6Network("::ffff:0:0/96")


def parse_networks(text: str) -> tuple[Network, ...] | str:
    """Read a list of addresses and CIDR ranges, separated by commas, spaces or line ends.

    The first octets of an IPv4 address ("10.1." or "10.1"), as Frappe's restrict_ip allows, mean the whole range.

    Returns:
        The ranges (none for an empty text), or a sentence that names the first entry that is not one.
    """
    networks = []
    for entry in text.replace(",", " ").split():
        try:
            networks.append(_parse_network(entry))
        except ValueError:
            return f"'{entry[:60]}' is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32"
    return tuple(networks)


def normal_address(text: str) -> Address | None:
    """Read one address, one mapped into IPv6 as the IPv4 address, one with a zone without it; None if it is none."""
    return _read_short(text) if len(text) <= _SHORT else _read(text)


def _read(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address if isinstance(address, IPv4Address) else address.ipv4_mapped or IPv6Address(int(address))


# The same callers come again and again. What is longer than any address is not remembered.
_read_short = lru_cache(maxsize=4096)(_read)


def normal_text(text: str) -> str:
    """Write an address in the one way, as `normal_address` reads it; what is none is left as it is."""
    return _write_short(text) if len(text) <= _SHORT else _write(text)


def _write(text: str) -> str:
    address = normal_address(text)
    return text if address is None else str(address)


# As above: to write one takes as long as to read it.
_write_short = lru_cache(maxsize=4096)(_write)


def covers(networks: Iterable[Network], address_text: str) -> bool:
    """Whether an address lies in one of the ranges; what is not an address lies in none."""
    address = normal_address(address_text)
    return address is not None and any(address in network for network in networks)


def within(inner: Iterable[Network], outer: Iterable[Network]) -> bool:
    """Whether every address of the inner ranges lies in one outer range; no outer range means all addresses."""
    outer = tuple(outer)
    if not outer:
        return True
    inner = tuple(inner)
    return bool(inner) and all(any(_is_subnet(one, other) for other in outer) for one in inner)


def throttle_unit(address_text: str) -> str:
    """Name the unit by which failures count: an IPv4 address, or the /64 that an IPv6 address lies in."""
    address = normal_address(address_text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address) if address else "unknown"


def shorten_address(text: str) -> str:
    """Cut an address to its network, an IPv4 address to 24 bits and an IPv6 address to 48: "192.0.2.0/24".

    What is a network already is cut if it is smaller; what is neither stays as it is.
    """
    network = _read_network(text)
    if network is None or network.prefixlen <= _KEPT_BITS[network.version]:
        return text
    return str(network.supernet(new_prefix=_KEPT_BITS[network.version]))


def _read_network(text: str) -> Network | None:
    if "/" in text:
        try:
            return ip_network(text)
        except ValueError:
            return None
    address = normal_address(text)
    return None if address is None else ip_network(address)


def _parse_network(entry: str) -> Network:
    if "%" in entry:
        raise ValueError("a zone has its meaning on one host alone")
    octets = entry.rstrip(".").split(".")
    if ":" not in entry and "/" not in entry and len(octets) < _IPV4_OCTETS:
        padded = octets + ["0"] * (_IPV4_OCTETS - len(octets))
        return IPv4Network(".".join(padded) + f"/{8 * len(octets)}")
    network = ip_network(entry, strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # Callers' addresses are compared as IPv4, so this range must be IPv4 too, or it would cover nobody.
        first = int(network.network_address) % 2**32
        return IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))
    return network


def _is_subnet(one: Network, other: Network) -> bool:
    match one, other:
        case (IPv4Network(), IPv4Network()) | (IPv6Network(), IPv6Network()):
            return one.subnet_of(other)  # type: ignore[arg-type]  # both are of one version here
        case _:
            return False
