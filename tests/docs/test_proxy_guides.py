"""The guides to proxies, of which tests/proxies runs those that are installed, and the reference say what is so."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it brings no types, and is asked for one thing

from latchgate.core.forwarded import Proxy
from latchgate.core.identity_headers import IDENTITY_HEADERS
from latchgate.oauth.identity_tokens import TYPE
from latchgate.server.forward_auth import VERIFY_PATH
from latchgate.services.identity_tokens import LIFETIME_SECONDS
from support.documents import ROOT, find_blocks

_REFERENCE = (ROOT / "docs" / "forward-auth.md").read_text()
_MINUTE = 60
_TELLS_OTHERWISE = {
    *("x-original-url", "x-rewrite-url", "x-http-method-override", "x-http-method", "x-method-override"),
    *("x-forwarded-prefix", "forwarded"),
}
"""By which some applications take another address, host or method for the request's."""


def _guide(proxy: str) -> str:
    return (ROOT / "docs" / "howto" / f"{proxy}.md").read_text()


def _documents(proxy: str) -> list[Any]:
    blocks = [block for block in find_blocks(_guide(proxy)) if block.language == "yaml"]
    return [yaml.safe_load(block.text) for block in blocks]


@pytest.mark.parametrize("proxy", Proxy)
def test_each_dialect_has_a_guide(proxy: Proxy) -> None:
    """It names each identity header, and is named by the reference."""
    guide = _guide(proxy).lower()

    assert all(name.lower() in guide for name in IDENTITY_HEADERS)
    assert f"howto/{proxy}.md" in _REFERENCE


def test_traefik_is_told_whom_to_ask_and_what_to_take() -> None:
    """Its middleware stands before the one that takes the credential away, and believes no caller."""
    entry, dynamic = _documents("traefik")
    http = dynamic["http"]
    asking = http["middlewares"]["latchgate"]["forwardAuth"]

    assert asking["address"].endswith(f":8000{VERIFY_PATH}?proxy=traefik")
    assert asking["trustForwardHeader"] is False
    assert asking["authResponseHeaders"] == list(IDENTITY_HEADERS)
    assert http["routers"]["app"]["middlewares"][0] == "latchgate"
    taken = http["middlewares"]["no-credential"]["headers"]["customRequestHeaders"]
    assert {"authorization", "http2-settings", *_TELLS_OTHERWISE} <= {name.lower() for name in taken}
    assert set(taken.values()) == {""}
    [web] = http["routers"]["app"]["entryPoints"]
    # Other spellings of the same names.
    assert entry["entryPoints"][web]["http"] == {"aliasHeadersStrategy": "reject"}


def test_envoy_is_told_whom_to_ask_and_what_to_take() -> None:
    """It asks before it routes, lets nobody in where nobody answers, and tells the caller's address."""
    [document] = _documents("envoy")
    [listener] = document["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    removing, asking, routing = (one["typed_config"] for one in manager["http_filters"])
    taken = asking["http_service"]["authorization_response"]["allowed_upstream_headers"]["patterns"]
    passed = {one["exact"] for one in asking["allowed_headers"]["patterns"]}

    [application] = manager["route_config"]["virtual_hosts"]
    [route] = application["routes"]
    assert {"authorization", "x-forwarded-host", *_TELLS_OTHERWISE} <= set(route["request_headers_to_remove"])
    assert routing["@type"].endswith("router.v3.Router")
    [removed] = removing["mutations"]["request_mutations"]
    odd = removed["remove_on_match"]["key_matcher"]["safe_regex"]["regex"]
    assert [sign for sign in "-az09:._~!" if re.fullmatch(odd, f"x{sign}auth")] == list("._~!")
    assert asking["failure_mode_allow"] is False
    assert asking["http_service"]["path_prefix"] == VERIFY_PATH
    assert [one["exact"] for one in taken] == [name.lower() for name in IDENTITY_HEADERS]
    assert {"authorization", "cookie", "x-forwarded-for"} <= passed
    assert not [name for name in passed if name.startswith("x-auth-request")]


def test_caddy_lets_no_other_spelling_pass() -> None:
    """Each sign that a header's name may have, beside letters, digits and `-`, has its line."""
    [block] = [block.text for block in find_blocks(_guide("caddy")) if block.language == "text"]

    taken = re.findall(r"^\t\trequest_header -\*(.)\*$", block[: block.index("forward_auth")], re.MULTILINE)
    assert sorted(taken) == sorted("_.!#$%&'*+^`|~")


def test_caddy_tells_the_host_that_it_serves() -> None:
    """Also behind a proxy that it trusts, which may pass on what its callers say of the host."""
    [block] = [block.text for block in find_blocks(_guide("caddy")) if block.language == "text"]

    told = block.index("request_header X-Forwarded-Host {http.request.hostport}")
    assert told < block.index("forward_auth")


def test_the_reference_says_what_is_answered() -> None:
    """Each header with its meaning, and what of the token has to be verified."""
    assert tuple(re.findall(r"^\| `(X-Auth-Request-[A-Za-z]+)` \|", _REFERENCE, re.MULTILINE)) == IDENTITY_HEADERS
    assert f"`{TYPE}`" in _REFERENCE
    assert LIFETIME_SECONDS == 2 * _MINUTE
    assert "**holds for two minutes at\nmost**" in _REFERENCE
