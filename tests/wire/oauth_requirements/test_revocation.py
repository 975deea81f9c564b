"""RFC 7009 and RFC 7662, revocation and introspection: every MUST, row by row."""

import pytest

from support.asgi import Answer
from support.oauth import ENDPOINTS
from wire.oauth_requirements.rows import MACHINE_USER, RESOURCE, USER, Row, World, answered, met

_NOTHING = {"active": False}


def _nothing(answer: Answer) -> bool:
    return answered(200)(answer) is not False and answer.document == _NOTHING


def _introspected(world: World, token: str, hint: str = "") -> Answer:
    return world.post("introspect_token", token=token, token_type_hint=hint)


def _dead_after(world: World, kind: str, hint: str = "") -> bool:
    """Whether all tokens of an approval are dead once that one is revoked."""
    tokens = world.tokens()
    assert world.post("revoke_token", token=tokens[kind], token_type_hint=hint).status == 200
    refreshed = world.oauth.refresh(world.web, tokens["refresh_token"])
    return not world.oauth.works(tokens["access_token"]) and refreshed.status == 400


def _of_another(world: World) -> bool:
    token = world.tokens(world.lax)["access_token"]
    answer = world.post("revoke_token", token=token)
    return answered(400, "invalid_grant")(answer) is not False and world.oauth.works(token)


def _revoked(world: World) -> Answer:
    token = world.tokens()["access_token"]
    world.post("revoke_token", token=token)
    return _introspected(world, token)


def _expired(world: World) -> Answer:
    token = world.tokens()["access_token"]
    world.oauth.age("oauth_token", "expires_at", 3601)
    return _introspected(world, token)


def _used_refresh_token(world: World) -> Answer:
    token = world.tokens()["refresh_token"]
    world.oauth.refresh(world.web, token)
    return _introspected(world, token)


def _described(answer: Answer) -> bool:
    said = answer.document
    wanted = {"active", "scope", "client_id", "username", "token_type", "exp", "iat", "sub", "aud", "iss"}
    return said["active"] is True and wanted <= set(said) and said["username"] == USER


ROWS = (
    Row(
        "RFC 7009",
        "2",
        "POST alone is taken",
        lambda w: w.get(f"{ENDPOINTS}revoke_token?token=x"),
        answered(400, "invalid_request"),
    ),
    Row("RFC 7009", "2.1", "The token is required", lambda w: w.post("revoke_token"), answered(400, "invalid_request")),
    Row(
        "RFC 7009",
        "2.1",
        "A client that has a secret proves itself",
        lambda w: w.oauth.send("revoke_token", {"token": "x", "client_id": w.web.client_id}),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 7009",
        "2.1",
        "Nobody in particular revokes nothing",
        lambda w: w.oauth.send("revoke_token", {"token": "x"}),
        answered(401, "invalid_client"),
    ),
    Row("RFC 7009", "2.1", "A token of another client is refused, and lives", holds=_of_another),
    Row(
        "RFC 7009",
        "2.1",
        "A public client gives its own token back",
        lambda w: w.post("revoke_token", w.public, token=w.tokens(w.public)["access_token"]),
        answered(200),
    ),
    Row(
        "RFC 7009",
        "2.1",
        "What is revoked cannot be used from then on, and a refresh token takes its access tokens along",
        holds=lambda w: _dead_after(w, "refresh_token"),
    ),
    Row(
        "RFC 7009",
        "2.1",
        "An access token may take its refresh token along",
        holds=lambda w: _dead_after(w, "access_token"),
    ),
    Row(
        "RFC 7009",
        "2.1",
        "A wrong hint does not keep a token from being found",
        holds=lambda w: _dead_after(w, "refresh_token", hint="access_token"),
    ),
    Row(
        "RFC 7009",
        "2.1",
        "An unknown hint is ignored",
        holds=lambda w: _dead_after(w, "access_token", hint="nobody_knows"),
    ),
    Row(
        "RFC 7009",
        "2.2",
        "An unknown token is a success",
        lambda w: w.post("revoke_token", token="unknown"),
        answered(200),
    ),
    Row(
        "RFC 7009",
        "2.2",
        "A token that was revoked before is a success",
        lambda w: [w.post("revoke_token", token=token) for token in [w.tokens()["access_token"]] * 2][1],
        answered(200),
    ),
    Row(
        "RFC 7662",
        "2.1",
        "POST alone is taken",
        lambda w: w.get(f"{ENDPOINTS}introspect_token?token=x"),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 7662",
        "2.1",
        "The token is required",
        lambda w: w.post("introspect_token"),
        answered(400, "invalid_request"),
    ),
    Row(
        "RFC 7662",
        "2.1",
        "Whoever asks proves who it is",
        lambda w: w.oauth.send("introspect_token", {"token": w.tokens()["access_token"]}),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 7662",
        "2.1",
        "A client that has nothing to prove itself by is told nothing",
        lambda w: w.post("introspect_token", w.public, token=w.tokens(w.public)["access_token"]),
        answered(401, "invalid_client", www_authenticate="Basic "),
    ),
    Row(
        "RFC 7662",
        "2.1",
        "An access token is no proof of who asks",
        lambda w: w.oauth.send("introspect_token", {"token": "x"}, f"Bearer {w.tokens()['access_token']}"),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 7662",
        "2.1",
        "A wrong hint does not keep a token from being found",
        lambda w: _introspected(w, w.tokens()["access_token"], hint="refresh_token"),
        _described,
    ),
    Row(
        "RFC 7662",
        "2.2",
        "A good token is described",
        lambda w: _introspected(w, w.tokens()["access_token"]),
        _described,
    ),
    Row(
        "RFC 7662",
        "2.2",
        "A good refresh token is described",
        lambda w: _introspected(w, w.tokens()["refresh_token"]),
        lambda answer: answer.document["active"] is True,
    ),
    Row(
        "RFC 7662",
        "2.2",
        "A refresh token passes for no access token",
        lambda w: _introspected(w, w.tokens()["refresh_token"]),
        lambda answer: "token_type" not in answer.document,
    ),
    Row(
        "RFC 7662",
        "2.2",
        "A token by client credentials is described as the user that it runs as",
        lambda w: _introspected(w, w.post("get_token", grant_type="client_credentials").document["access_token"]),
        lambda answer: answer.document["username"] == MACHINE_USER,
    ),
    Row(
        "RFC 7662",
        "2.2",
        "Of an unknown token nothing is told but that it is none",
        lambda w: _introspected(w, "unknown"),
        _nothing,
    ),
    Row(
        "RFC 7662",
        "2.2",
        "Of a token for others nothing is told",
        lambda w: _introspected(w, w.tokens(w.lax)["access_token"]),
        _nothing,
    ),
    Row(
        "RFC 7662",
        "2.2",
        "A protected resource is told of tokens for it",
        lambda w: w.post(
            "introspect_token", w.resource, token=w.tokens(scope="custom", resource=RESOURCE)["access_token"]
        ),
        lambda answer: answer.document["active"] is True and answer.document["aud"] == [RESOURCE],
    ),
    Row("RFC 7662", "4", "A revoked token is not active", _revoked, _nothing),
    Row("RFC 7662", "4", "An expired token is not active", _expired, _nothing),
    Row("RFC 7662", "4", "A refresh token that was used is not active", _used_refresh_token, _nothing),
    Row(
        "RFC 7662",
        "4",
        "Answers are kept by nobody",
        lambda w: _introspected(w, "x"),
        answered(200, cache_control="no-store"),
    ),
    Row(
        "RFC 7662",
        "4",
        "Scripts of other origins are told nothing",
        lambda w: _introspected(w, "x"),
        lambda answer: answer.header("access-control-allow-origin") is None,
    ),
    Row("RFC 7009", "2", "TLS", unmet="The operator's: TLS ends at a proxy, and LATCHGATE_PUBLIC_URL says https"),
)


@pytest.mark.parametrize("row", met(ROWS), ids=str)
def test_revocation_and_introspection_meet_their_requirements(world: World, row: Row) -> None:
    """Each row of RFC 7009 and RFC 7662 holds."""
    row.check(world)
