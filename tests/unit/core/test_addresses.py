from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.addresses import (
    Address,
    Network,
    covers,
    normal_address,
    parse_networks,
    shorten_address,
    throttle_unit,
    within,
)


def _around(address: Address, prefix: int) -> Network:
    return ip_network((address, prefix), strict=False)


# Few addresses with many prefixes, so that ranges often hold each other.
_V4 = st.builds(_around, st.sampled_from([IPv4Address("10.1.2.3"), IPv4Address("192.0.2.9")]), st.integers(0, 32))
_V6 = st.builds(_around, st.sampled_from([IPv6Address("2001:db8::1"), IPv6Address("fe80::1")]), st.integers(0, 128))
_NETWORKS = st.lists(_V4 | _V6, max_size=4).map(tuple)


def _parsed(text: str) -> tuple[Network, ...]:
    networks = parse_networks(text)
    assert isinstance(networks, tuple)
    return networks


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", []),
        (" ,\n, ", []),
        ("10.1.1.1", ["10.1.1.1/32"]),
        ("10.1.1.1/8", ["10.0.0.0/8"]),
        ("10.0.0.0/255.0.0.0", ["10.0.0.0/8"]),
        ("10.1.", ["10.1.0.0/16"]),
        ("10.1", ["10.1.0.0/16"]),
        ("10", ["10.0.0.0/8"]),
        ("10.1.1.", ["10.1.1.0/24"]),
        ("10.1.1.1, 192.168.\n2001:db8::/32", ["10.1.1.1/32", "192.168.0.0/16", "2001:db8::/32"]),
        ("::1", ["::1/128"]),
        ("::ffff:10.1.1.1", ["10.1.1.1/32"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
        ("::ffff:0:0/96", ["0.0.0.0/0"]),
        ("::/0", ["::/0"]),
    ],
)
def test_parse_networks(text: str, networks: list[str]) -> None:
    """Addresses, ranges and Frappe's first octets are read; IPv4 written as IPv6 becomes IPv4."""
    assert _parsed(text) == tuple(ip_network(network) for network in networks)


@pytest.mark.parametrize(
    "entry",
    [
        "x",
        ".",
        "..",
        "256",
        "10.256.",
        "10..1",
        "10.1.1.1.",
        "10.1.1.1.1",
        "10.0.0/8",
        "10.0.0.0/33",
        "10.01.1.1",
        "010.1",
        "-1",
        "1０.1",
        "2001:db8::/129",
        "2001:",
        "fe80::1%eth0",
        "fe80::%1/64",
        "10.1%x",
        "*",
        "10.1.1.*",
        "localhost",
        "x" * 500,
    ],
)
def test_what_is_no_network(entry: str) -> None:
    """One wrong entry makes the list unusable, and is named: to leave it out would open or close something."""
    problem = parse_networks(f"10.0.0.0/8 {entry}")

    assert isinstance(problem, str)
    assert problem.startswith(f"'{entry[:60]}' is not")
    assert len(problem) < 200


@given(st.text(st.characters()) | st.text("0123456789abcdef.:/% ,"))
def test_parse_networks_never_raises(text: str) -> None:
    """Any text is read, or its fault is told."""
    assert isinstance(parse_networks(text), tuple | str)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.1.1.1", "10.1.1.1"),
        ("::ffff:10.1.1.1", "10.1.1.1"),
        ("::FFFF:0A01:0101", "10.1.1.1"),
        ("::ffff:10.1.1.1%eth0", "10.1.1.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::", "::"),
        ("::10.1.1.1", "::a01:101"),
    ],
)
def test_normal_address(text: str, address: str) -> None:
    """Each address has one form: IPv4 mapped into IPv6 is IPv4, and a zone is left out."""
    assert str(normal_address(text)) == address


@pytest.mark.parametrize(
    "text",
    ["", "unix", "10.1.1", "10.1.1.1:80", "[::1]", "10.1.1.1%x", "fe80::1%", "%", " 10.1.1.1", "10.1.1.1/32", "1"],
)
def test_what_is_no_address(text: str) -> None:
    """What is no single address is none, and lies in no range, not even in all of them."""
    assert normal_address(text) is None
    assert not covers(_parsed("0.0.0.0/0 ::/0"), text)


@given(st.text(st.characters()))
def test_normal_address_never_raises(text: str) -> None:
    """Any text can be asked about."""
    address = normal_address(text)

    assert address is None or normal_address(str(address)) == address


@pytest.mark.parametrize(
    ("networks", "address", "covered"),
    [
        ("10.1.", "10.1.255.255", True),
        ("10.1.", "10.10.0.1", False),
        ("10.1.1.1", "10.1.1.10", False),
        ("10.0.0.0/8", "::ffff:10.2.3.4", True),
        ("::ffff:10.0.0.0/104", "10.2.3.4", True),
        ("::/0", "10.2.3.4", False),
        ("0.0.0.0/0", "::1", False),
        ("0.0.0.0/0", "::10.2.3.4", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("2001:db8::/32 192.0.2.1", "192.0.2.1", True),
        ("", "192.0.2.1", False),
    ],
)
def test_covers(networks: str, address: str, covered: bool) -> None:
    """An address lies in a range of its own version, however it is written."""
    assert covers(_parsed(networks), address) == covered


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_mapped_addresses_are_the_same_addresses(address: IPv4Address, base: IPv4Address, prefix: int) -> None:
    """An address and its mapped form lie in the same ranges, and count as one."""
    networks = (_around(base, prefix),)

    assert covers(networks, str(address)) == covers(networks, f"::ffff:{address}") == (address in networks[0])
    assert throttle_unit(str(address)) == throttle_unit(f"::ffff:{address}")


@pytest.mark.parametrize(
    ("inner", "outer", "is_within"),
    [
        ("10.1.1.1", "10.0.0.0/8", True),
        ("10.0.0.0/8", "10.0.0.0/8", True),
        ("10.0.0.0/7", "10.0.0.0/8", False),
        ("10.1.1.1 192.0.2.1", "10.0.0.0/8", False),
        ("10.1.1.1 192.0.2.1", "10.0.0.0/8 192.0.2.0/24", True),
        ("2001:db8::1", "10.0.0.0/8", False),
        ("2001:db8::1", "::/0", True),
        ("10.1.1.1", "::/0", False),
        ("10.1.1.1", "", True),
        ("", "", True),
        ("", "10.0.0.0/8", False),
        ("", "0.0.0.0/0 ::/0", False),
    ],
)
def test_within(inner: str, outer: str, is_within: bool) -> None:
    """Ranges lie within others if each lies in one; none at all means all addresses."""
    assert within(_parsed(inner), _parsed(outer)) == is_within


@given(_NETWORKS, _NETWORKS, st.data())
def test_what_lies_within_reaches_no_further(
    inner: tuple[Network, ...], outer: tuple[Network, ...], data: st.DataObject
) -> None:
    """Every address that ranges within others cover is covered by those others."""
    if within(inner, outer) and outer:
        network = data.draw(st.sampled_from(inner))
        assert covers(outer, str(data.draw(st.ip_addresses(network=network))))


@given(_NETWORKS)
def test_ranges_lie_within_themselves(networks: tuple[Network, ...]) -> None:
    """Ranges lie within themselves and within no limit at all."""
    assert within(networks, networks)
    assert within(networks, ())


@pytest.mark.parametrize(
    ("address", "unit"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unknown"),
        ("", "unknown"),
    ],
)
def test_throttle_unit(address: str, unit: str) -> None:
    """Failures count by IPv4 address, or by the /64 that whoever holds an IPv6 address holds too."""
    assert throttle_unit(address) == unit


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_lies_in_its_unit(address: IPv6Address) -> None:
    """The unit of an IPv6 address is the network that it lies in."""
    if address.ipv4_mapped is None:
        assert address in IPv6Network(throttle_unit(str(address)))
    else:
        assert address.ipv4_mapped in IPv4Network(throttle_unit(str(address)))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.0.0/16", "192.0.0.0/16"),
        ("192.0.2.128/25", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("", ""),
        ("unknown", "unknown"),
        ("192.0.2.1/24", "192.0.2.1/24"),
        ("a/b", "a/b"),
    ],
)
def test_shorten_address(address: str, shown: str) -> None:
    """To the network that is left of it; what is neither address nor network stays."""
    assert shorten_address(address) == shown


@given(st.ip_addresses())
def test_a_shortened_address_holds_the_address_and_stays(address: Address) -> None:
    """Once more changes nothing, and every neighbour of the network is cut alike."""
    shown = shorten_address(str(address))

    assert shorten_address(shown) == shown
    networks = parse_networks(shown)
    assert not isinstance(networks, str)
    assert covers(networks, str(address))
