"""What clients are told of tokens and of their users. Source: RFC 7662; OpenID Connect Core, sections 2 and 5.3."""

import json

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.clients import SigningAlgorithm
from latchgate.core.tokens import Peppers, Secret, derive_pepper
from latchgate.oauth.id_tokens import read_id_token_hint
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.identities import claims_of, prepare_subjects, subject_of
from latchgate.services.port_values import UserChanges
from latchgate.services.users import UserOrder
from support.house import ISSUER, NOW, TOKEN_TEXT, USER
from support.oauth_house import API, OAuthHouse, build_oauth_house, issued
from unit.oauth.jwts import read

_INACTIVE = {"active": False}


def test_an_access_token_is_described_to_its_client(oauth: OAuthHouse) -> None:
    """Whose it is, for what, until when, and whether its client is trusted; no more where `openid` was not allowed."""
    oauth.house.add_user()
    client = oauth.add_client()
    tokens = oauth.begin(client, oauth.sign_in(), scope="all User:read")

    told = oauth.introspect(client, tokens.access_token)

    assert told == {
        "active": True,
        "client_id": client.client_id,
        "trusted_client": 0,
        "scope": "User:read all",
        "username": USER,
        "sub": told["sub"],
        "iss": ISSUER,
        "token_type": "Bearer",
        "exp": NOW + 3600,
        "iat": NOW,
        "aud": [ISSUER],
    }


def test_a_refresh_token_is_described_to_its_client(oauth: OAuthHouse) -> None:
    """Until when it lives; with `openid` also who the user is."""
    oauth.house.add_user(UserOrder(USER, first_name="Api", password=Secret("correct horse battery")))
    client = oauth.add_client(skip_authorization=True)
    tokens = oauth.begin(client, oauth.sign_in(), scope="openid")

    told = oauth.introspect(client, tokens.refresh_token)

    assert told.items() >= {"active": True, "trusted_client": 1, "exp": NOW + 30 * 86_400, "name": "Api"}.items()
    assert "token_type" not in told


def test_a_token_is_described_to_the_resource_that_it_is_for(oauth: OAuthHouse) -> None:
    """And neither to another client, nor its refresh token to the resource."""
    oauth.house.add_user()
    client, stranger, resource = oauth.add_client(), oauth.add_client(), oauth.add_client(resources=(API,))
    tokens = oauth.begin(client, oauth.sign_in(), resource=API)

    assert oauth.introspect(resource, tokens.access_token)["aud"] == [API]
    assert oauth.introspect(client, tokens.access_token)["active"] is True
    assert oauth.introspect(stranger, tokens.access_token) == _INACTIVE
    assert oauth.introspect(resource, tokens.refresh_token) == _INACTIVE


def test_an_imported_token_is_its_client_s_by_name(oauth: OAuthHouse) -> None:
    """It was issued elsewhere to a client of that id, which may ask about it and end it."""
    oauth.house.add_user()
    client = oauth.add_client()
    oauth.house.execute("UPDATE oauth_client SET client_id = 'client' WHERE id = :id", {"id": client.id})
    client, other = oauth.clients.get(COMMAND_LINE, "client"), oauth.add_client()
    oauth.house.add_token()

    assert oauth.introspect(client, Secret(TOKEN_TEXT))["active"] is True
    assert oauth.introspect(other, Secret(TOKEN_TEXT)) == _INACTIVE
    assert not oauth.tokens.revoke(other, Secret(TOKEN_TEXT), "")
    assert oauth.tokens.revoke(client, Secret(TOKEN_TEXT), "")
    assert oauth.introspect(client, Secret(TOKEN_TEXT)) == _INACTIVE


@pytest.mark.parametrize("seconds", [3_600, 40 * 86_400])
def test_what_expired_is_not_active(oauth: OAuthHouse, seconds: int) -> None:
    """Nor what never was."""
    oauth.house.add_user()
    client = oauth.add_client()
    tokens = oauth.begin(client, oauth.sign_in())

    oauth.house.clock.advance(seconds)

    assert oauth.introspect(client, tokens.access_token) == _INACTIVE
    assert oauth.introspect(client, tokens.refresh_token)["active"] is (seconds == 3_600)
    assert oauth.introspect(client, Secret("nothing")) == _INACTIVE


def test_a_refresh_token_that_was_used_is_not_active(oauth: OAuthHouse) -> None:
    """To ask ends nothing, however."""
    oauth.house.add_user()
    client = oauth.add_client()
    first = oauth.begin(client, oauth.sign_in())
    second = issued(oauth.refresh(client, first.refresh_token))

    assert oauth.introspect(client, first.refresh_token) == _INACTIVE
    assert oauth.introspect(client, second.refresh_token)["active"] is True


@pytest.mark.parametrize("changes", [UserChanges(login_after=24), UserChanges(login_before=1)])
def test_a_token_is_not_active_at_an_hour_when_its_user_may_not_act(oauth: OAuthHouse, changes: UserChanges) -> None:
    """At eight in the morning, for one who may act at another hour or never."""
    user = oauth.house.add_user()
    client = oauth.add_client()
    tokens = oauth.begin(client, oauth.sign_in())

    oauth.house.change_user(user, changes)

    assert oauth.introspect(client, tokens.access_token) == _INACTIVE


def test_an_id_token_comes_with_openid(oauth: OAuthHouse) -> None:
    """It names its user, client, sign-in and nonce, is signed with a key of the set, and says no more than userinfo."""
    user = oauth.house.add_user()
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.house.clock.advance(30)

    tokens = oauth.begin(client, actor, scope="openid", nonce="n-1")

    text = tokens.id_token.text if tokens.id_token else ""
    header, claims = read(text)
    [key] = [key for key in oauth.signing_keys.list_all() if key.kid == header["kid"]]
    with oauth.house.store.read() as tx:
        hint = read_id_token_hint(text, [key.public_jwk], ISSUER)
        assert hint is not None
        assert hint.subject == subject_of(tx, user.id)
    assert (header["alg"], claims["aud"], claims["nonce"]) == ("ES256", client.client_id, "n-1")
    assert (claims["auth_time"], claims["iat"], claims["exp"]) == (NOW, NOW + 30, NOW + 30 + 3_600)
    assert oauth.tokens.userinfo(USER).items() <= claims.items()


def test_an_id_token_is_signed_as_the_gate_saw_the_client(oauth: OAuthHouse) -> None:
    """Whose algorithm changes while its request waits is not without a key: the one before was prepared."""
    oauth.house.add_user()
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in(), scope="openid")
    oauth.change_client(client, id_token_alg=SigningAlgorithm.RS256)

    tokens = issued(oauth.redeem(client, code))

    assert read(tokens.id_token.text if tokens.id_token else "")[0]["alg"] == "ES256"


def test_an_id_token_comes_with_openid_whatever_the_client_may_ask_for_now(oauth: OAuthHouse) -> None:
    """All scopes cover it."""
    oauth.house.add_user()
    client = oauth.add_client(scopes=frozenset({"all"}))

    assert oauth.begin(client, oauth.sign_in(), scope="openid").id_token is not None


def test_a_key_file_without_the_pepper_makes_a_new_signing_key(oauth: OAuthHouse) -> None:
    """What was sealed under a pepper that is gone does not open any more, and nothing waits for it."""
    oauth.house.add_user()
    client = oauth.add_client()
    oauth.begin(client, oauth.sign_in(), scope="openid")
    later = build_oauth_house(oauth.house.with_peppers(Peppers([derive_pepper(3, b"\x03" * 32)])))

    tokens = later.begin(client, later.sign_in(), scope="openid")

    assert tokens.id_token is not None
    assert len(later.signing_keys.list_all()) == 2


def test_userinfo_tells_what_is_known(oauth: OAuthHouse) -> None:
    """What a user has not is left out; who has no address has no e-mail."""
    oauth.house.add_user(UserOrder(USER, first_name="Api", last_name="User"))

    told = oauth.tokens.userinfo(USER)
    administrator = oauth.tokens.userinfo("Administrator")

    assert told == {
        "sub": told["sub"],
        "name": "Api User",
        "given_name": "Api",
        "family_name": "User",
        "email": USER,
        "roles": ["All", "Desk User", "Guest"],
        "iss": ISSUER,
    }
    assert "email" not in administrator
    assert administrator["sub"] != told["sub"]


def test_a_subject_is_the_same_for_good(oauth: OAuthHouse) -> None:
    """Also when two prepare at once: the one that comes second changes nothing."""
    user = oauth.house.add_user()
    house = oauth.house
    house.entropy.interrupt = lambda: prepare_subjects(house.store, house.entropy)
    prepare_subjects(house.store, house.entropy)
    with house.store.read() as tx:
        first = subject_of(tx, user.id)

    prepare_subjects(house.store, house.entropy)

    with house.store.read() as tx:
        assert subject_of(tx, user.id) == first
    assert len(first) == 40
    assert json.dumps(claims_of(user))


def test_a_scoped_token_tells_its_scopes(oauth: OAuthHouse) -> None:
    """A scope that holds a space is told as on the wire."""
    oauth.house.add_user()
    client = oauth.add_client()
    oauth.house.execute("UPDATE oauth_client SET client_id = 'client' WHERE id = :id", {"id": client.id})
    oauth.house.add_token(limits=Limits(frozenset({"API Key:read"})))

    told = oauth.introspect(oauth.clients.get(COMMAND_LINE, "client"), Secret(TOKEN_TEXT))

    assert told["scope"] == "API%20Key:read"
