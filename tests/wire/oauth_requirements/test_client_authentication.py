"""RFC 6749, how clients prove themselves: every MUST, row by row."""

import base64

import pytest

from support.asgi import Answer
from support.oauth import ENDPOINTS
from wire.oauth_requirements.rows import Row, World, answered, met

_TOKEN = f"{ENDPOINTS}get_token"


def _proved(world: World, authorization: str | None = None, **fields: str) -> Answer:
    form = {"grant_type": "client_credentials", "scope": "custom", **fields}
    return world.oauth.send("get_token", form, authorization)


def _wrong_often(world: World) -> Answer:
    peer = world.oauth.service.new_peer()
    for _ in range(21):
        answer = world.oauth.send("get_token", {"client_id": world.web.client_id, "client_secret": "x"}, peer=peer)
    return answer


def _in_query(world: World) -> Answer:
    query = f"client_id={world.web.client_id}&client_secret={world.web.secret}"
    return world.oauth.send(f"{_TOKEN}?{query}", {"grant_type": "client_credentials"})


ROWS = (
    Row(
        "RFC 6749",
        "2.3",
        "One way to prove oneself in a request: header and form",
        lambda w: _proved(w, w.web.basic, client_id=w.web.client_id, client_secret=w.web.secret),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 6749",
        "2.3",
        "One way to prove oneself in a request: secret and assertion",
        lambda w: _proved(w, client_id=w.web.client_id, client_secret=w.web.secret, client_assertion="a.b.c"),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 6749",
        "2.3.1",
        "Basic is supported for whoever got a secret",
        lambda w: _proved(w, w.web.basic),
        answered(200),
    ),
    Row(
        "RFC 6749",
        "2.3.1",
        "Id and secret in the form may be supported",
        lambda w: _proved(w, client_id=w.web.client_id, client_secret=w.web.secret),
        answered(200),
    ),
    Row(
        "RFC 6749",
        "2.3.1",
        "Id and secret are never taken from the address",
        _in_query,
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 6749",
        "2.3.1",
        "The secret is protected against being guessed",
        _wrong_often,
        answered(429, "temporarily_unavailable", retry_after=""),
    ),
    Row(
        "RFC 6749",
        "2.3.1",
        "In Basic both halves are written as in a form",
        lambda w: _proved(
            w,
            "Basic "
            + base64.b64encode(f"%{ord(w.web.client_id[0]):x}{w.web.client_id[1:]}:{w.web.secret}".encode()).decode(),
        ),
        answered(200),
    ),
    Row(
        "RFC 6749",
        "3.2.1",
        "A client with a secret proves itself",
        lambda w: w.exchange(w.public, w.code(), client_id=w.web.client_id),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 6749",
        "3.2.1",
        "A client without one says who it is",
        lambda w: w.exchange(w.public, client_id=None),
        answered(401, "invalid_client"),
    ),
)


@pytest.mark.parametrize("row", met(ROWS), ids=str)
def test_client_authentication_meets_its_requirements(world: World, row: Row) -> None:
    """Each row of RFC 6749 about the authentication of clients holds."""
    row.check(world)
