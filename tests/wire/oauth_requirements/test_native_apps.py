"""RFC 7636 and RFC 8252, PKCE and apps on a user's machine: every MUST, row by row."""

from collections.abc import Callable
from typing import Any

import pytest

from latchgate.errors import Invalid
from support.asgi import Answer
from support.oauth import CHALLENGE, VERIFIER, challenge_of
from wire.oauth_requirements.rows import HERE, NATIVE, PAGE, PRIVATE, USER, Row, World, answered, met, told

_SHORT, _LONG = "a" * 42, "a" * 129
_PORT = "http://127.0.0.1:43210/cb"


def _with_verifier(world: World, verifier: str) -> Answer:
    return world.exchange(asked={"code_challenge": challenge_of(verifier)}, code_verifier=verifier)


def _after_wrong(world: World) -> Answer:
    code = world.code()
    assert world.exchange(code=code, code_verifier="b" * 50).status == 400
    return world.exchange(code=code)


def _allowed_natively(world: World, redirect_uri: str) -> Answer:
    return world.oauth.decide(world.ask(world.native, redirect_uri=redirect_uri), USER)


def _cannot_register(uri: str) -> Callable[[World], bool]:
    def holds(world: World) -> bool:
        with pytest.raises(Invalid):
            world.oauth.make_public(redirect_uris=(uri,))
        return True

    return holds


ROWS = (
    Row("RFC 7636", "4.1", "A verifier of 43 characters is good", lambda w: _with_verifier(w, "a" * 43), answered(200)),
    Row(
        "RFC 7636", "4.1", "A verifier of 128 characters is good", lambda w: _with_verifier(w, "a" * 128), answered(200)
    ),
    Row(
        "RFC 7636",
        "4.1",
        "A shorter verifier is none",
        lambda w: _with_verifier(w, _SHORT),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 7636",
        "4.1",
        "A longer verifier is none",
        lambda w: _with_verifier(w, _LONG),
        answered(400, "invalid_request"),
    ),
    Row("RFC 7636", "4.2", "S256 is supported", lambda w: w.exchange(), answered(200)),
    Row(
        "RFC 7636",
        "4.3",
        "A challenge is the S256 of something",
        lambda w: w.ask(code_challenge="short"),
        told("invalid_request"),
    ),
    Row(
        "RFC 7636",
        "4.4.1",
        "A client that leaves out the challenge is told invalid_request",
        lambda w: w.ask(code_challenge=None, code_challenge_method=None),
        told("invalid_request"),
    ),
    Row(
        "RFC 7636",
        "4.4.1",
        "A method that is not supported is invalid_request",
        lambda w: w.ask(code_challenge_method="S512"),
        told("invalid_request"),
    ),
    Row("RFC 7636", "4.4", "The code does not show the challenge", holds=lambda w: CHALLENGE not in w.code()),
    Row(
        "RFC 7636",
        "4.6",
        "A wrong verifier is invalid_grant",
        lambda w: w.exchange(code_verifier="b" * 50),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 7636",
        "4.6",
        "A missing verifier is invalid_grant",
        lambda w: w.exchange(code_verifier=None),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 7636",
        "4.6",
        "The challenge itself is no verifier",
        lambda w: w.exchange(code_verifier=CHALLENGE),
        answered(400, "invalid_grant"),
    ),
    Row(
        "RFC 7636",
        "4.6",
        "A wrong verifier ends nothing: whoever holds the right one goes on",
        _after_wrong,
        answered(200),
    ),
    Row(
        "RFC 7636",
        "7.2",
        "plain is not used",
        lambda w: w.ask(code_challenge=VERIFIER, code_challenge_method="plain"),
        told("invalid_request"),
    ),
    Row(
        "RFC 7636",
        "4.3",
        "A method that is left out would be plain, and is not used",
        lambda w: w.ask(code_challenge_method=None),
        told("invalid_request"),
    ),
    Row("RFC 8252", "7.1", "A private scheme is a domain's name turned round", holds=_cannot_register("myapp:/cb")),
    Row(
        "RFC 8252",
        "7.1",
        "A private scheme is taken",
        lambda w: _allowed_natively(w, PRIVATE),
        lambda answer: (answer.header("location") or "").startswith(f"{PRIVATE}?code="),
    ),
    Row(
        "RFC 8252", "7.2", "An https address that an app claims is taken", lambda w: w.exchange(w.public), answered(200)
    ),
    Row(
        "RFC 8252",
        "7.3",
        "At the loopback address any port is taken",
        lambda w: _allowed_natively(w, _PORT),
        lambda answer: (answer.header("location") or "").startswith(f"{_PORT}?code="),
    ),
    Row(
        "RFC 8252",
        "7.3",
        "The port alone may differ: not the path",
        lambda w: w.ask(w.native, redirect_uri=f"{_PORT}2"),
        HERE,
    ),
    Row(
        "RFC 8252",
        "7.3",
        "The port alone may differ: not the host",
        lambda w: w.ask(w.native, redirect_uri="http://localhost/cb"),
        HERE,
    ),
    Row(
        "RFC 8252",
        "7.3",
        "The port of an https address may not differ",
        lambda w: w.ask(w.public, redirect_uri="https://app.example:444/cb"),
        HERE,
    ),
    Row(
        "RFC 8252",
        "8.1",
        "A public client without PKCE is refused",
        lambda w: w.ask(w.public, code_challenge=None, code_challenge_method=None),
        told("invalid_request"),
    ),
    Row(
        "RFC 8252",
        "8.1",
        "No administrator can free a public client of PKCE",
        holds=lambda w: _refuses(lambda: w.oauth.make_public(require_pkce=False)),
    ),
    Row(
        "RFC 8252",
        "8.4",
        "Redirect URIs are registered whole, and what differs is refused",
        lambda w: w.ask(w.public, redirect_uri="https://app.example/cb/"),
        HERE,
    ),
    Row(
        "RFC 8252",
        "8.5",
        "What is in every copy of an app proves nothing: a public client has no secret",
        lambda w: w.oauth.send(
            "get_token", {**dict(w.oauth.exchange_form(w.public, w.code(w.public))), "client_secret": "x"}
        ),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 8252",
        "8.6",
        "An app at an address that any program may take is never allowed without asking",
        lambda w: (_allowed_natively(w, NATIVE), w.ask(w.native, redirect_uri=NATIVE))[1],
        PAGE,
    ),
    Row(
        "RFC 8252",
        "8.6",
        "prompt=none does not get round that",
        lambda w: (_allowed_natively(w, NATIVE), w.ask(w.native, redirect_uri=NATIVE, prompt="none"))[1],
        told("consent_required", at=NATIVE),
    ),
    Row(
        "RFC 8252",
        "8.12",
        "Views inside an app show no sign-in",
        unmet="An app's own doing: no server can tell such a view from a browser",
    ),
)


def _refuses(work: Any) -> bool:  # noqa: ANN401  # whatever is called
    with pytest.raises(Invalid):
        work()
    return True


@pytest.mark.parametrize("row", met(ROWS), ids=str)
def test_clients_without_a_secret_meet_their_requirements(world: World, row: Row) -> None:
    """Each row of RFC 7636 and RFC 8252 holds."""
    row.check(world)
