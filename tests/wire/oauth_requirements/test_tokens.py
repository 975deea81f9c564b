"""RFC 6749, the token endpoint: every MUST, row by row."""

import base64
import re

import pytest

from latchgate.core.clients import AuthMethod
from latchgate.core.tokens import TokenKind, entropy_bytes
from latchgate.errors import Invalid
from support.asgi import Answer
from support.oauth import ENDPOINTS
from wire.oauth_requirements.rows import MACHINE_USER, OTHER_CALLBACK, USER, Row, World, answered, met

_TOKEN = f"{ENDPOINTS}get_token"
_BITS = 8 * min(entropy_bytes(kind) for kind in TokenKind if kind is not TokenKind.KEY_ID)


def _proved(world: World, authorization: str | None = None, **fields: str) -> Answer:
    form = {"grant_type": "client_credentials", "scope": "custom", **fields}
    return world.oauth.send("get_token", form, authorization)


def _twice(world: World, name: str, value: str) -> Answer:
    form = [*world.oauth.exchange_form(world.web, world.code()), (name, value)]
    return world.oauth.send("get_token", form, world.web.basic)


def _by_get(world: World) -> Answer:
    return world.get(f"{_TOKEN}?grant_type=client_credentials&client_id={world.web.client_id}")


def _expired(world: World) -> Answer:
    code = world.code()
    world.oauth.age("oauth_code", "expires_at", 61)
    return world.exchange(code=code)


def _reused(world: World) -> Answer:
    code = world.code()
    assert world.exchange(code=code).status == 200
    return world.exchange(code=code)


def _ends_tokens(world: World) -> bool:
    code = world.code()
    first = world.exchange(code=code).document
    world.exchange(code=code)
    return not world.oauth.works(first["access_token"])


def _public_cannot(world: World) -> bool:
    with pytest.raises(Invalid):
        world.oauth.make(auth_method=AuthMethod.NONE, grant_types=frozenset({"client_credentials"}), user=MACHINE_USER)
    return True


def _narrowed(world: World) -> Answer:
    answer = world.refreshed(scope="openid")
    return world.oauth.refresh(world.web, answer.document["refresh_token"])


ROWS = (
    Row("RFC 6749", "3.2", "POST alone is taken", _by_get, answered(400, "invalid_request")),
    Row(
        "RFC 6749",
        "3.2",
        "A parameter without a value counts as absent: code",
        lambda w: w.exchange(code_verifier=""),
        answered(400, "invalid_grant"),
    ),
    Row("RFC 6749", "3.2", "Unknown parameters are ignored", lambda w: w.exchange(nobody_knows="this"), answered(200)),
    Row(
        "RFC 6749",
        "3.2",
        "No parameter comes twice: grant_type",
        lambda w: _twice(w, "grant_type", "refresh_token"),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 6749",
        "3.2",
        "No parameter comes twice: code",
        lambda w: _twice(w, "code", "another"),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 6749",
        "3.2",
        "No parameter comes twice: one that nobody knows",
        lambda w: w.oauth.send(
            "get_token", [*w.oauth.exchange_form(w.web, w.code()), ("x", "1"), ("x", "2")], w.web.basic
        ),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 6749",
        "3.3",
        "Scopes that go with openid may be left out, and the client is told",
        lambda w: w.exchange(w.narrow, asked={"scope": "openid profile email offline_access"}),
        lambda answer: answer.document["scope"] == "openid",
    ),
    Row("RFC 6749", "4.1.2", "A code expires soon", _expired, answered(400, "invalid_grant")),
    Row("RFC 6749", "4.1.2", "A code works once", _reused, answered(400, "invalid_grant")),
    Row("RFC 6749", "4.1.2", "A code that comes twice ends the tokens that came of it", holds=_ends_tokens),
    Row(
        "RFC 6749",
        "4.1.2",
        "A code is bound to its client",
        lambda w: w.exchange(w.lax, w.code()),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 6749",
        "4.1.3",
        "A redirect URI that the request named is named again",
        lambda w: w.exchange(redirect_uri=None),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 6749",
        "4.1.3",
        "The redirect URI is the same as in the request",
        lambda w: w.exchange(w.two, redirect_uri=OTHER_CALLBACK),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 6749",
        "4.1.3",
        "A redirect URI that the request left out may be left out",
        lambda w: w.exchange(asked={"redirect_uri": None, "scope": None}, redirect_uri=None),
        answered(200),
    ),
    Row("RFC 6749", "4.4", "Client credentials are for clients that keep a secret", holds=_public_cannot),
    Row(
        "RFC 6749",
        "4.4.3",
        "Client credentials give no refresh token",
        lambda w: _proved(w, w.web.basic),
        lambda answer: "refresh_token" not in answer.document,
    ),
    Row(
        "RFC 6749",
        "5.1",
        "What holds tokens is kept by nobody",
        lambda w: w.exchange(),
        answered(200, cache_control="no-store", pragma="no-cache", content_type="application/json"),
    ),
    Row(
        "RFC 6749",
        "5.1",
        "Type, life and scope are told",
        lambda w: w.exchange(),
        lambda answer: (
            (answer.document["token_type"], answer.document["expires_in"], answer.document["scope"])
            == ("Bearer", 3600, "all openid")
        ),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "invalid_client names the scheme that the client used",
        lambda w: _proved(w, "Basic " + base64.b64encode(b"nobody:x").decode()),
        answered(401, "invalid_client", www_authenticate="Basic "),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "invalid_client where nothing is said of the client",
        lambda w: w.oauth.send("get_token", {"grant_type": "authorization_code", "code": "x"}),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "invalid_request where a parameter is missing",
        lambda w: w.post("get_token", grant_type="authorization_code"),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "invalid_grant for an unknown code",
        lambda w: w.exchange(code="lgo_unknown"),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "unauthorized_client for a grant that is not the client's",
        lambda w: w.post("get_token", w.lax, grant_type="client_credentials"),
        answered(400, "unauthorized_client"),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "unsupported_grant_type for one that nobody has",
        lambda w: w.post("get_token", grant_type="urn:nobody:knows"),
        answered(400, "unsupported_grant_type"),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "invalid_scope for a scope beyond the client's",
        lambda w: w.refreshed(w.narrow, scope="all"),
        answered(400, "invalid_scope"),
    ),
    Row(
        "RFC 6749",
        "5.2",
        "error_description holds neither quotes nor backslashes nor other alphabets",
        lambda w: w.post("get_token", grant_type='a"b\\cé'),
        lambda answer: (
            re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*", answer.document.get("error_description", "")) is not None
        ),
    ),
    Row(
        "RFC 6749",
        "6",
        "A client with a secret proves itself when it refreshes",
        lambda w: w.oauth.send(
            "get_token",
            {"grant_type": "refresh_token", "client_id": w.web.client_id, "refresh_token": w.tokens()["refresh_token"]},
        ),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 6749",
        "6",
        "A refresh token is bound to its client",
        lambda w: w.refreshed(w.web, by=w.lax),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 6749",
        "6",
        "A scope beyond what was granted is refused",
        lambda w: w.refreshed(w.narrow, scope="read custom"),
        answered(400, "invalid_scope"),
    ),
    Row(
        "RFC 6749",
        "6",
        "A name that was not granted is refused, though all was",
        lambda w: w.refreshed(scope="all openid files"),
        answered(400, "invalid_scope"),
    ),
    Row(
        "RFC 6749",
        "6",
        "A scope that is left out is the one that was granted",
        lambda w: w.refreshed(),
        lambda answer: answer.document["scope"] == "all openid",
    ),
    Row(
        "RFC 6749",
        "6",
        "A new refresh token has the scope of the one before, however little a token was for",
        _narrowed,
        lambda answer: answer.document["scope"] == "all openid",
    ),
    Row("RFC 6749", "10.3", "Tokens cannot be guessed: 128 bits at least", holds=lambda _: _BITS >= 128),
    Row(
        "RFC 6749",
        "10.4",
        "Refresh tokens cannot be guessed, nor made from others",
        lambda w: w.oauth.refresh(w.web, "lgr_" + "a" * 40),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 6749",
        "4.3",
        "The password of a user is not taken",
        lambda w: w.post("get_token", grant_type="password", username=USER, password="x"),
        answered(400, "unsupported_grant_type"),
    ),
    Row("RFC 6749", "3.2", "TLS", unmet="The operator's: TLS ends at a proxy, and LATCHGATE_PUBLIC_URL says https"),
)


@pytest.mark.parametrize("row", met(ROWS), ids=str)
def test_the_token_endpoint_meets_its_requirements(world: World, row: Row) -> None:
    """Each row of RFC 6749 about the token endpoint holds."""
    row.check(world)
