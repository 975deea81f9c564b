"""A client's secret is known to who made it: it comes to no more than they may, though its account does."""

from dataclasses import replace

import pytest

from latchgate.core.clients import GrantType, StoredClient
from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.errors import Invalid
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.house import House
from support.oauth_house import APP, OAuthHouse, build_oauth_house
from support.office import HELPER, MANAGER, PEER, PLAIN

_CREDENTIALS = replace(APP, grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), redirect_uris=())


@pytest.fixture
def oauth(office: House) -> OAuthHouse:
    """The OAuth services over an office, whose helpdesk may do everything to clients."""
    grant = Grant("Helpdesk", "OAuth Client", if_owner=False, actions=EVERY_ACTION)
    office.permissions.grant(COMMAND_LINE, grant)
    return build_oauth_house(office)


def _make(oauth: OAuthHouse, maker: str, user: str) -> StoredClient:
    order: ClientOrder = replace(_CREDENTIALS, user=user)
    return oauth.clients.create(oauth.house.actor(maker), order).client


def test_an_account_with_somebodys_client_does_not_come_to_more(oauth: OAuthHouse) -> None:
    """Whoever made a client that runs as it would come to the role too; managers' clients and its own are no matter."""
    house = oauth.house
    _make(oauth, MANAGER, PEER)
    _make(oauth, PEER, PEER)
    _make(oauth, HELPER, HELPER)
    trap = _make(oauth, HELPER, PEER)

    with pytest.raises(Invalid, match=f"{trap.client_id} was made by {HELPER}"):
        house.roles.grant(house.actor(MANAGER), PEER, "Auditor")
    oauth.clients.revoke(COMMAND_LINE, trap.client_id)

    assert house.roles.grant(house.actor(MANAGER), PEER, "Auditor")


def test_who_gave_a_client_a_new_secret_is_as_who_made_it(oauth: OAuthHouse) -> None:
    """A client of a manager's, for a lesser account, may be given a secret by a helper, who then knows it."""
    house = oauth.house
    client = _make(oauth, MANAGER, PLAIN)
    oauth.clients.rotate(house.actor(HELPER), client.client_id)

    with pytest.raises(Invalid, match=f"was made by {HELPER}"):
        house.roles.grant(house.actor(MANAGER), PLAIN, "Auditor")


def test_no_client_is_given_an_account_that_may_more_than_its_maker(oauth: OAuthHouse) -> None:
    """Also not by who may act for that account; that it runs on as whom it did is no change."""
    manager = oauth.house.actor(MANAGER)
    client = _make(oauth, HELPER, PEER)

    with pytest.raises(Invalid, match=f"was made by {HELPER}"):
        oauth.clients.change(manager, client.client_id, replace(_CREDENTIALS, user=MANAGER))

    for order in (replace(_CREDENTIALS, user=PEER, app_name="Other"), replace(_CREDENTIALS, user=HELPER)):
        changed = oauth.clients.change(manager, client.client_id, order).client
        assert changed.user is not None
        assert (changed.user.name, changed.app_name) == (order.user, order.app_name)


def test_nobody_runs_as_a_user_who_registered_by_themselves(oauth: OAuthHouse) -> None:
    """Whoever came along knows such a client's secret."""
    client = oauth.clients.register(APP, None, "192.0.2.9").client

    with pytest.raises(Invalid, match="was made by Guest"):
        oauth.change_client(client, _CREDENTIALS, user=PLAIN)


def test_a_client_whose_maker_is_gone_keeps_nobody_from_a_role(oauth: OAuthHouse) -> None:
    """As with keys: who was deleted has no rights to compare with."""
    _make(oauth, HELPER, PEER)
    oauth.house.users.delete(COMMAND_LINE, HELPER)

    assert oauth.house.roles.grant(oauth.house.actor(MANAGER), PEER, "Auditor")
