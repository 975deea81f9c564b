"""Whatever ends a client's access ends it at the next request, in every form that it has."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from latchgate.core.clients import GrantType, StoredClient
from latchgate.core.tokens import Secret
from latchgate.oauth.backing import Issued, Refusal
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import order_of
from support.house import USER
from support.oauth_house import DEVICES, OAuthHouse, issued


@dataclass(frozen=True)
class _Access:
    """One client's access to one user, in every form."""

    oauth: OAuthHouse
    client_id: str
    tokens: Issued
    code: str
    device_code: str

    def works(self) -> dict[str, bool]:
        """Tell which forms still give something."""
        client = self.oauth.clients.get(COMMAND_LINE, self.client_id)
        forms = {
            "access token": self.oauth.opens(self.tokens),
            # The gate lets no client ask that was revoked.
            "active": client.revoked_at is None and self._is_active(client, self.tokens.access_token),
            "refresh active": client.revoked_at is None and self._is_active(client, self.tokens.refresh_token),
            "refresh token": isinstance(self.oauth.refresh(client, self.tokens.refresh_token), Issued),
            "code": isinstance(self.oauth.redeem(client, self.code), Issued),
            "device": isinstance(
                self.oauth.exchange(client, GrantType.DEVICE_CODE, device_code=self.device_code), Issued
            ),
        }
        return {name: value for name, value in forms.items() if value}

    def _is_active(self, client: StoredClient, token: Secret | None) -> bool:
        return self.oauth.introspect(client, token)["active"] is True


def _give_access(oauth: OAuthHouse, roles: frozenset[str] = frozenset()) -> _Access:
    actor = oauth.sign_in()
    grants = DEVICES.grant_types | {GrantType.AUTHORIZATION_CODE}
    client = oauth.add_client(grant_types=grants, allowed_roles=roles)
    started = oauth.devices.start([("client_id", client.client_id)], client)
    assert oauth.devices.answer(actor, started.user_code, allow=True)
    tokens = oauth.begin(client, actor)
    return _Access(oauth, client.client_id, tokens, oauth.allow(client, actor), started.device_code.text)


def _revoke_client(access: _Access) -> None:
    access.oauth.clients.revoke(COMMAND_LINE, access.client_id)


def _end_consent(access: _Access) -> None:
    consents = access.oauth.consents.list_own(access.oauth.sign_in())
    [consent] = [found for found in consents if found.client_id == access.client_id]
    access.oauth.consents.end(COMMAND_LINE, consent.public_id)


def _disable_user(access: _Access) -> None:
    access.oauth.house.users.set_enabled(COMMAND_LINE, USER, enabled=False)


def _delete_user(access: _Access) -> None:
    access.oauth.house.users.delete(COMMAND_LINE, USER)


_ENDS = [_revoke_client, _end_consent, _disable_user, _delete_user]


@pytest.mark.parametrize("end", _ENDS)
def test_an_end_is_one_for_all_that_a_client_holds(oauth: OAuthHouse, end: Callable[[_Access], None]) -> None:
    """Tokens, refresh tokens, and codes that nobody has exchanged yet."""
    oauth.house.add_user()
    access = _give_access(oauth)

    end(access)

    assert access.works() == {}


@pytest.mark.parametrize("end", [_revoke_client, _end_consent])
def test_the_end_of_one_client_is_none_of_another(oauth: OAuthHouse, end: Callable[[_Access], None]) -> None:
    """The same user's access through another client goes on, in every form."""
    oauth.house.add_user()
    other, access = _give_access(oauth), _give_access(oauth)

    end(access)

    assert len(other.works()) == 6


def test_a_deleted_client_leaves_nothing(oauth: OAuthHouse) -> None:
    """No access token, no consent, no family."""
    oauth.house.add_user()
    access = _give_access(oauth)

    oauth.clients.delete(COMMAND_LINE, access.client_id)

    assert not oauth.opens(access.tokens)
    assert oauth.consents.list_own(oauth.sign_in()) == []
    assert oauth.house.execute("SELECT count(*) FROM oauth_family") == [(0,)]


def test_a_revoked_token_takes_its_family_along(oauth: OAuthHouse) -> None:
    """Access token, refresh token and their successors; codes of other approvals are not theirs."""
    oauth.house.add_user()
    access = _give_access(oauth)
    client = oauth.clients.get(COMMAND_LINE, access.client_id)

    assert oauth.tokens.revoke(client, access.tokens.access_token, "192.0.2.1")

    assert set(access.works()) == {"code", "device"}


def test_a_user_who_lost_the_role_gets_no_more_tokens(oauth: OAuthHouse) -> None:
    """Where a client is for some roles only, none is made for who is without, however it is asked."""
    oauth.house.add_user()
    oauth.house.roles.create(COMMAND_LINE, "Sales")
    oauth.house.roles.grant(COMMAND_LINE, USER, "Sales")
    access = _give_access(oauth, frozenset({"Sales"}))

    oauth.house.roles.revoke(COMMAND_LINE, USER, "Sales")

    assert {"refresh token", "code", "device"}.isdisjoint(access.works())


def test_a_client_s_own_tokens_end_when_it_runs_as_another(oauth: OAuthHouse) -> None:
    """What ran as the user before does not go on; that the name changed ends nothing."""
    oauth.house.add_user()
    oauth.house.add_user("other@example.com")
    client = oauth.add_client(grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), redirect_uris=(), user=USER)
    tokens = issued(oauth.exchange(client, "client_credentials"))

    oauth.change_client(client, replace(order_of(client), app_name="Clock"))
    assert oauth.opens(tokens)
    oauth.change_client(client, replace(order_of(client), user="other@example.com"))

    assert not oauth.opens(tokens)


def test_a_client_s_own_tokens_are_ended_by_itself(oauth: OAuthHouse) -> None:
    """They have no family, and end alone."""
    oauth.house.add_user()
    client = oauth.add_client(grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), redirect_uris=(), user=USER)
    one, other = (issued(oauth.exchange(client, "client_credentials")) for _ in range(2))

    assert oauth.tokens.revoke(client, one.access_token, "192.0.2.1")

    assert (oauth.opens(one), oauth.opens(other)) == (False, True)


def test_what_nobody_knows_is_ended_already(oauth: OAuthHouse) -> None:
    """A client that gives back an unknown token is told the same as for its own. Source: RFC 7009, section 2.2."""
    oauth.house.add_user()
    client = oauth.add_client()
    tokens = oauth.begin(client, oauth.sign_in())

    done = [
        oauth.tokens.revoke(client, token, "192.0.2.1")
        for token in (Secret("nothing"), tokens.refresh_token or Secret(""), tokens.access_token)
    ]

    assert done == [True, True, True]
    assert oauth.operations().count("oauth_tokens.revoked") == 1


def test_another_client_s_tokens_are_not_ended(oauth: OAuthHouse) -> None:
    """Neither the access token nor the refresh token."""
    oauth.house.add_user()
    client, thief = oauth.add_client(), oauth.add_client()
    tokens = oauth.begin(client, oauth.sign_in())

    assert not oauth.tokens.revoke(thief, tokens.access_token, "192.0.2.1")
    assert not oauth.tokens.revoke(thief, tokens.refresh_token or Secret(""), "192.0.2.1")

    assert oauth.opens(tokens)
    assert not isinstance(oauth.refresh(client, tokens.refresh_token), Refusal)
