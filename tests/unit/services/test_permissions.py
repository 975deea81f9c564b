"""Permissions are granted, changed and revoked by System Managers, who never shut themselves out."""

import pytest

from latchgate.core.permissions import DEFAULT_GRANTS, EVERY_ACTION, Action, Grant
from latchgate.core.users import GUEST, SYSTEM_MANAGER
from latchgate.errors import Conflict, Flaw, Invalid, NotFound
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.permissions import grant_name
from support.house import USER, House

_READ, _WRITE = frozenset({Action.READ}), frozenset({Action.WRITE})


def _grant(
    actions: frozenset[Action] = _READ, *, role: str = "Auditor", doctype: str = "Role", if_owner: bool = False
) -> Grant:
    return Grant(role, doctype, if_owner, actions)


@pytest.fixture
def furnished(house: House) -> House:
    """A house with a role to grant to."""
    house.roles.create(COMMAND_LINE, "Auditor")
    return house


def test_a_new_instance_has_the_default_permissions(house: House) -> None:
    """The matrix stands in the database as it is written in the core."""
    assert set(house.permissions.list_grants(COMMAND_LINE)) == set(DEFAULT_GRANTS)


def test_a_permission_is_extended_and_taken_back(furnished: House) -> None:
    """A second grant adds to the first; what is taken leaves the rest, and at last nothing."""
    house, rows = furnished, len(furnished.activity())

    first = house.permissions.grant(COMMAND_LINE, _grant())
    both = house.permissions.grant(COMMAND_LINE, _grant(_WRITE))
    again = house.permissions.grant(COMMAND_LINE, _grant(_WRITE))
    left = house.permissions.revoke(COMMAND_LINE, "Auditor", "Role", if_owner=False, actions=_READ)
    nothing = house.permissions.revoke(COMMAND_LINE, "Auditor", "Role", if_owner=False)

    assert (first, both, again) == (_grant(), _grant(_READ | _WRITE), both)
    assert (left, nothing) == (_grant(_WRITE), None)
    assert [(row.operation, row.subject, row.detail) for row in house.activity()[rows:]] == [
        ("permission.granted", "Role:Auditor", "read"),
        ("permission.changed", "Role:Auditor", "read, write"),
        ("permission.changed", "Role:Auditor", "write"),
        ("permission.revoked", "Role:Auditor", "write"),
    ]


def test_one_s_own_records_are_a_permission_apart(furnished: House) -> None:
    """Both stand beside each other, and bear different names."""
    own, every = _grant(if_owner=True), _grant(_WRITE)
    for grant in (own, every):
        furnished.permissions.grant(COMMAND_LINE, grant)

    furnished.permissions.revoke(COMMAND_LINE, "Auditor", "Role", if_owner=False)

    assert own in furnished.permissions.list_grants(COMMAND_LINE)
    assert (grant_name(own), grant_name(every)) == ("Role:Auditor:own", "Role:Auditor")


def test_a_permission_counts_at_once(furnished: House) -> None:
    """Whoever has the role may, from the next request on, and may no more when it is taken."""
    furnished.add_user()
    furnished.roles.grant(COMMAND_LINE, USER, "Auditor")
    actor = furnished.actor()
    furnished.permissions.grant(COMMAND_LINE, _grant(EVERY_ACTION))

    made = furnished.roles.create(actor, "Made")

    furnished.roles.delete(actor, made)
    assert furnished.permissions.list_grants(COMMAND_LINE).count(_grant(EVERY_ACTION)) == 1


@pytest.mark.parametrize(
    ("grant", "error"),
    [
        (_grant(role=GUEST), Invalid),
        (_grant(role="No Role"), NotFound),
        (_grant(frozenset()), Invalid),
        (_grant(doctype="ToDo"), Invalid),
        (_grant(doctype="user"), Invalid),
    ],
)
def test_a_permission_that_cannot_be_is_refused(furnished: House, grant: Grant, error: type[Exception]) -> None:
    """It needs a role that people have, a document type that there is, and something to allow."""
    before = furnished.permissions.list_grants(COMMAND_LINE)

    with pytest.raises(error) as refused:
        furnished.permissions.grant(COMMAND_LINE, grant)

    unknown = isinstance(refused.value, Invalid) and "document_type" in refused.value.fields
    assert not unknown or refused.value.flaw is Flaw.LINK  # type: ignore[attr-defined]  # an Invalid
    assert furnished.permissions.list_grants(COMMAND_LINE) == before


def test_a_source_s_records_are_a_document_type(furnished: House) -> None:
    """A permission may name a source as soon as there is one."""
    furnished.sources.create(COMMAND_LINE, "API Device")

    assert furnished.permissions.grant(COMMAND_LINE, _grant(doctype="API Device")).doctype == "API Device"


def test_a_permission_is_made_once(furnished: House) -> None:
    """Where a record is asked for, one that is there is not extended by the way."""
    furnished.permissions.grant(COMMAND_LINE, _grant())

    with pytest.raises(Conflict), furnished.store.write() as tx:
        furnished.permissions.create_in(tx, COMMAND_LINE, _grant(_WRITE))


def test_what_is_not_there_is_told_as_such(furnished: House) -> None:
    """Neither a change nor a revocation passes for done."""
    with pytest.raises(NotFound):
        furnished.permissions.revoke(COMMAND_LINE, "Auditor", "Role", if_owner=True)
    with pytest.raises(NotFound) as refused, furnished.store.write() as tx:
        furnished.permissions.change_in(tx, COMMAND_LINE, _grant(if_owner=True))

    assert refused.value.public == "Role Permission Role:Auditor:own not found"


@pytest.mark.parametrize("doctype", ["User", "Role", "Role Permission"])
@pytest.mark.parametrize("actions", [None, _READ])
def test_system_managers_keep_what_they_manage_by(
    house: House, doctype: str, actions: frozenset[Action] | None
) -> None:
    """What it would take to give a right back is never taken."""
    with pytest.raises(Invalid):
        house.permissions.revoke(COMMAND_LINE, SYSTEM_MANAGER, doctype, if_owner=False, actions=actions)

    assert _grant(EVERY_ACTION, role=SYSTEM_MANAGER, doctype=doctype) in house.permissions.list_grants(COMMAND_LINE)


def test_system_managers_give_up_what_they_could_take_back(house: House) -> None:
    """Of the other types they may leave to others what they like."""
    house.permissions.revoke(COMMAND_LINE, SYSTEM_MANAGER, "API Key", if_owner=False)
    house.permissions.grant(COMMAND_LINE, _grant(role=SYSTEM_MANAGER, doctype="User", if_owner=True))

    assert house.permissions.revoke(COMMAND_LINE, SYSTEM_MANAGER, "User", if_owner=True) is None
