"""Clients that change, and consents that end, while something is on its way."""

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.core.tokens import Secret
from latchgate.oauth.backing import Refusal
from latchgate.services.access_tokens import AccessTokenService, TokenOrder
from latchgate.services.actors import COMMAND_LINE
from support.house import USER, present_token
from support.oauth_house import BACK, OAuthHouse, issued

_IMPORTED = "imported-token-0123456789"


def test_a_consent_ends_with_what_descends_from_no_approval(oauth: OAuthHouse) -> None:
    """Tokens that were imported, and those that the client got by itself as this user, are its tokens too."""
    house = oauth.house
    house.add_user()
    client, actor = oauth.add_client(grant_types=frozenset(GrantType), user=USER), oauth.sign_in()
    order = TokenOrder(Secret(_IMPORTED), USER, client.client_id, frozenset({"all"}), house.clock.now() + 60)
    AccessTokenService(house.store, house.peppers, house.clock, house.entropy).import_token(COMMAND_LINE, order)
    by_itself, approved = issued(oauth.exchange(client, "client_credentials")), oauth.begin(client, actor)
    assert house.admit(present_token(_IMPORTED)).principal is not None
    [consent] = oauth.consents.list_own(actor)

    oauth.consents.end(actor, consent.public_id)

    assert not oauth.opens(by_itself)
    assert not oauth.opens(approved)
    assert house.admit(present_token(_IMPORTED)).principal is None


def test_a_code_dies_with_its_redirect_uri(oauth: OAuthHouse) -> None:
    """An address that was taken from a client may be anybody's: what was sent there opens nothing any more."""
    oauth.house.add_user()
    client = oauth.add_client(redirect_uris=(BACK, "https://other.example.com/back"))
    code = oauth.allow(client, oauth.sign_in())

    changed = oauth.change_client(client, redirect_uris=("https://other.example.com/back",))

    assert oauth.redeem(changed, code) == Refusal("invalid_grant", "The redirect_uri is none of the client's any more")
    assert oauth.opens(issued(oauth.redeem(oauth.change_client(changed), code)))


def test_a_code_without_challenge_is_of_no_public_client(oauth: OAuthHouse) -> None:
    """Whoever saw it could redeem it, once the client proves nothing; also where a challenge is asked for by now."""
    oauth.house.add_user()
    actor = oauth.sign_in()
    for fields in ({"auth_method": AuthMethod.NONE}, {"require_pkce": True}):
        client = oauth.add_client(require_pkce=False)
        code = oauth.allow(client, actor, code_challenge="", code_challenge_method="")
        changed = oauth.change_client(client, **fields)

        outcome = oauth.redeem(changed, code, code_verifier="")

        assert outcome == Refusal("invalid_grant", "The code was asked for without a code_challenge")


def test_a_narrower_client_has_no_wider_tokens(oauth: OAuthHouse) -> None:
    """What it may not ask for any more opens nothing at once, nor do refresh tokens bring it back; the rest does."""
    oauth.house.add_user()
    client, actor = oauth.add_client(scopes=frozenset({"all", "openid"})), oauth.sign_in()
    wide, narrow = oauth.begin(client, actor, scope="all"), oauth.begin(client, actor, scope="User:read")

    changed = oauth.change_client(client, scopes=frozenset({"read"}))

    assert (oauth.opens(wide), oauth.opens(narrow)) == (False, True)
    assert isinstance(oauth.refresh(changed, wide.refresh_token), Refusal)
    assert oauth.opens(issued(oauth.refresh(changed, narrow.refresh_token)))


def test_a_wider_client_keeps_its_tokens(oauth: OAuthHouse) -> None:
    """Neither does another name end any."""
    oauth.house.add_user()
    client = oauth.add_client(scopes=frozenset({"User:read"}))
    tokens = oauth.begin(client, oauth.sign_in(), scope="User:read")

    oauth.change_client(client, scopes=frozenset({"all"}), app_name="Other")

    assert oauth.opens(tokens)
