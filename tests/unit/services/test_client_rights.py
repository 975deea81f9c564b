"""Who may make and change which client: nobody comes to more by a client than they may themselves."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.clients import GrantType
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder, order_of
from support.house import House
from support.oauth_house import APP, OAuthHouse, build_oauth_house
from support.office import AUDITOR, HELPER, MANAGER, PEER, PLAIN

_EVERYTHING = Limits(frozenset({"all"}))
_CLIENTS_ALONE = Limits(frozenset({"OAuth Client:create", "OAuth Client:write"}))
_FROM_ONE_PLACE = Limits(frozenset({"all"}), (ip_network("192.0.2.1"),))
_CREDENTIALS = replace(APP, grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), redirect_uris=())

_ORDERS: dict[str, ClientOrder] = {
    "plain": APP,
    "narrow": replace(APP, scopes=frozenset({"OAuth Client:write"})),
    "as oneself": replace(_CREDENTIALS, user=HELPER),
    "as a peer": replace(_CREDENTIALS, user=PEER),
    "as a lesser user": replace(_CREDENTIALS, user=PLAIN),
    "as a user with another role": replace(_CREDENTIALS, user=AUDITOR),
    "as a manager": replace(_CREDENTIALS, user=MANAGER),
    "as Administrator": replace(_CREDENTIALS, user="Administrator"),
    "narrow as a lesser user": replace(_CREDENTIALS, user=PLAIN, scopes=frozenset({"OAuth Client:write"})),
    "trusted": replace(APP, skip_authorization=True),
    "narrow and trusted": replace(APP, skip_authorization=True, scopes=frozenset({"OAuth Client:write"})),
    "a resource": replace(APP, resources=("https://api.example.com",)),
}
_HELPERS = {"plain", "narrow", "as oneself", "as a peer", "as a lesser user", "narrow as a lesser user"}
# Who asks, by what credential, and which of the orders that one may give.
_TABLE: dict[str, tuple[str, Limits, set[str]]] = {
    "a manager": (MANAGER, _EVERYTHING, set(_ORDERS)),
    "a manager by a key for clients alone": (
        MANAGER,
        _CLIENTS_ALONE,
        {"plain", "narrow", "narrow as a lesser user", "narrow and trusted", "a resource"},
    ),
    "a manager by a key for one place": (MANAGER, _FROM_ONE_PLACE, {"plain", "narrow", "a resource"}),
    "a helper": (HELPER, _EVERYTHING, _HELPERS),
    "a helper by a key for clients alone": (HELPER, _CLIENTS_ALONE, {"plain", "narrow", "narrow as a lesser user"}),
    "a reader": (MANAGER, Limits(frozenset({"read"})), set()),
    "an auditor": (AUDITOR, _EVERYTHING, set()),
    "a plain user": (PLAIN, _EVERYTHING, set()),
}
_CASES = [
    pytest.param(*row[:2], name, name in row[2], id=f"{who}: {name}") for who, row in _TABLE.items() for name in _ORDERS
]


@pytest.fixture
def oauth(office: House) -> OAuthHouse:
    """The OAuth services over an office, whose helpdesk may do everything to clients."""
    with office.store.write() as tx:
        grant = Grant("Helpdesk", "OAuth Client", if_owner=False, actions=EVERY_ACTION)
        tx.permissions.add(grant, "Administrator", office.clock.now_us())
        tx.permissions.add(replace(grant, role="Auditor", actions=frozenset({Action.READ})), "Administrator", 1)
    return build_oauth_house(office)


def _try(act: Callable[[], object]) -> bool:
    try:
        act()
    except NotPermitted:
        return False
    return True


@pytest.mark.parametrize(("user", "limits", "name", "allowed"), _CASES)
def test_who_may_make_and_change_which_client(
    oauth: OAuthHouse, user: str, limits: Limits, name: str, *, allowed: bool
) -> None:
    """To make it is as much as to make another into it, and as to come to its secret by a rotation."""
    actor, order = oauth.house.actor(user, limits), _ORDERS[name]
    innocent, there = oauth.add_client(), oauth.add_client(order)
    before = oauth.house.activity()

    rotated = _try(lambda: oauth.clients.rotate(actor, there.client_id))
    changed = _try(lambda: oauth.clients.change(actor, innocent.client_id, order))
    made = _try(lambda: oauth.clients.create(actor, order))

    assert (made, changed, rotated) == (allowed,) * 3
    assert allowed or oauth.house.activity() == before


@pytest.mark.parametrize("name", ["as a manager", "as Administrator", "trusted", "a resource"])
def test_who_may_not_make_a_client_may_not_make_it_harmless_either(oauth: OAuthHouse, name: str) -> None:
    """What a manager set up is not a helper's to take over: its secret and its redirect URIs would stay."""
    client = oauth.add_client(_ORDERS[name])

    with pytest.raises(NotPermitted):
        oauth.clients.change(oauth.house.actor(HELPER), client.client_id, APP)

    assert oauth.clients.get(COMMAND_LINE, client.client_id) == client


@pytest.mark.parametrize(
    ("user", "reads", "ends"), [(HELPER, True, True), (AUDITOR, True, False), (PLAIN, False, False)]
)
def test_who_may_read_and_end_clients(oauth: OAuthHouse, user: str, *, reads: bool, ends: bool) -> None:
    """As the matrix says; to end takes away, so that whose client it is does not matter."""
    actor, one, other = oauth.house.actor(user), oauth.add_client(), oauth.add_client()

    assert _try(lambda: oauth.clients.get(actor, one.client_id)) is reads
    assert _try(lambda: oauth.clients.list_all(actor)) is reads
    assert _try(lambda: oauth.clients.revoke(actor, one.client_id)) is ends
    assert _try(lambda: oauth.clients.delete(actor, other.client_id)) is ends


def test_a_right_that_was_taken_meanwhile_makes_no_client(oauth: OAuthHouse) -> None:
    """Who waited for others' writes is judged once more where it writes."""
    actor = oauth.house.actor(HELPER)
    oauth.house.roles.revoke(COMMAND_LINE, HELPER, "Helpdesk")

    with pytest.raises(NotPermitted) as refused:
        oauth.clients.create(actor, APP)

    assert refused.value.reason == "changed_meanwhile"


def test_a_client_whose_user_was_deleted_is_changed_as_any(oauth: OAuthHouse) -> None:
    """There is nobody left whose rights could be got by it."""
    client = oauth.add_client(_ORDERS["as a lesser user"])
    oauth.house.users.delete(COMMAND_LINE, PLAIN)
    order = order_of(oauth.clients.get(COMMAND_LINE, client.client_id))

    assert order.user is None
    assert _try(lambda: oauth.clients.change(oauth.house.actor(HELPER), client.client_id, APP))
