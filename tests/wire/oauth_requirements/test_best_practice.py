"""RFC 9700, best practice: every MUST, row by row."""

from urllib.parse import urlencode, urlsplit

import pytest

from support.asgi import PASSWORD, Answer
from support.oauth import CALLBACK, ENDPOINTS, App
from wire.oauth_requirements.rows import HERE, PAGE, USER, Row, World, answered, is_same_host, met, told

_ISSUER = "http://127.0.0.1:8000"


def _approved(world: World) -> Answer:
    return world.oauth.decide(world.ask(prompt="consent"), USER)


def _signed_in(world: World) -> Answer:
    back = f"{_ISSUER}{ENDPOINTS}authorize?{urlencode(world.oauth.request(world.web))}"
    return world.oauth.send("/login", {"usr": USER, "pwd": PASSWORD, "redirect-to": back})


def _says_no_code(world: World) -> bool:
    """Whether a client that need not use PKCE and sent a challenge is held to it all the same."""
    return world.exchange(world.lax, code_verifier=None).status == 400


def _without_challenge(world: World) -> Answer:
    return world.exchange(world.lax, asked={"code_challenge": None, "code_challenge_method": None})


def _registered(world: World, **metadata: object) -> Answer:
    usual = {"client_name": "Own", "redirect_uris": ["https://own.example/cb"]}
    return world.oauth.service.post(
        f"{ENDPOINTS}register_client", {**usual, **metadata}, peer=world.oauth.service.new_peer()
    )


def _lured(world: World, user: str) -> Answer:
    """Follow a link whose error leads to the address of a client that registered itself."""
    made = _registered(world).document
    app = App(made["client_id"], made["client_secret"], "https://own.example/cb")
    return world.ask(app, user=user, scope='"')


def _lured_in(world: World) -> Answer:
    return world.get(_lured(world, "").header("location") or "", ("accept", "text/html"))


def _reused(world: World) -> bool:
    first = world.tokens(world.public)
    second = world.oauth.refresh(world.public, first["refresh_token"]).document
    world.oauth.age("oauth_refresh_token", "used_at", 60)
    refused = world.oauth.refresh(world.public, first["refresh_token"])
    dead = not world.oauth.works(second["access_token"])
    return refused.status == 400 and dead and world.oauth.refresh(world.public, second["refresh_token"]).status == 400


def _idle(world: World) -> Answer:
    token = world.tokens()["refresh_token"]
    world.oauth.age("oauth_refresh_token", "expires_at", 31 * 86_400)
    return world.oauth.refresh(world.web, token)


ROWS = (
    Row(
        "RFC 9700",
        "2.1",
        "Redirect URIs are compared character by character",
        lambda w: w.ask(redirect_uri="https://APP.example/cb"),
        HERE,
    ),
    Row(
        "RFC 9700",
        "2.1",
        "The sign-in page leads nowhere else",
        lambda w: w.oauth.send("/login", {"usr": USER, "pwd": PASSWORD, "redirect-to": "https://evil.example/"}),
        lambda answer: not urlsplit(answer.header("location") or "").netloc,
    ),
    Row("RFC 9700", "2.1.1", "PKCE is supported", lambda w: w.exchange(w.public), answered(200)),
    Row("RFC 9700", "2.1.1", "A code that was asked for with a challenge needs its verifier", holds=_says_no_code),
    Row(
        "RFC 9700",
        "2.1.1",
        "A verifier for a code without challenge is refused: nobody takes PKCE away",
        _without_challenge,
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 9700",
        "2.1.1",
        "Public clients use PKCE",
        lambda w: w.ask(w.public, code_challenge=None, code_challenge_method=None),
        told("invalid_request"),
    ),
    Row(
        "RFC 9700",
        "2.1.2",
        "No tokens in the authorization response",
        lambda w: w.ask(response_type="id_token token"),
        told("unsupported_response_type"),
    ),
    Row(
        "RFC 9700",
        "2.2.2",
        "Refresh tokens of public clients are replaced, and one that comes again ends all",
        holds=_reused,
    ),
    Row(
        "RFC 9700",
        "2.4",
        "No password grant",
        lambda w: w.post("get_token", grant_type="password", username=USER, password="x"),
        answered(400, "unsupported_grant_type"),
    ),
    Row(
        "RFC 9700",
        "2.4",
        "The metadata tell of none",
        holds=lambda w: "password" not in w.metadata()["grant_types_supported"],
    ),
    Row(
        "RFC 9700",
        "2.5",
        "Clients may prove themselves by a key of their own",
        holds=lambda w: "private_key_jwt" in w.metadata()["token_endpoint_auth_methods_supported"],
    ),
    Row(
        "RFC 9700",
        "2.6",
        "Scripts of other origins do not ask at the authorization endpoint",
        lambda w: w.ask(),
        lambda answer: answer.header("access-control-allow-origin") is None,
    ),
    Row(
        "RFC 9700",
        "2.6",
        "No redirect URI by http but to the user's own machine",
        lambda w: _registered(w, redirect_uris=["http://app.example/cb"]),
        lambda answer: answer.status == 400,
    ),
    Row(
        "RFC 9700",
        "4.1.3",
        "A path that goes on is another address",
        lambda w: w.ask(redirect_uri=f"{CALLBACK}/../evil"),
        HERE,
    ),
    Row(
        "RFC 9700",
        "4.2.4",
        "The page of consent tells its address to nobody",
        lambda w: w.ask(prompt="consent"),
        lambda answer: PAGE(answer) and answer.header("referrer-policy") in {"no-referrer", "same-origin"},
    ),
    Row(
        "RFC 9700",
        "4.2.4",
        "The page of consent holds nothing of others",
        lambda w: w.ask(prompt="consent"),
        lambda answer: (
            "default-src 'self'" in (answer.header("content-security-policy") or "")
            or "default-src 'none'" in (answer.header("content-security-policy") or "")
        ),
    ),
    Row(
        "RFC 9700",
        "4.11.2",
        "Whoever has not signed in is sent to no client, with an error neither",
        lambda w: _lured(w, ""),
        lambda answer: answer.status == 302 and is_same_host(answer.header("location"), "/login"),
    ),
    Row(
        "RFC 9700",
        "4.11.2",
        "The form by which such a one signs in may lead on to the client",
        _lured_in,
        lambda answer: "form-action 'self' https://own.example;" in f"{answer.header('content-security-policy')};",
    ),
    Row(
        "RFC 9700",
        "4.11.2",
        "Whoever has signed in is",
        lambda w: _lured(w, USER),
        told("invalid_scope", at="https://own.example/cb"),
    ),
    Row(
        "RFC 9700",
        "4.11.2",
        "A client that asks silently is told so",
        lambda w: w.ask(user="", prompt="none"),
        told("login_required"),
    ),
    Row(
        "RFC 9700",
        "4.12",
        "A form with a password is never sent on: no 307",
        _signed_in,
        lambda answer: answer.status in {302, 303},
    ),
    Row(
        "RFC 9700",
        "4.12",
        "A form with a consent is never sent on: 303, not 307",
        _approved,
        lambda answer: answer.status == 303,
    ),
    Row("RFC 9700", "4.14.2", "A refresh token that nobody uses ends", _idle, answered(400, "invalid_grant")),
    Row(
        "RFC 9700",
        "4.15",
        "A client does not choose its id, which might be a user's",
        lambda w: _registered(w, client_id=USER),
        lambda answer: answer.document["client_id"] != USER,
    ),
    Row(
        "RFC 9700",
        "4.16",
        "The page of consent is not shown in a frame",
        lambda w: w.ask(prompt="consent"),
        lambda answer: "frame-ancestors 'none'" in (answer.header("content-security-policy") or ""),
    ),
    Row("RFC 9700", "2.2.1", "Access tokens bound to their sender", unmet="Neither DPoP nor mutual TLS is offered yet"),
    Row(
        "RFC 9700",
        "4.13",
        "A proxy strips headers that imitate its own",
        unmet="The operator's; here X-Forwarded-For counts from configured proxies alone",
    ),
)


@pytest.mark.parametrize("row", met(ROWS), ids=str)
def test_metadata_and_best_practice_meet_their_requirements(world: World, row: Row) -> None:
    """Each row of RFC 9700 holds."""
    row.check(world)
