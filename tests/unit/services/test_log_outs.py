"""Log-outs that an application asks for. Source: OpenID Connect RP-Initiated Logout 1.0, sections 2 and 3."""

import pytest

from latchgate.core.clients import StoredClient
from latchgate.errors import OAuthError
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.client_orders import ClientOrder
from latchgate.services.log_outs import LogOut
from support.house import House
from support.oauth_house import BACK, OAuthHouse, build_oauth_house

_OUT = "https://app.example.com/out"
_OTHER = "other@example.com"


@pytest.fixture
def oauth(house: House) -> OAuthHouse:
    """The OAuth services over a house with two users."""
    house.add_user()
    house.add_user(_OTHER)
    return build_oauth_house(house)


@pytest.fixture
def client(oauth: OAuthHouse) -> StoredClient:
    """A client with addresses to return to, one of which has a query."""
    return oauth.add_client(post_logout_redirect_uris=(_OUT, f"{_OUT}?a=b"))


def _hint(oauth: OAuthHouse, client: StoredClient, actor: Actor) -> str:
    tokens = oauth.begin(client, actor, scope="openid")
    assert tokens.id_token is not None
    return tokens.id_token.text


def _check(oauth: OAuthHouse, actor: Actor | None = None, **asked: str) -> LogOut:
    return oauth.log_outs.check(list(asked.items()), actor)


def test_nobody_in_particular_asks(oauth: OAuthHouse) -> None:
    """Any page can send a browser here, so that the user is asked, and nothing is known of who sent it."""
    assert _check(oauth, oauth.sign_in(), id_token_hint="", state="s") == LogOut(None, None, certain=False)
    assert _check(oauth, None) == LogOut(None, None, certain=False)
    assert _check(oauth, COMMAND_LINE).certain is False


def test_a_client_that_names_itself(oauth: OAuthHouse, client: StoredClient) -> None:
    """Is believed as to the address, which it registered, but not so far that nobody is asked."""
    asked = _check(oauth, oauth.sign_in(), client_id=client.client_id, post_logout_redirect_uri=_OUT)

    assert asked == LogOut(client, _OUT, certain=False)


def test_an_id_token_of_the_user_is_certain(oauth: OAuthHouse, client: StoredClient) -> None:
    """Of this user at this browser; it names the client too, and may have expired long ago."""
    actor, other = oauth.sign_in(), oauth.sign_in(_OTHER)
    hint = _hint(oauth, client, actor)
    oauth.house.clock.advance(3 * 86_400)

    assert _check(oauth, actor, id_token_hint=hint) == LogOut(client, None, certain=True)
    assert _check(oauth, other, id_token_hint=hint) == LogOut(client, None, certain=False)
    assert _check(oauth, None, id_token_hint=hint).certain is False
    assert _check(oauth, actor, id_token_hint=hint, client_id=client.client_id).certain is True


@pytest.mark.parametrize(
    ("state", "uri", "location"),
    [
        ("", _OUT, _OUT),
        ("a b&c", _OUT, f"{_OUT}?state=a+b%26c"),
        ("s", f"{_OUT}?a=b", f"{_OUT}?a=b&state=s"),
        ("s" * 3_000, _OUT, f"{_OUT}?state={'s' * 2_000}"),
    ],
)
def test_the_state_goes_back(oauth: OAuthHouse, client: StoredClient, state: str, uri: str, location: str) -> None:
    """Behind the client's own query, and no more of it than is a state's."""
    asked = _check(oauth, None, client_id=client.client_id, post_logout_redirect_uri=uri, state=state)

    assert asked.location == location


@pytest.mark.parametrize(
    "asked",
    [
        {"client_id": "nothing"},
        {"id_token_hint": "nothing"},
        {"post_logout_redirect_uri": _OUT},
        {"client_id": "CLIENT", "post_logout_redirect_uri": f"{_OUT}/"},
        {"client_id": "CLIENT", "post_logout_redirect_uri": "https://app.example.com/back"},
        {"client_id": "OTHER", "id_token_hint": "HINT"},
        {"client_id": "REVOKED"},
    ],
)
def test_what_cannot_be_trusted_ends_nothing(oauth: OAuthHouse, client: StoredClient, asked: dict[str, str]) -> None:
    """A client, hint or address that is none of ours or of another is refused, and leads nowhere."""
    actor, other, revoked = oauth.sign_in(), oauth.add_client(), oauth.add_client()
    oauth.clients.revoke(COMMAND_LINE, revoked.client_id)
    names = {
        "CLIENT": client.client_id,
        "OTHER": other.client_id,
        "REVOKED": revoked.client_id,
        "HINT": _hint(oauth, client, actor),
    }

    with pytest.raises(OAuthError) as refused:
        _check(oauth, actor, **{name: names.get(value, value) for name, value in asked.items()})

    assert refused.value.error == "invalid_request"


def test_a_client_that_registered_itself_needs_the_hint(oauth: OAuthHouse) -> None:
    """Anybody can register an address: a link to this service leads there only for who has signed in through it."""
    order = ClientOrder("Own", redirect_uris=(BACK,), post_logout_redirect_uris=(_OUT,))
    client, actor = oauth.clients.register(order, None, "10.0.0.9").client, oauth.sign_in()
    asked = {"client_id": client.client_id, "post_logout_redirect_uri": _OUT}

    for who in (actor, None):
        with pytest.raises(OAuthError) as refused:
            _check(oauth, who, **asked)
        assert "id_token_hint" in refused.value.public

    assert _check(oauth, None, **asked, id_token_hint=_hint(oauth, client, actor)).location == _OUT


def test_a_parameter_comes_once(oauth: OAuthHouse) -> None:
    """Of two, neither counts."""
    with pytest.raises(OAuthError):
        oauth.log_outs.check([("state", "a"), ("state", "b")], None)
