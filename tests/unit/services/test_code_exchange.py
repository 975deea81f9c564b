"""Authorization codes become tokens once, for whoever they were given to. Source: RFC 6749, section 4.1.3; RFC 9700."""

from dataclasses import replace

import pytest

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.core.scopes import ALL
from latchgate.oauth.backing import Refusal
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import order_of
from support.house import present_token
from support.oauth_house import API, LIFETIMES, OAuthHouse, issued

_CODE = frozenset({GrantType.AUTHORIZATION_CODE})


def _error(outcome: object) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.error


def test_a_code_becomes_tokens(oauth: OAuthHouse) -> None:
    """The access token opens what its user allowed, and no ID token comes where none was asked for."""
    user, client = oauth.house.add_user(), oauth.add_client()

    tokens = oauth.begin(client, oauth.sign_in())

    principal = oauth.house.principal(present_token(tokens.access_token.text))
    assert (principal.user_id, principal.scopes) == (user.id, frozenset({ALL}))
    assert tokens.expires_in == LIFETIMES.access_token_seconds
    assert tokens.refresh_token is not None
    assert tokens.id_token is None


def test_a_client_without_refresh_tokens_gets_none(oauth: OAuthHouse) -> None:
    """Only who may use one is given one."""
    oauth.house.add_user()
    client = oauth.add_client(grant_types=_CODE)

    assert oauth.begin(client, oauth.sign_in()).refresh_token is None


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": "https://app.example.com/other"}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"code": ""}, "invalid_request"),
        ({"code": "lgo_unknown"}, "invalid_grant"),
        ({"resource": "https://nowhere.example.com"}, "invalid_target"),
        ({"resource": API}, "invalid_target"),
    ],
)
def test_what_does_not_fit_gives_no_tokens_and_spends_nothing(
    oauth: OAuthHouse, fields: dict[str, str], error: str
) -> None:
    """A code stays good for whoever can prove all of it, however often others try."""
    oauth.house.add_user()
    oauth.add_client(resources=(API,))
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())

    assert _error(oauth.redeem(client, code, **fields)) == error

    assert oauth.opens(issued(oauth.redeem(client, code)))


def test_another_client_s_code_is_unknown(oauth: OAuthHouse) -> None:
    """A code that leaked to another client gives it nothing and ends nothing."""
    oauth.house.add_user()
    client, thief = oauth.add_client(), oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())

    assert _error(oauth.redeem(thief, code)) == "invalid_grant"

    assert oauth.opens(issued(oauth.redeem(client, code)))


@pytest.mark.parametrize(("seconds", "good"), [(59, True), (60, False)])
def test_a_code_lives_a_minute(oauth: OAuthHouse, seconds: int, *, good: bool) -> None:
    """To the second."""
    oauth.house.add_user()
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())

    oauth.house.clock.advance(seconds)

    assert isinstance(oauth.redeem(client, code), Refusal) is not good


def test_a_code_sent_twice_ends_what_it_gave_and_nothing_else(oauth: OAuthHouse) -> None:
    """The tokens of its own family are dead, those of another approval of the same user and client are not."""
    oauth.house.add_user()
    client, actor = oauth.add_client(), oauth.sign_in()
    other = oauth.begin(client, actor)
    code = oauth.allow(client, actor)
    first = issued(oauth.redeem(client, code))

    assert _error(oauth.redeem(client, code)) == "invalid_grant"
    assert _error(oauth.redeem(client, code)) == "invalid_grant"

    assert not oauth.opens(first)
    assert _error(oauth.refresh(client, first.refresh_token)) == "invalid_grant"
    assert oauth.opens(other)
    assert oauth.operations().count("oauth_tokens.reuse_detected") == 1


def test_a_used_code_without_its_verifier_ends_nothing(oauth: OAuthHouse) -> None:
    """Whoever only saw the code go by cannot sign anybody out with it."""
    oauth.house.add_user()
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())
    first = issued(oauth.redeem(client, code))

    assert _error(oauth.redeem(client, code, code_verifier="w" * 43)) == "invalid_grant"

    assert oauth.opens(first)


def test_a_redirect_uri_that_was_left_out_is_left_out_again(oauth: OAuthHouse) -> None:
    """Where the client has one, and the authorization request did not name it."""
    oauth.house.add_user()
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in(), redirect_uri="")

    assert oauth.opens(issued(oauth.redeem(client, code, redirect_uri="")))


def test_a_client_that_need_not_send_a_challenge_sends_no_verifier_either(oauth: OAuthHouse) -> None:
    """A verifier without a challenge is the sign of a request that was stripped of it. Source: RFC 9700, 4.8.2."""
    oauth.house.add_user()
    client = oauth.add_client(require_pkce=False)
    code = oauth.allow(client, oauth.sign_in(), code_challenge="", code_challenge_method="")

    assert _error(oauth.redeem(client, code)) == "invalid_request"
    assert oauth.opens(issued(oauth.redeem(client, code, code_verifier="")))


def test_a_grant_that_the_client_lost_is_refused(oauth: OAuthHouse) -> None:
    """What a client may exchange is what it may exchange now."""
    oauth.house.add_user()
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())
    changed = oauth.change_client(client, grant_types=frozenset({GrantType.DEVICE_CODE}))

    assert _error(oauth.redeem(changed, code)) == "unauthorized_client"


def test_scopes_that_the_client_lost_are_given_no_more(oauth: OAuthHouse) -> None:
    """Neither by a code nor by a refresh token, whatever was allowed before."""
    oauth.house.add_user()
    client, actor = oauth.add_client(), oauth.sign_in()
    tokens, code = oauth.begin(client, actor), oauth.allow(client, actor)

    client = oauth.change_client(client, scopes=frozenset({"User:read"}))

    assert _error(oauth.redeem(client, code)) == "invalid_scope"
    assert _error(oauth.refresh(client, tokens.refresh_token)) == "invalid_scope"
    assert issued(oauth.refresh(client, tokens.refresh_token, scope="User:read")).scopes == {"User:read"}


def test_a_client_that_was_revoked_meanwhile_gets_nothing(oauth: OAuthHouse) -> None:
    """Even if the gate let it in before."""
    oauth.house.add_user()
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())
    oauth.clients.revoke(COMMAND_LINE, client.client_id)

    assert _error(oauth.redeem(client, code)) == "invalid_client"
    oauth.clients.delete(COMMAND_LINE, client.client_id)
    assert _error(oauth.redeem(client, code)) == "invalid_client"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ([], "unsupported_grant_type"),
        ([("grant_type", "password")], "unsupported_grant_type"),
        ([("grant_type", "implicit")], "unsupported_grant_type"),
        ([("grant_type", "authorization_code"), ("grant_type", "refresh_token")], "invalid_request"),
        ([("grant_type", "authorization_code"), ("co de", "a"), ("co de", "b")], "invalid_request"),
        ([("grant_type", "authorization_code"), ("code", "ü")], "invalid_request"),
        ([("grant_type", "authorization_code"), ("code", "a\n")], "invalid_request"),
        ([("grant_type", "refresh_token")], "invalid_request"),
        ([("grant_type", "refresh_token"), ("refresh_token", "lgr_unknown")], "invalid_grant"),
        ([("grant_type", "refresh_token"), ("refresh_token", "x"), ("resource", "a b")], "invalid_target"),
        ([("grant_type", "client_credentials")], "unauthorized_client"),
        ([("grant_type", GrantType.DEVICE_CODE)], "invalid_request"),
        ([("grant_type", GrantType.DEVICE_CODE), ("device_code", "x")], "unauthorized_client"),
    ],
)
def test_a_request_that_is_not_in_order(oauth: OAuthHouse, parameters: list[tuple[str, str]], error: str) -> None:
    """Each has the error of its RFC."""
    client = oauth.add_client()

    assert _error(oauth.tokens.exchange(parameters, client, "192.0.2.1")) == error


def test_client_credentials_run_as_the_client_s_user(oauth: OAuthHouse) -> None:
    """Within what is asked for, for the resource that is asked for, and without a refresh token."""
    user = oauth.house.add_user()
    oauth.add_client(resources=(API,))
    client = oauth.add_client(grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), redirect_uris=(), user=user.name)

    whole = issued(oauth.exchange(client, "client_credentials"))
    narrow = issued(oauth.exchange(client, "client_credentials", scope="User:read"))
    elsewhere = issued(oauth.exchange(client, "client_credentials", resource=API))

    assert (whole.scopes, whole.refresh_token, whole.id_token) == (client.scopes, None, None)
    assert oauth.house.principal(present_token(narrow.access_token.text)).scopes == {"User:read"}
    assert not oauth.opens(elsewhere)
    limited = oauth.change_client(client, replace(order_of(client), scopes=frozenset({"User:read"})))
    assert _error(oauth.exchange(limited, "client_credentials", scope="all")) == "invalid_scope"
    assert _error(oauth.exchange(limited, "client_credentials", scope='"')) == "invalid_scope"


def test_a_client_whose_user_is_disabled_gets_nothing(oauth: OAuthHouse) -> None:
    """Its tokens would open nothing, and none is made."""
    user = oauth.house.add_user()
    client = oauth.add_client(grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), redirect_uris=(), user=user.name)
    oauth.house.users.set_enabled(COMMAND_LINE, user.name, enabled=False)

    assert _error(oauth.exchange(client, "client_credentials")) == "invalid_grant"


def test_a_client_whose_user_was_deleted_runs_as_nobody(oauth: OAuthHouse) -> None:
    """It is told that it may not, as any client without a user."""
    user = oauth.house.add_user()
    client = oauth.add_client(grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), redirect_uris=(), user=user.name)
    oauth.house.users.delete(COMMAND_LINE, user.name)

    assert _error(oauth.exchange(client, "client_credentials")) == "unauthorized_client"


def test_a_public_client_gets_no_tokens_of_its_own(oauth: OAuthHouse) -> None:
    """It cannot be made so, and if its row says so, the grant is for clients that prove themselves all the same."""
    user = oauth.house.add_user()
    client = oauth.add_client(auth_method=AuthMethod.NONE)
    oauth.house.execute(
        "UPDATE oauth_client SET grant_types = :grants, user_id = :user",
        {"grants": '["client_credentials"]', "user": user.id},
    )

    assert _error(oauth.exchange(client, "client_credentials")) == "unauthorized_client"
