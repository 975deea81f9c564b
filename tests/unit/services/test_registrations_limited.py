"""Clients that register themselves without a credential: so many an hour from an address, and no more."""

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import Invalid, RateLimited
from latchgate.services.client_orders import ClientOrder
from latchgate.services.clients import ClientService
from latchgate.services.users import UserOrder
from support.house import ADDRESS, House

_ORDER = ClientOrder("App", redirect_uris=("https://app.example/cb",))
_BOSS = "boss@example.com"


@pytest.fixture
def clients(house: House) -> ClientService:
    """Clients at an address that has used up what it may register."""
    for _ in range(20):
        house.documents.clients.register(_ORDER, None, ADDRESS)
    return house.documents.clients


def test_the_next_one_is_told_when_to_come_back(clients: ClientService, house: House) -> None:
    """It leaves no client and no row of the activity log, and the window is not put off by it."""
    house.clock.advance(3_000)
    rows = len(house.activity())

    for _ in range(2):
        with pytest.raises(RateLimited) as refused:
            clients.register(_ORDER, None, ADDRESS)
        assert refused.value.retry_after_seconds == 600
    with house.store.read() as tx:
        assert len(tx.clients.list_all()) == 20
    assert len(house.activity()) == rows
    house.clock.advance(600)
    assert clients.register(_ORDER, None, ADDRESS).client.registered


def test_others_are_not_held_up(clients: ClientService, house: House) -> None:
    """Another address, and whoever may make clients, go on."""
    house.add_user(UserOrder(_BOSS, roles=frozenset({SYSTEM_MANAGER})))
    boss = house.actor(_BOSS, Limits(frozenset({"OAuth Client:create"})))

    for address, actor in (("192.0.2.2", None), (ADDRESS, boss)):
        assert clients.register(_ORDER, actor, address).client.registered


def test_what_is_refused_counts_too(house: House) -> None:
    """It is counted before anything is looked at, so that many at once get no further than many in turn."""
    clients = house.documents.clients
    for _ in range(20):
        with pytest.raises(Invalid):
            clients.register(ClientOrder(""), None, ADDRESS)

    with pytest.raises(RateLimited):
        clients.register(_ORDER, None, ADDRESS)
