"""Refresh tokens are exchanged once each, and never for more than was allowed. Source: RFC 9700, section 4.14."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latchgate.core.scopes import asks_within
from latchgate.core.tokens import Secret
from latchgate.oauth.backing import Refusal
from latchgate.oauth.scopes import write_scopes
from latchgate.services.actors import COMMAND_LINE
from support.house import ISSUER, OLD_PEPPERS, House, present_token
from support.oauth_house import API, LIFETIMES, OTHER_API, OAuthHouse, build_oauth_house, code_of, issued

_GRACE, _LIFETIME = LIFETIMES.refresh_grace_seconds, LIFETIMES.refresh_token_seconds
_SCOPES = st.frozensets(
    st.sampled_from(["all", "read", "openid", "User:read", "User:write", "API Key:read", "note"]), max_size=3
)
_RESOURCES = st.frozensets(st.sampled_from([ISSUER, API, OTHER_API]), max_size=3)


def _refused(outcome: object, error: str = "invalid_grant") -> bool:
    return isinstance(outcome, Refusal) and outcome.error == error


def test_a_refresh_token_is_followed_by_another(oauth: OAuthHouse) -> None:
    """Both access tokens open what was allowed, and the new refresh token goes on."""
    oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in(), scope="openid all")

    second = issued(oauth.refresh(client, first.refresh_token))
    third = issued(oauth.refresh(client, second.refresh_token))

    assert len({tokens.access_token.text for tokens in (first, second, third)}) == 3
    assert all(map(oauth.opens, (first, second, third)))
    assert (second.scopes, second.id_token) == (frozenset({"openid", "all"}), None)


@pytest.mark.parametrize("seconds", [0, _GRACE])
def test_a_lost_reply_is_given_once_more(oauth: OAuthHouse, seconds: int) -> None:
    """For a few seconds the same token has the same successors, with the time that is left of them."""
    oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in())
    second = issued(oauth.refresh(client, first.refresh_token))

    oauth.house.clock.advance(seconds)
    again = issued(oauth.refresh(client, first.refresh_token))

    assert (again.access_token.text, again.scopes) == (second.access_token.text, second.scopes)
    assert again.refresh_token == second.refresh_token
    assert again.expires_in == second.expires_in - seconds
    assert oauth.operations().count("oauth_tokens.reuse_detected") == 0


def test_a_lost_reply_is_given_once_more_after_the_peppers_changed(oauth: OAuthHouse) -> None:
    """What was derived under the older pepper is found again."""
    oauth.house.add_user()
    old = build_oauth_house(oauth.house.with_peppers(OLD_PEPPERS))
    client = old.add_client()
    first = old.begin(client, old.sign_in())
    second = issued(old.refresh(client, first.refresh_token))

    again = issued(oauth.refresh(client, first.refresh_token))

    assert again.access_token == second.access_token


def test_a_refresh_token_sent_later_ends_its_family_and_nothing_else(oauth: OAuthHouse) -> None:
    """Two hold it: neither goes on, and the user's other tokens are not touched."""
    oauth.house.add_user()
    client, actor = oauth.add_client(), oauth.sign_in()
    other, first = oauth.begin(client, actor), oauth.begin(client, actor)
    second = issued(oauth.refresh(client, first.refresh_token))
    oauth.house.clock.advance(_GRACE + 1)

    assert _refused(oauth.refresh(client, first.refresh_token))

    assert _refused(oauth.refresh(client, second.refresh_token))
    assert (oauth.opens(first), oauth.opens(second), oauth.opens(other)) == (False, False, True)
    assert isinstance(oauth.refresh(client, other.refresh_token), Refusal) is False
    [entry] = [entry for entry in oauth.house.activity() if entry.operation == "oauth_tokens.reuse_detected"]
    assert (entry.user, entry.ip_address, entry.subject) == (actor.user, "192.0.2.1", client.client_id)


def test_a_refresh_token_whose_successor_was_used_ends_the_family_at_once(oauth: OAuthHouse) -> None:
    """The reply was not lost: whoever sends the first one again is somebody else."""
    oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in())
    second = issued(oauth.refresh(client, first.refresh_token))
    third = issued(oauth.refresh(client, second.refresh_token))

    assert _refused(oauth.refresh(client, first.refresh_token))

    assert not oauth.opens(third)
    assert _refused(oauth.refresh(client, third.refresh_token))


def test_successors_that_are_gone_are_not_given_again(oauth: OAuthHouse) -> None:
    """Nor are others made instead of them."""
    oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in())
    issued(oauth.refresh(client, first.refresh_token))
    oauth.house.execute("DELETE FROM oauth_token")

    assert _refused(oauth.refresh(client, first.refresh_token))


@pytest.mark.parametrize(("seconds", "good"), [(_LIFETIME - 1, True), (_LIFETIME, False)])
def test_a_refresh_token_lives_since_the_last_use(oauth: OAuthHouse, seconds: int, *, good: bool) -> None:
    """Each successor begins anew, to the second."""
    oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in())
    oauth.house.clock.advance(_LIFETIME - 1)
    second = issued(oauth.refresh(client, first.refresh_token))
    oauth.house.clock.advance(seconds)

    assert isinstance(oauth.refresh(client, second.refresh_token), Refusal) is not good


def test_another_client_s_refresh_token_is_unknown(oauth: OAuthHouse) -> None:
    """It gives the other client nothing, and ends nothing."""
    oauth.house.add_user()
    client, thief = oauth.add_client(), oauth.add_client()
    first = oauth.begin(client, oauth.sign_in())

    assert _refused(oauth.refresh(thief, first.refresh_token))

    assert oauth.opens(issued(oauth.refresh(client, first.refresh_token)))


def test_a_refresh_token_copied_into_another_row_is_nobody_s(oauth: OAuthHouse) -> None:
    """Who can write the database cannot move a token into the family of another user."""
    oauth.house.add_user()
    client, actor = oauth.add_client(), oauth.sign_in()
    one, other = oauth.begin(client, actor), oauth.begin(client, actor)
    oauth.house.execute("UPDATE oauth_refresh_token SET family_id = 2 WHERE id = 1")

    assert _refused(oauth.refresh(client, one.refresh_token))
    assert oauth.introspect(client, one.refresh_token) == {"active": False}
    assert oauth.tokens.revoke(client, one.refresh_token or Secret(""), "")
    assert oauth.opens(other)


@pytest.fixture(scope="module")
def lasting(lasting_house: House) -> OAuthHouse:
    """The OAuth services over the module's house, with resources that tokens can be for."""
    lasting_house.add_user()
    oauth = build_oauth_house(lasting_house)
    oauth.add_client(resources=(API, OTHER_API))
    return oauth


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(allowed=_SCOPES.filter(bool), wanted=_SCOPES)
def test_a_refresh_never_widens_the_scope(lasting: OAuthHouse, allowed: frozenset[str], wanted: frozenset[str]) -> None:
    """What comes back is what was asked for, if all of it was allowed, and nothing if some of it was not."""
    client = lasting.add_client(scopes=frozenset({"all", "note"}))
    first = lasting.begin(client, lasting.sign_in(), scope=write_scopes(allowed))

    outcome = lasting.refresh(client, first.refresh_token, scope=write_scopes(wanted))

    if asks_within(wanted, allowed):
        assert issued(outcome).scopes == (wanted or allowed)
        principal = lasting.house.principal(present_token(issued(outcome).access_token.text))
        assert asks_within(principal.scopes, allowed)
    else:
        assert _refused(outcome, "invalid_scope")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(allowed=_RESOURCES, at_code=_RESOURCES, at_refresh=_RESOURCES)
def test_the_audience_never_widens(
    lasting: OAuthHouse, allowed: frozenset[str], at_code: frozenset[str], at_refresh: frozenset[str]
) -> None:
    """Tokens are for what was allowed or for less of it, and open this service only if they are for it."""
    client, actor = lasting.add_client(), lasting.sign_in()
    asked = [*lasting.ask_for(client), *(("resource", name) for name in sorted(allowed))]
    code = code_of(lasting.authorizations.answer(asked, actor, allow=True))

    outcome = lasting.redeem(client, code, resource=" ".join(at_code))

    whole = allowed or {ISSUER}
    if not at_code <= whole:
        assert _refused(outcome, "invalid_target")
        return
    assert lasting.opens(issued(outcome)) is (ISSUER in (at_code or whole))
    refreshed = lasting.refresh(client, issued(outcome).refresh_token, resource=" ".join(at_refresh))
    if not at_refresh <= whole:
        assert _refused(refreshed, "invalid_target")
    else:
        assert lasting.opens(issued(refreshed)) is (ISSUER in (at_refresh or whole))


@pytest.mark.parametrize("scope", ["all", '"', "x" * 4_001])
def test_a_scope_that_cannot_be_is_refused(oauth: OAuthHouse, scope: str) -> None:
    """Wider than what was allowed, or no scope at all; the refresh token is not spent by it."""
    oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in(), scope="User:read")

    assert _refused(oauth.refresh(client, first.refresh_token, scope=scope), "invalid_scope")

    assert oauth.opens(issued(oauth.refresh(client, first.refresh_token)))


def test_a_refresh_token_of_a_user_who_is_disabled_is_not_spent(oauth: OAuthHouse) -> None:
    """Nothing is made of it meanwhile; who is enabled again goes on."""
    user = oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in())
    oauth.house.users.set_enabled(COMMAND_LINE, user.name, enabled=False)

    assert _refused(oauth.refresh(client, first.refresh_token))

    oauth.house.users.set_enabled(COMMAND_LINE, user.name, enabled=True)
    assert oauth.opens(issued(oauth.refresh(client, first.refresh_token)))
