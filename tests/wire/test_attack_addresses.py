"""Whose address a request comes from: the connection's, or what a proxy that the operator named wrote of it."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from support.asgi import PEER, Pair, Service, opened_service

PROXY, CALLER, SPOOFED = "10.0.0.1", "203.0.113.5", "198.51.100.66"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance behind proxies at 10.0.0.1 and 10.0.0.2."""
    home = tmp_path_factory.mktemp("proxied") / "home"
    with opened_service(home, trusted_proxies=f"{PROXY}, 10.0.0.2") as service:
        yield service


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "X_Forwarded_For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"]
)
def test_without_a_proxy_the_connection_tells_the_address(service: Service, api_key: Pair, name: str) -> None:
    """No header says where a caller is, unless the operator named the proxy that writes it."""
    answer = service.ask(authorization=api_key.token, headers=[(name, SPOOFED)])

    assert answer.row.ip_address == PEER


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (PROXY, [CALLER], CALLER),
        (PROXY, [f"{SPOOFED}, {CALLER}"], CALLER),
        (PROXY, [SPOOFED, CALLER], CALLER),
        (PROXY, [f"{SPOOFED},{CALLER}, 10.0.0.2"], CALLER),
        (PROXY, ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
        (PROXY, [], PROXY),
        (PROXY, [""], PROXY),
        (PROXY, [f"{CALLER}, unknown"], PROXY),
        (PROXY, [f"{SPOOFED}, {CALLER}:4711"], CALLER),
        (PROXY, ["[2001:db8::1]:4711, 10.0.0.2:80"], "2001:db8::1"),
        (PROXY, [f"{CALLER}, {SPOOFED}:"], PROXY),
        (PROXY, [f"{CALLER},"], PROXY),
        (PROXY, ["::ffff:203.0.113.5"], CALLER),
        (PROXY, ["2001:DB8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", [CALLER], CALLER),
        (CALLER, [SPOOFED], CALLER),
        (CALLER, [f"{SPOOFED}, {PROXY}"], CALLER),
    ],
)
def test_only_what_a_trusted_proxy_wrote_counts(proxied: Service, peer: str, forwarded: list[str], found: str) -> None:
    """The list is read from its right end; what stands left of the first stranger is that stranger's own word."""
    headers = [("x-forwarded-for", value) for value in forwarded]

    assert proxied.ask(authorization="token a:b", headers=headers, peer=peer).row.ip_address == found


def test_an_underscore_twin_adds_nothing(proxied: Service) -> None:
    """Behind a proxy the twin that a caller sends along stays without effect."""
    headers = [("X_Forwarded_For", SPOOFED), ("x-forwarded-for", CALLER), ("X_FORWARDED_FOR", SPOOFED)]

    assert proxied.ask(authorization="token a:b", headers=headers, peer=PROXY).row.ip_address == CALLER


def test_a_key_s_addresses_are_the_callers(proxied: Service) -> None:
    """A key for one address opens from there through the proxy, and a forged list opens it for nobody."""
    key = proxied.make_key("Administrator", networks=(ip_network(CALLER),))

    good = proxied.ask(authorization=key.token, headers=[("x-forwarded-for", CALLER)], peer=PROXY)
    forged = proxied.ask(authorization=key.token, headers=[("x-forwarded-for", f"{CALLER}, {SPOOFED}")], peer=PROXY)
    direct = proxied.ask(authorization=key.token, headers=[("x-forwarded-for", CALLER)], peer=SPOOFED)

    assert good.status == 200
    assert (forged.row.reason, direct.row.reason) == ("address_not_allowed", "address_not_allowed")


def test_failures_count_against_the_caller_behind_the_proxy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who hammers through a proxy is slowed down alone, whatever address is put in front of the list."""
    home = tmp_path_factory.mktemp("hammered") / "home"
    with opened_service(home, trusted_proxies=PROXY, credential_failures_per_minute=3) as service:

        def ask(*forwarded: str) -> int:
            headers = [("x-forwarded-for", ", ".join(forwarded))]
            return service.ask(authorization="token a:b", headers=headers, peer=PROXY).status

        hammering = [ask(f"192.0.2.{number}", CALLER) for number in range(5)]

        assert hammering == [401, 401, 401, 429, 429]
        assert ask("203.0.113.6") == 401
