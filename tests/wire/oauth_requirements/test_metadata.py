"""RFC 8414 and RFC 9207, metadata and the issuer: every MUST, row by row."""

from urllib.parse import urlsplit

import pytest

from latchgate.core.clients import AuthMethod
from support.asgi import Answer
from support.oauth import told_in
from wire.oauth_requirements.rows import USER, Row, World, met

_ISSUER = "http://127.0.0.1:8000"
_METADATA = "/.well-known/oauth-authorization-server"
_DISCOVERY = "/.well-known/openid-configuration"
_ENDPOINTS = ("authorization", "token", "revocation", "introspection", "device_authorization", "registration")


def _approved(world: World) -> Answer:
    return world.oauth.decide(world.ask(prompt="consent"), USER)


def _truth(world: World) -> bool:
    """Whether each endpoint of the metadata answers, by another answer than that of an address that is not there."""
    metadata = world.metadata()
    for name in _ENDPOINTS:
        path = urlsplit(metadata[f"{name}_endpoint"]).path
        answer = world.oauth.send(path, {}) if name != "authorization" else world.get(path)
        assert answer.status in {400, 401}, (name, answer.status)
    return world.get(urlsplit(metadata["jwks_uri"]).path).status == 200


ROWS = (
    Row(
        "RFC 8414",
        "2",
        "The issuer has neither query nor fragment",
        holds=lambda w: urlsplit(w.metadata()["issuer"])[2:] == ("", "", ""),
    ),
    Row("RFC 8414", "2", "Every endpoint that is told is there", holds=_truth),
    Row(
        "RFC 8414",
        "2",
        "What signs assertions is told, and none is not among it",
        holds=lambda w: (
            "none" not in w.metadata()["token_endpoint_auth_signing_alg_values_supported"]
            and AuthMethod.PRIVATE_KEY_JWT in w.metadata()["token_endpoint_auth_methods_supported"]
        ),
    ),
    Row(
        "RFC 8414",
        "3",
        "The metadata are at their well-known address",
        lambda w: w.get(_METADATA),
        lambda answer: answer.status == 200 and answer.header("content-type") == "application/json",
    ),
    Row("RFC 8414", "3.2", "No list is empty", holds=lambda w: [] not in w.metadata().values()),
    Row(
        "RFC 8414",
        "3.3",
        "The issuer is the address where the metadata were found",
        holds=lambda w: w.metadata()["issuer"] == _ISSUER,
    ),
    Row(
        "RFC 8414",
        "3.1",
        "Scripts of other origins may read it",
        lambda w: w.get(_METADATA),
        lambda answer: answer.header("access-control-allow-origin") == "*",
    ),
    Row(
        "MCP",
        "Discovery",
        "Both documents say that PKCE is there",
        holds=lambda w: all(
            w.get(path).document["code_challenge_methods_supported"] == ["S256"] for path in (_METADATA, _DISCOVERY)
        ),
    ),
    Row(
        "RFC 9207",
        "2",
        "The issuer is told with a code",
        _approved,
        lambda answer: told_in(answer.header("location"))["iss"] == _ISSUER,
    ),
    Row(
        "RFC 9207",
        "2",
        "The issuer is told with an error",
        lambda w: w.ask(scope='"'),
        lambda answer: told_in(answer.header("location"))["iss"] == _ISSUER,
    ),
    Row(
        "RFC 9207",
        "3",
        "The metadata say that it is told",
        holds=lambda w: w.metadata()["authorization_response_iss_parameter_supported"] is True,
    ),
    Row(
        "RFC 9207",
        "2",
        "The issuer is an https address",
        unmet="The operator's: it is LATCHGATE_PUBLIC_URL, and the start warns of http beyond this machine",
    ),
)


@pytest.mark.parametrize("row", met(ROWS), ids=str)
def test_metadata_meet_their_requirements(world: World, row: Row) -> None:
    """Each row of RFC 8414 and RFC 9207 holds."""
    row.check(world)
