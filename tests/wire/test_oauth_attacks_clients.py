"""What is tried by and against clients: to pass for another, to reach further, to learn of others' tokens."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from latchgate.services.actors import COMMAND_LINE
from support.oauth import ALL_GRANTS, ENDPOINTS, App, OAuth, assert_refused, opened_oauth

USER, MACHINE = "user@example.com", "machine@example.com"
RESOURCE = "https://api.example/v1"


@pytest.fixture(scope="module")
def oauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuth]:
    """A service with a user, and one that clients run as."""
    with opened_oauth(tmp_path_factory.mktemp("attacked") / "home", USER, MACHINE) as oauth:
        yield oauth


@pytest.fixture(scope="module")
def app(oauth: OAuth) -> App:
    """A confidential client with every grant."""
    return oauth.make("App", grant_types=ALL_GRANTS, user=MACHINE)


# The secret


_GRANT = {"grant_type": "client_credentials"}


def _secrets(app: App) -> dict[str, tuple[dict[str, str], str | None, str]]:
    """Give each wrong way to send a secret: the form, the header, the address."""
    basic, named = app.basic, {"client_id": app.client_id}
    wrong = App(app.client_id, app.secret[:-1] + ("a" if app.secret[-1] != "a" else "b")).basic
    return {
        "missing": (named, None, ""),
        "empty in the form": ({**named, "client_secret": ""}, None, ""),
        "empty in the header": ({}, App(app.client_id, " ").basic, ""),
        "wrong in the form": ({**named, "client_secret": "wrong"}, None, ""),
        "wrong in the header": ({}, wrong, ""),
        "in capitals": ({**named, "client_secret": app.secret.upper()}, None, ""),
        "with a space": ({**named, "client_secret": f"{app.secret} "}, None, ""),
        "with a NUL": ({**named, "client_secret": f"{app.secret}\x00"}, None, ""),
        "in the address": ({}, None, f"?{urlencode({**named, 'client_secret': app.secret})}"),
        "id in the form, secret in the address": (named, None, f"?client_secret={app.secret}"),
        "as a token": ({}, f"token {app.client_id}:{app.secret}", ""),
        "as a bearer": ({}, f"Bearer {app.secret}", ""),
        "header and form": ({**named, "client_secret": app.secret}, basic, ""),
        "header and another id": ({"client_id": "other"}, basic, ""),
        "secret and assertion": ({**named, "client_secret": app.secret, "client_assertion": "a.b.c"}, None, ""),
    }


@pytest.mark.parametrize("name", _secrets(App("an-id", "a-secret")))
@pytest.mark.parametrize("endpoint", ["get_token", "revoke_token", "introspect_token", "device_authorization"])
def test_no_client_without_its_secret(oauth: OAuth, app: App, endpoint: str, name: str) -> None:
    """Wherever clients ask, the secret is there, right, once and in its place, or nothing is done."""
    form, authorization, query = _secrets(app)[name]

    answer = oauth.send(f"{ENDPOINTS}{endpoint}{query}", {**_GRANT, "token": "x", **form}, authorization)

    assert answer.status in {400, 401}
    assert answer.document["error"] in {"invalid_client", "invalid_request"}
    assert app.secret not in answer.text


def test_the_former_secret_ends_with_the_rotation(oauth: OAuth) -> None:
    """Without an overlap the secret before is wrong at once."""
    app = oauth.make("Rotated", grant_types=ALL_GRANTS, user=MACHINE)
    oauth.service.latchgate.clients.rotate(COMMAND_LINE, app.client_id)

    assert_refused(oauth.send("get_token", _GRANT, app.basic), "invalid_client", 401)


def test_a_secret_does_not_open_another_client(oauth: OAuth, app: App) -> None:
    """Nor does an API key, which looks alike, pass for a client, or a client for an API key."""
    other = oauth.make("Other", grant_types=ALL_GRANTS, user=MACHINE)
    pair = oauth.service.make_key(USER)

    assert_refused(oauth.send("get_token", _GRANT, App(app.client_id, other.secret).basic), "invalid_client", 401)
    assert_refused(oauth.send("get_token", _GRANT, pair.basic), "invalid_client", 401)
    assert oauth.service.ask(authorization=app.basic, peer=oauth.service.new_peer()).status == 401


def test_wrong_secrets_are_counted_and_hurt_nobody_else(oauth: OAuth, app: App) -> None:
    """After a minute's share of wrong guesses an address is told so; the right secret is let in from there too."""
    peer = oauth.service.new_peer()
    wrong = {"client_id": app.client_id, "client_secret": "wrong", **_GRANT}

    statuses = {oauth.send("get_token", wrong, peer=peer).status for _ in range(310)}

    assert statuses == {401, 429}
    assert oauth.send("get_token", _GRANT, app.basic, peer=peer).status == 200


# What clients ask for


@pytest.mark.parametrize("scope", ["all", "User:write", "Role:read User:read", "read"])
def test_client_credentials_reach_no_further_than_the_client(oauth: OAuth, scope: str) -> None:
    """A scope beyond the client's own is refused, as a whole."""
    app = oauth.make("Narrow", grant_types=ALL_GRANTS, user=MACHINE, scopes=frozenset({"User:read"}))

    assert_refused(oauth.send("get_token", {**_GRANT, "scope": scope}, app.basic), "invalid_scope", 400)


def test_client_credentials_run_as_no_user_who_is_disabled(oauth: OAuth) -> None:
    """A client whose user may not act gets no token, and those it has are dead."""
    user = oauth.service.make_user("leaver@example.com")
    app = oauth.make("Leaver's", grant_types=ALL_GRANTS, user=user)
    token = oauth.send("get_token", _GRANT, app.basic).document["access_token"]

    oauth.service.latchgate.users.set_enabled(COMMAND_LINE, user, enabled=False)

    assert_refused(oauth.send("get_token", _GRANT, app.basic), "invalid_grant", 400)
    assert not oauth.works(token)


def test_of_another_clients_tokens_nothing_is_told(oauth: OAuth, app: App) -> None:
    """Introspection by another client is as of a token that never was; its own client and the resource are told."""
    stranger, resource = oauth.make("Stranger"), oauth.make("Resource", resources=(RESOURCE,))
    tokens = oauth.tokens(app, USER, {"resource": RESOURCE})

    for kind in ("access_token", "refresh_token"):
        assert oauth.introspect(stranger, tokens[kind]) == {"active": False}
    assert oauth.introspect(resource, tokens["access_token"])["active"] is True
    assert oauth.introspect(resource, tokens["refresh_token"]) == {"active": False}
    assert not oauth.works(tokens["access_token"])


def test_another_clients_token_is_not_revoked(oauth: OAuth, app: App) -> None:
    """Whoever finds a token cannot end it, and learns no more than that it is not theirs."""
    stranger, tokens = oauth.make("Stranger"), oauth.tokens(app, USER)

    for kind in ("access_token", "refresh_token"):
        assert_refused(oauth.send("revoke_token", {"token": tokens[kind]}, stranger.basic), "invalid_grant", 400)

    assert oauth.works(tokens["access_token"])
    assert oauth.refresh(app, tokens["refresh_token"]).status == 200


@pytest.mark.parametrize("kind", ["refresh_token", "id_token"])
def test_no_token_passes_for_an_access_token(oauth: OAuth, app: App, kind: str) -> None:
    """A refresh token, a code or an ID token opens nothing."""
    assert not oauth.works(oauth.tokens(app, USER)[kind])
    assert not oauth.works(oauth.code(app, USER))


@pytest.mark.parametrize(
    ("endpoint", "form", "error"),
    [
        ("get_token", {"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ("device_authorization", {"resource": "https://nobody.example"}, "invalid_target"),
        ("revoke_token", {}, "invalid_request"),
    ],
)
def test_the_log_says_what_the_client_was_told(
    oauth: OAuth, app: App, endpoint: str, form: dict[str, str], error: str
) -> None:
    """Whichever part refused it, a client's request is logged with the code that it was answered."""
    answer = oauth.send(endpoint, form, app.basic)

    assert_refused(answer, error, 400)
    assert [row.reason for row in answer.rows] == [error]
