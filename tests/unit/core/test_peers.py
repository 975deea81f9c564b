"""Whose address a request comes from, where there are proxies, and where there is no address."""

import pytest

from latchgate.core.addresses import Network, parse_networks
from latchgate.core.heads import Head, collect_presented
from latchgate.core.peers import resolve_peer, tells_address

_FAR, _PROXY = "203.0.113.9", "10.0.0.1"


def _networks(text: str) -> tuple[Network, ...]:
    networks = parse_networks(text)
    assert not isinstance(networks, str)
    return networks


@pytest.mark.parametrize("peer", ["", "localhost", "unix:", "@", "\0", "None"])
@pytest.mark.parametrize("trusted", ["", "0.0.0.0/0 ::/0", _PROXY])
def test_a_peer_without_an_address_is_no_proxy(peer: str, trusted: str) -> None:
    """At a Unix socket could be anybody: what is said there counts for nothing, whichever addresses are trusted."""
    assert resolve_peer(peer, [_FAR.encode()], _networks(trusted)) == peer


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([_FAR], _FAR),
        # The last is the proxy's word, what stands before it the caller's.
        ([f"198.51.100.1, {_FAR}"], _FAR),
        (["198.51.100.1", _FAR], _FAR),
        # Behind a second proxy, which is trusted by its address.
        ([f"198.51.100.1, {_FAR}, {_PROXY}"], _FAR),
        ([f"[2001:db8::1]:4711, {_PROXY}"], "2001:db8::1"),
        # Nothing that is an address: as if there were none.
        ([], ""),
        (["unknown"], ""),
        ([f"{_FAR}, unknown"], ""),
        ([""], ""),
    ],
)
def test_a_socket_that_is_trusted_speaks_for_callers(sent: list[str], expected: str) -> None:
    """If it is said that a proxy is there, it is believed as one with an address is."""
    headers = [one.encode() for one in sent]

    assert resolve_peer("", headers, _networks(_PROXY), trusts_socket=True) == expected
    # Nobody with an address is believed for it.
    for peer in ("192.0.2.7", "unknown"):
        assert resolve_peer(peer, headers, _networks(_PROXY), trusts_socket=True) == peer


@pytest.mark.parametrize(("trusts_socket", "expected"), [(False, ""), (True, _FAR)])
def test_a_head_from_a_socket(trusts_socket: bool, expected: str) -> None:
    """What is collected of a request has the caller's address, if it can be told."""
    head = Head("GET", b"/", "", [(b"x-forwarded-for", _FAR.encode())])

    presented = collect_presented(head, (), sessions=False, trusts_socket=trusts_socket)

    assert presented.peer_address == expected


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([], False),
        ([""], False),
        (["unknown"], False),
        ([f"{_FAR}, unknown"], False),
        ([_FAR, ""], False),
        ([_FAR], True),
        ([f"unknown, {_FAR}"], True),
        (["unknown", "[2001:db8::1]:4711"], True),
    ],
)
def test_whether_a_proxy_names_a_caller(sent: list[str], told: bool) -> None:
    """Its own word stands last; where that is no address, the request is the proxy's own."""
    headers = [one.encode() for one in sent]

    assert tells_address(headers) is told
    assert (resolve_peer(_PROXY, headers, _networks(_PROXY)) != _PROXY) is told
