"""What is tried against codes and refresh tokens: stolen, sent twice, raced, taken elsewhere."""

import json
from collections.abc import Callable, Iterator

import pytest

from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, opened_service
from support.oauth import CALLBACK, ENDPOINTS, VERIFIER, App, OAuth

USER = "victim@example.com"
OTHER = "https://app.example/other"
_TOGETHER = 8


@pytest.fixture(scope="module")
def oauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuth]:
    """A service with a user."""
    with opened_service(tmp_path_factory.mktemp("attacked") / "home") as service:
        service.make_user(USER, roles=frozenset({SYSTEM_MANAGER}))
        yield OAuth(service)


@pytest.fixture(scope="module")
def app(oauth: OAuth) -> App:
    """A client with two redirect URIs."""
    return oauth.make("App", redirect_uris=(CALLBACK, OTHER))


@pytest.fixture(scope="module")
def lax(oauth: OAuth) -> App:
    """One that need not use PKCE."""
    return oauth.make("Lax", require_pkce=False)


def _refused(answer: Answer, error: str = "invalid_grant", status: int = 400) -> None:
    assert (answer.status, answer.document["error"]) == (status, error), answer.text


def _reuses(oauth: OAuth) -> list[str]:
    """Name the clients whose tokens came twice, as the log of activity does."""
    with oauth.service.latchgate.store.read() as tx:
        entries = tx.activity.list_latest(100)
    return [entry.subject for entry in entries if entry.operation == "oauth_tokens.reuse_detected"]


# Codes


def test_a_code_that_is_sent_twice_ends_what_it_gave(oauth: OAuth) -> None:
    """Both tokens end, the refreshed ones too, and the log says so to the user whose they were."""
    app = oauth.make("Twice")
    code = oauth.code(app, USER)
    first = oauth.exchange(app, code).document
    second = oauth.refresh(app, first["refresh_token"]).document

    _refused(oauth.exchange(app, code))

    assert not oauth.works(first["access_token"])
    assert not oauth.works(second["access_token"])
    _refused(oauth.refresh(app, second["refresh_token"]))
    assert oauth.live_families(app) == 0
    assert app.client_id in _reuses(oauth)


@pytest.mark.parametrize("changes", [{"code_verifier": "b" * 60}, {"code_verifier": None}, {"redirect_uri": OTHER}])
def test_a_leaked_code_alone_ends_nothing(oauth: OAuth, app: App, changes: dict[str, str | None]) -> None:
    """Whoever holds a used code without its verifier, or says another address, does no harm."""
    code = oauth.code(app, USER)
    tokens = oauth.exchange(app, code).document

    _refused(oauth.exchange(app, code, changes))

    assert oauth.works(tokens["access_token"])
    assert oauth.refresh(app, tokens["refresh_token"]).status == 200


def test_a_leaked_code_in_another_clients_hands_ends_nothing(oauth: OAuth, app: App) -> None:
    """Another client neither redeems a code nor ends its tokens, before its use or after."""
    thief = oauth.make("Thief", redirect_uris=(CALLBACK,))
    code = oauth.code(app, USER)

    _refused(oauth.exchange(thief, code))
    tokens = oauth.exchange(app, code).document
    _refused(oauth.exchange(thief, code))

    assert oauth.works(tokens["access_token"])


@pytest.mark.parametrize("redirect_uri", [OTHER, "https://evil.example/cb", f"{CALLBACK}/", None])
def test_a_code_is_redeemed_at_its_own_address_alone(oauth: OAuth, app: App, redirect_uri: str | None) -> None:
    """Another redirect URI, registered or not, or none, gets nothing, and the code is still good for its own."""
    code = oauth.code(app, USER)

    _refused(oauth.exchange(app, code, {"redirect_uri": redirect_uri}))

    assert oauth.exchange(app, code).status == 200


def test_a_code_after_its_time_is_none(oauth: OAuth, app: App) -> None:
    """A minute later a code gives nothing, to its own client neither, and goes on giving nothing."""
    code = oauth.code(app, USER)
    oauth.age("oauth_code", "expires_at", 60)

    _refused(oauth.exchange(app, code))
    _refused(oauth.exchange(app, code))


@pytest.mark.parametrize(
    "verifier", [None, "", "short", "b" * 43, VERIFIER[:-1], VERIFIER.upper(), VERIFIER + "=", "a" * 129]
)
def test_a_wrong_verifier_gets_nothing(oauth: OAuth, app: App, verifier: str | None) -> None:
    """Without the very verifier there are no tokens."""
    answer = oauth.exchange(app, oauth.code(app, USER), {"code_verifier": verifier})

    assert answer.status == 400
    assert answer.document["error"] in {"invalid_grant", "invalid_request"}


def test_pkce_cannot_be_taken_away(oauth: OAuth, lax: App) -> None:
    """A code asked for with a challenge needs its verifier, one without takes none, whatever the client must."""
    with_challenge = oauth.code(lax, USER)
    without = oauth.code(lax, USER, {"code_challenge": None, "code_challenge_method": None})

    assert oauth.exchange(lax, with_challenge, {"code_verifier": None}).status == 400
    assert oauth.exchange(lax, without).status == 400
    assert oauth.exchange(lax, without, {"code_verifier": None}).status == 200


def test_of_eight_requests_with_one_code_one_at_most_gets_tokens(oauth: OAuth) -> None:
    """Raced by whoever holds all of it, a code gives tokens once at most, and they are dead afterwards."""
    app = oauth.make("Raced")
    form = oauth.exchange_form(app, oauth.code(app, USER))

    answers = oauth.service.forms_together(f"{ENDPOINTS}get_token", form, app.basic, _TOGETHER)

    given = [json.loads(body) for status, body in answers if status == 200]
    assert len(given) == 1
    assert {status for status, _ in answers} == {200, 400}
    assert not oauth.works(given[0]["access_token"])
    _refused(oauth.refresh(app, given[0]["refresh_token"]))
    assert oauth.live_families(app) == 0


# Refresh tokens


def test_a_refresh_token_of_another_client_is_none_and_ends_nothing(oauth: OAuth, app: App) -> None:
    """A stolen refresh token is of no use to another client, and its owner goes on."""
    thief = oauth.make("Another")
    tokens = oauth.tokens(app, USER)

    _refused(oauth.refresh(thief, tokens["refresh_token"]))

    assert oauth.works(tokens["access_token"])
    assert oauth.refresh(app, tokens["refresh_token"]).status == 200


def test_a_lost_reply_is_given_again_for_a_few_seconds(oauth: OAuth, app: App) -> None:
    """Sent again at once, a refresh token gives the same successors, not others."""
    tokens = oauth.tokens(app, USER)

    first = oauth.refresh(app, tokens["refresh_token"]).document
    again = oauth.refresh(app, tokens["refresh_token"]).document

    assert (first["access_token"], first["refresh_token"]) == (again["access_token"], again["refresh_token"])
    assert oauth.works(first["access_token"])


def test_a_refresh_token_that_comes_again_later_ends_its_family(oauth: OAuth) -> None:
    """After the grace two hold it: all that came of the approval ends."""
    app = oauth.make("Reused")
    tokens = oauth.tokens(app, USER)
    successors = oauth.refresh(app, tokens["refresh_token"]).document
    oauth.age("oauth_refresh_token", "used_at", 11)

    _refused(oauth.refresh(app, tokens["refresh_token"]))

    assert not oauth.works(successors["access_token"])
    _refused(oauth.refresh(app, successors["refresh_token"]))
    assert oauth.live_families(app) == 0


def test_a_refresh_token_whose_successor_was_used_ends_its_family(oauth: OAuth) -> None:
    """Within the grace too: whoever went on from the successor had got the reply."""
    app = oauth.make("Reused at once")
    tokens = oauth.tokens(app, USER)
    second = oauth.refresh(app, tokens["refresh_token"]).document
    third = oauth.refresh(app, second["refresh_token"]).document

    _refused(oauth.refresh(app, tokens["refresh_token"]))

    assert not oauth.works(third["access_token"])
    assert oauth.live_families(app) == 0


def test_of_eight_refreshes_at_once_all_get_the_same(oauth: OAuth) -> None:
    """Raced, a refresh token has one pair of successors and one family, which lives."""
    app = oauth.make("Refreshes raced")
    tokens = oauth.tokens(app, USER)
    form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"])]

    answers = oauth.service.forms_together(f"{ENDPOINTS}get_token", form, app.basic, _TOGETHER)

    documents = [json.loads(body) for status, body in answers if status == 200]
    assert len(documents) == _TOGETHER
    assert len({(document["access_token"], document["refresh_token"]) for document in documents}) == 1
    assert oauth.live_families(app) == 1
    assert oauth.refresh(app, documents[0]["refresh_token"]).status == 200


def test_a_scope_can_only_become_narrower(oauth: OAuth) -> None:
    """A refresh asks for less, never for more, and by less the family does not become less."""
    app = oauth.make("Scoped", scopes=frozenset({"User:read", "Role:read", "openid"}))
    tokens = oauth.tokens(app, USER, {"scope": "User:read"})

    _refused(oauth.refresh(app, tokens["refresh_token"], {"scope": "User:read Role:read"}), "invalid_scope")
    _refused(oauth.refresh(app, tokens["refresh_token"], {"scope": "all"}), "invalid_scope")
    _refused(oauth.refresh(app, tokens["refresh_token"], {"scope": "User:write"}), "invalid_scope")

    assert oauth.refresh(app, tokens["refresh_token"]).document["scope"] == "User:read"


# What ends elsewhere


def _end_user(oauth: OAuth, app: App, user: str) -> None:
    oauth.service.latchgate.users.set_enabled(COMMAND_LINE, user, enabled=False)


def _end_role(oauth: OAuth, app: App, user: str) -> None:
    with oauth.service.latchgate.store.read() as tx:
        found = tx.users.find(user)
    assert found is not None
    for role in found.roles:
        oauth.service.latchgate.roles.revoke(COMMAND_LINE, user, role)


def _end_client(oauth: OAuth, app: App, user: str) -> None:
    oauth.service.latchgate.clients.revoke(COMMAND_LINE, app.client_id)


def _delete_client(oauth: OAuth, app: App, user: str) -> None:
    oauth.service.latchgate.clients.delete(COMMAND_LINE, app.client_id)


def _end_consent(oauth: OAuth, app: App, user: str) -> None:
    latchgate = oauth.service.latchgate
    with latchgate.store.read() as tx:
        found = tx.users.find(user)
        assert found is not None
        (consent,) = tx.consents.list_of(found.id)
    latchgate.consents.end(COMMAND_LINE, consent.public_id)


_ENDS: dict[str, Callable[[OAuth, App, str], None]] = {
    "user disabled": _end_user,
    "role lost": _end_role,
    "client revoked": _end_client,
    "client deleted": _delete_client,
    "consent ended": _end_consent,
}


@pytest.mark.parametrize("what", _ENDS)
def test_tokens_end_with_what_they_stand_on(oauth: OAuth, what: str) -> None:
    """With a user, an allowed role, a client or a consent, all tokens and waiting codes end at the next request."""
    role = oauth.service.latchgate.roles.create(COMMAND_LINE, f"Needed until {what}")
    user = oauth.service.make_user(f"{what.replace(' ', '.')}@example.com", roles=frozenset({role}))
    app = oauth.make(what, allowed_roles=frozenset({role}))
    tokens = oauth.tokens(app, user)
    waiting = oauth.code(app, user)
    assert oauth.works(tokens["access_token"])

    _ENDS[what](oauth, app, user)

    assert not oauth.works(tokens["access_token"])
    assert oauth.refresh(app, tokens["refresh_token"]).status in {400, 401}
    assert oauth.exchange(app, waiting).status in {400, 401}


def test_of_a_disabled_users_tokens_nothing_is_told(oauth: OAuth) -> None:
    """Introspection knows neither of them any more."""
    user = oauth.service.make_user("gone@example.com")
    app = oauth.make("Gone")
    tokens = oauth.tokens(app, user)

    _end_user(oauth, app, user)

    assert oauth.introspect(app, tokens["access_token"]) == {"active": False}
    assert oauth.introspect(app, tokens["refresh_token"]) == {"active": False}
