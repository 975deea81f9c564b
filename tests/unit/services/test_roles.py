"""Roles are made, granted and revoked; those that come by themselves are nobody's to give."""

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.services.actors import COMMAND_LINE
from support.house import USER, House

_AUTOMATIC = ("All", "Guest", "Desk User")


def test_a_role_is_granted_and_revoked(house: House) -> None:
    """A granted role is the user's from the next request on; granting or revoking twice is one change."""
    house.add_user()
    presented = house.carry(Scheme.TOKEN)
    house.roles.create(COMMAND_LINE, " Auditor ")

    granted = [house.roles.grant(COMMAND_LINE, "Api@Example.com", "Auditor") for _ in range(2)]
    roles = house.principal(presented).roles
    revoked = [house.roles.revoke(COMMAND_LINE, USER, "Auditor") for _ in range(2)]

    assert (granted, revoked) == ([True, False], [True, False])
    assert "Auditor" in roles
    assert "Auditor" not in house.principal(presented).roles
    assert [row.operation for row in house.activity()][-3:] == ["role.created", "role.granted", "role.revoked"]


def test_roles_tell_whom_they_were_granted_to(house: House) -> None:
    """A list shows each role with the number of its users, a role their names."""
    house.add_user()
    house.roles.create(COMMAND_LINE, "Auditor")
    house.roles.grant(COMMAND_LINE, USER, "Auditor")

    assert house.roles.list_roles() == [("All", 0), ("Auditor", 1), ("Desk User", 0), ("Guest", 0), (SYSTEM_MANAGER, 0)]
    assert house.roles.show("Auditor") == [USER]


def test_a_role_that_is_deleted_changes_those_who_had_it(house: House) -> None:
    """Whoever changes such a user besides must notice; and spaces in a name are single ones."""
    house.add_user()
    assert house.roles.create(COMMAND_LINE, " Report   Reader ") == "Report Reader"
    house.roles.grant(COMMAND_LINE, USER, "Report Reader")
    before = house.users.get(USER).modified

    house.roles.delete(COMMAND_LINE, "Report Reader")

    assert house.users.get(USER).modified > before


@pytest.mark.parametrize("name", ["", "  ", "x" * 141, "two\nlines", "a, b", "a:own", ".", "..", "half \ud800"])
def test_a_name_that_no_header_could_carry_is_refused(house: House, name: str) -> None:
    """Roles travel as a list by commas, and are read as one line each."""
    with pytest.raises(Invalid) as refused:
        house.roles.create(COMMAND_LINE, name)

    assert list(refused.value.fields) == ["role"]


@pytest.mark.parametrize("name", ["Auditor", SYSTEM_MANAGER, *_AUTOMATIC])
def test_a_role_is_made_once(house: House, name: str) -> None:
    """A name that is taken, from the start or since, is refused."""
    if name == "Auditor":
        house.roles.create(COMMAND_LINE, name)

    with pytest.raises(Conflict):
        house.roles.create(COMMAND_LINE, name)


@pytest.mark.parametrize("name", ["auditor", "AUDITOR", "system manager", "all", "DESK USER"])
def test_a_role_is_made_once_in_any_case(house: House, name: str) -> None:
    """Nobody takes one role for another that is written almost so; the refusal names the one that is there."""
    house.roles.create(COMMAND_LINE, "Auditor")

    with pytest.raises(Conflict) as refused:
        house.roles.create(COMMAND_LINE, name)

    assert name not in refused.value.public
    assert len(house.roles.list_roles()) == 5


@pytest.mark.parametrize("role", _AUTOMATIC)
def test_automatic_roles_are_neither_granted_nor_revoked(house: House, role: str) -> None:
    """What comes with the user's type cannot be given to another type, nor taken."""
    house.add_user()

    with pytest.raises(Invalid):
        house.roles.grant(COMMAND_LINE, USER, role)
    with pytest.raises(Invalid):
        house.roles.revoke(COMMAND_LINE, USER, role)


@pytest.mark.parametrize(("user", "role"), [(USER, "No Role"), ("nobody@example.com", SYSTEM_MANAGER)])
def test_only_what_exists_is_granted(house: House, user: str, role: str) -> None:
    """A role or user that does not exist is told as such."""
    house.add_user()

    with pytest.raises(NotFound):
        house.roles.grant(COMMAND_LINE, user, role)
    with pytest.raises(NotFound):
        house.roles.revoke(COMMAND_LINE, user, role)


def test_an_unknown_role_cannot_be_shown(house: House) -> None:
    """A role that does not exist is not shown as one without users."""
    with pytest.raises(NotFound):
        house.roles.show("No Role")


def test_guest_is_granted_nothing(house: House) -> None:
    """Who carries no credential has the role Guest and no other."""
    with pytest.raises(Invalid):
        house.roles.grant(COMMAND_LINE, GUEST, SYSTEM_MANAGER)


def test_administrator_stays_a_system_manager(house: House) -> None:
    """Administrator's role cannot be taken, granted or not."""
    house.roles.grant(COMMAND_LINE, ADMINISTRATOR, SYSTEM_MANAGER)

    with pytest.raises(Invalid):
        house.roles.revoke(COMMAND_LINE, ADMINISTRATOR, SYSTEM_MANAGER)
