"""Through a credential that is limited nobody comes to more than its scopes cover."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.port_values import UserChanges
from latchgate.services.users import UserOrder
from support.house import USER, House
from support.office import AUDITOR, HELPER, MANAGER, PEER, PLAIN

Change = Callable[[House, Actor, str], object]


def _scoped(office: House, *scopes: str) -> Actor:
    return office.actor(MANAGER, Limits(frozenset(scopes)))


_GIVING: dict[str, Change] = {
    "grant": lambda house, actor, name: house.roles.grant(actor, name, "Auditor"),
    "grant by roles": lambda house, actor, name: house.documents.update(
        actor, "User", name, {"roles": [{"role": "Auditor"}]}
    ),
    "create": lambda house, actor, name: house.users.create(actor, UserOrder(USER, roles=frozenset({"Auditor"}))),
    "enable": lambda house, actor, name: house.users.set_enabled(actor, AUDITOR, enabled=True),
    "addresses": lambda house, actor, name: house.users.change(actor, AUDITOR, UserChanges(restrict_ip=())),
    "hours": lambda house, actor, name: house.users.change(actor, AUDITOR, UserChanges(login_before=0)),
    "permission": lambda house, actor, name: house.permissions.grant(
        actor, Grant("Helpdesk", "API Key", if_owner=False, actions=frozenset({Action.READ}))
    ),
    "wider permission": lambda house, actor, name: house.permissions.grant(
        actor, Grant("Auditor", "API Key", if_owner=False, actions=EVERY_ACTION)
    ),
}


@pytest.fixture
def audited(office: House) -> House:
    """Auditors read all keys; one of them is disabled and limited to addresses and hours."""
    grant = Grant("Auditor", "API Key", if_owner=False, actions=frozenset({Action.READ}))
    office.permissions.grant(COMMAND_LINE, grant)
    limits = UserChanges(restrict_ip=(ip_network("192.0.2.0/24"),), login_before=18)
    office.users.change(COMMAND_LINE, AUDITOR, limits)
    office.users.set_enabled(COMMAND_LINE, AUDITOR, enabled=False)
    return office


@pytest.mark.parametrize("give", _GIVING.values(), ids=_GIVING)
def test_a_scoped_credential_gives_no_right_that_it_does_not_cover(audited: House, give: Change) -> None:
    """Otherwise whoever holds it would have the rest by an account of their own."""
    actor = _scoped(
        audited, "User:read", "User:write", "User:create", "Role Permission:create", "Role Permission:write"
    )
    before = audited.activity()

    with pytest.raises(NotPermitted) as refused:
        give(audited, actor, PLAIN)

    assert refused.value.reason == "beyond"
    assert audited.activity() == before


@pytest.mark.parametrize("name", [name for name in _GIVING if name != "wider permission"])
def test_a_scoped_credential_gives_what_it_covers(audited: House, name: str) -> None:
    """Reading all keys, by one that may read them."""
    actor = _scoped(audited, "read", "User:write", "User:create", "Role Permission:create", "Role Permission:write")
    before = len(audited.activity())

    _GIVING[name](audited, actor, PLAIN)

    assert len(audited.activity()) > before


@pytest.mark.parametrize("role", [SYSTEM_MANAGER, "Helpdesk"])
def test_only_an_unscoped_credential_makes_a_system_manager(audited: House, role: str) -> None:
    """What a System Manager may do stands in no list of scopes."""
    scopes = [f"{doctype}:{action}" for doctype in DOCUMENT_TYPES for action in Action]
    actor = _scoped(audited, *scopes)

    if role == SYSTEM_MANAGER:
        with pytest.raises(NotPermitted, match="scopes of the credential"):
            audited.roles.grant(actor, PLAIN, role)
    else:
        assert audited.roles.grant(actor, PLAIN, role)
    assert audited.roles.grant(audited.actor(MANAGER), PEER, SYSTEM_MANAGER)


def test_a_scoped_credential_takes_and_ends_as_it_may(audited: House) -> None:
    """Less for others is more for nobody."""
    actor = _scoped(audited, "User:read", "User:write", "User:delete", "Role Permission:delete")

    audited.permissions.revoke(actor, "Auditor", "API Key", if_owner=False)
    assert audited.roles.revoke(actor, AUDITOR, "Auditor")
    audited.users.set_enabled(actor, PEER, enabled=False)
    audited.users.delete(actor, HELPER)


def test_a_scoped_credential_brings_no_wider_keys_back(office: House) -> None:
    """A record that is enabled again would bring those that work for it."""
    office.sources.create_record(COMMAND_LINE, "Event Consumer", "billing", PLAIN, enabled=False)
    actor = _scoped(office, "Event Consumer:read", "Event Consumer:write")
    assert office.sources.enable_record(actor, "Event Consumer", "billing", enabled=True).enabled
    office.sources.enable_record(actor, "Event Consumer", "billing", enabled=False)
    office.add_key("billing", source="Event Consumer")

    with pytest.raises(NotPermitted, match="further than the credential"):
        office.sources.enable_record(actor, "Event Consumer", "billing", enabled=True)
