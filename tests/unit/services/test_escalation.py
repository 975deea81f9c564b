"""Whoever may change all users, but is no System Manager, comes to nothing that they do not have already."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, DESK_USER, SYSTEM_MANAGER, UserType
from latchgate.errors import Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.port_values import UserChanges
from latchgate.services.users import UserOrder
from support.house import USER, House
from support.office import AUDITOR, HELPDESK, HELPER, MANAGER, PEER, PLAIN

_PASSWORD = Secret("another long password")

Change = Callable[[House, Actor, str], object]

_CHANGES: dict[str, Change] = {
    "names": lambda house, actor, name: house.users.change(actor, name, UserChanges(first_name="Changed")),
    "hours": lambda house, actor, name: house.users.change(actor, name, UserChanges(login_before=18)),
    "disable": lambda house, actor, name: house.users.set_enabled(actor, name, enabled=False),
    "password": lambda house, actor, name: house.users.set_password(actor, name, _PASSWORD),
    "grant": lambda house, actor, name: house.roles.grant(actor, name, "Helpdesk"),
    "revoke": lambda house, actor, name: house.roles.revoke(actor, name, "Helpdesk"),
    "delete": lambda house, actor, name: house.users.delete(actor, name),
}
_OF_ONE_S_OWN: dict[str, Change] = {
    "type": lambda house, actor, name: house.users.change(actor, name, UserChanges(user_type=UserType.WEBSITE)),
    "addresses": lambda house, actor, name: house.users.change(
        actor, name, UserChanges(restrict_ip=(ip_network("192.0.2.0/24"),))
    ),
    "names and hours": lambda house, actor, name: house.users.change(
        actor, name, UserChanges(first_name="Changed", login_after=8)
    ),
    **{name: _CHANGES[name] for name in ("hours", "disable", "password", "revoke")},
    "grant": lambda house, actor, name: house.roles.grant(actor, name, "Auditor"),
}


@pytest.mark.parametrize("name", [PLAIN, PEER])
@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_an_account_that_may_do_no_more_is_changed(office: House, change: Change, name: str) -> None:
    """The right on all users suffices for accounts all of whose roles one holds."""
    before = len(office.activity())

    change(office, office.actor(HELPER), name)

    assert len(office.activity()) in {before + 1, before + 2}


@pytest.mark.parametrize("name", [AUDITOR, MANAGER, ADMINISTRATOR])
@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_an_account_that_may_do_more_is_left_alone(office: House, change: Change, name: str) -> None:
    """Whoever could change such an account could act as it."""
    actor = office.actor(HELPER)
    before = office.users.get(name)

    with pytest.raises(NotPermitted) as refused:
        change(office, actor, name)

    assert (refused.value.public, refused.value.reason) == (f"{name} has roles that you lack", "role_missing")
    assert office.users.get(name) == before


@pytest.mark.parametrize("role", ["Auditor", SYSTEM_MANAGER, "No Such Role"])
def test_nobody_gives_or_takes_a_role_that_they_lack(office: House, role: str) -> None:
    """Neither to a user that is there, nor to a new one, and whether there is such a role is not told."""
    actor = office.actor(HELPER)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: office.roles.grant(actor, PLAIN, role),
        lambda: office.roles.revoke(actor, PLAIN, role),
        lambda: office.users.create(actor, UserOrder(USER, roles=frozenset({role}))),
    )

    for attempt in attempts:
        with pytest.raises(NotPermitted) as refused:
            attempt()
        assert refused.value.reason == "role_missing"
    with pytest.raises(NotFound):
        office.users.get(USER)


def test_a_role_that_one_holds_is_given_to_a_new_user(office: House) -> None:
    """The helpdesk makes others of its own kind."""
    user = office.users.create(office.actor(HELPER), UserOrder(USER, roles=HELPDESK, password=_PASSWORD))

    assert user.roles == HELPDESK


def test_a_user_s_type_brings_a_role(office: House) -> None:
    """Who has no desk lets nobody in to it: neither a new user nor one whose type changes."""
    office.users.change(COMMAND_LINE, HELPER, UserChanges(user_type=UserType.WEBSITE))
    actor = office.actor(HELPER)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: office.users.create(actor, UserOrder(USER)),
        lambda: office.users.change(actor, PLAIN, UserChanges(user_type=UserType.SYSTEM)),
        lambda: office.users.change(actor, PEER, UserChanges(first_name="x")),
    )

    for attempt in attempts:
        with pytest.raises(NotPermitted):
            attempt()
    website = office.users.create(actor, UserOrder(USER, user_type=UserType.WEBSITE))

    assert (office.users.get(PLAIN).user_type, website.user_type) == (UserType.WEBSITE, UserType.WEBSITE)
    assert DESK_USER not in office.actor(PLAIN).principal.roles  # type: ignore[union-attr]  # it has one


# --- One's own account ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", _OF_ONE_S_OWN.values(), ids=_OF_ONE_S_OWN)
@pytest.mark.parametrize("name", [HELPER, AUDITOR])
def test_nobody_changes_what_their_own_account_may_do(office: House, change: Change, name: str) -> None:
    """Neither by the right on all users, nor by that on oneself alone."""
    actor = office.actor(name)
    before = office.users.get(name)

    with pytest.raises(NotPermitted) as refused:
        change(office, actor, name)

    assert refused.value.reason == "role_missing"
    assert office.users.get(name) == before


@pytest.mark.parametrize("name", [HELPER, PLAIN])
def test_everybody_changes_their_own_names(office: House, name: str) -> None:
    """What is so already may be sent back with them: only a change needs a right."""
    own = UserChanges(first_name=" New ", last_name="Name", user_type=office.users.get(name).user_type, login_after=0)

    user = office.users.change(office.actor(name), name.upper(), own)
    same = office.users.set_enabled(office.actor(name), name, enabled=True)

    assert user.full_name == "New Name"
    assert same.enabled


def test_a_system_manager_changes_their_own_account(office: House) -> None:
    """Who may give themselves everything anyway is not told that they may not."""
    office.add_user(UserOrder("other@example.com", roles=frozenset({SYSTEM_MANAGER})))
    actor = office.actor(MANAGER)

    office.users.change(actor, MANAGER, UserChanges(login_before=18))
    office.users.set_password(actor, MANAGER, _PASSWORD)
    office.roles.grant(actor, MANAGER, "Auditor")

    assert office.users.get(MANAGER).roles == {SYSTEM_MANAGER, "Auditor"}


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_a_right_on_oneself_tells_of_nobody_else(office: House, change: Change) -> None:
    """Whether there is another user is not told to whoever reaches only themselves."""
    actor = office.actor(PLAIN)
    told = set()

    for name in (PEER, ADMINISTRATOR, "nobody@example.com"):
        with pytest.raises(NotPermitted) as refused:
            change(office, actor, name)
        told.add(refused.value.public)

    assert told == {"No permission for User"}


def test_an_account_may_be_let_go(office: House) -> None:
    """Where a permission lets users delete themselves, they do, and nobody else."""
    office.permissions.grant(COMMAND_LINE, Grant("All", "User", if_owner=True, actions=EVERY_ACTION))
    actor = office.actor(PLAIN)

    office.users.delete(actor, PLAIN)

    with pytest.raises(NotFound):
        office.users.get(PLAIN)
    with pytest.raises(NotPermitted):
        office.users.create(office.actor(AUDITOR), UserOrder(USER))


def test_an_account_with_somebodys_keys_does_not_come_to_more(office: House) -> None:
    """Whoever made a key for it, knowing its secret, would come to the role too; its own keys are its own."""
    office.permissions.grant(COMMAND_LINE, Grant("Helpdesk", "API Key", if_owner=False, actions=EVERY_ACTION))
    own = office.keys.generate(office.actor(PLAIN), Owner("User", PLAIN), KeyOrder()).key.key_id
    trap = office.keys.generate(office.actor(HELPER), Owner("User", PLAIN), KeyOrder()).key.key_id

    with pytest.raises(Invalid, match=f"{trap}, made by {HELPER}"):
        office.roles.grant(office.actor(MANAGER), PLAIN, "Auditor")
    assert office.roles.grant(office.actor(MANAGER), PLAIN, "Helpdesk")
    office.keys.revoke(COMMAND_LINE, trap)

    assert office.roles.grant(office.actor(MANAGER), PLAIN, "Auditor")
    assert not office.roles.grant(office.actor(MANAGER), PLAIN, "Auditor")
    assert own in office.key_ids(revoked="not set")


# --- What gives rights ----------------------------------------------------------------------------------------------


def test_only_system_managers_give_rights(office: House) -> None:
    """Whatever a permission says: with a right on permissions or settings one could give oneself any."""
    actor = office.actor(HELPER)
    grant = Grant("Helpdesk", "API Key", if_owner=False, actions=EVERY_ACTION)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: office.permissions.grant(actor, grant),
        lambda: office.permissions.revoke(actor, "All", "User", if_owner=True),
        lambda: office.system_settings.change(actor, allow_own_keys=False),
    )
    before = office.activity()

    for attempt in attempts:
        with pytest.raises(NotPermitted) as refused:
            attempt()
        assert refused.value.reason == "role_missing"

    assert office.activity() == before
    assert grant not in office.permissions.list_grants(actor)


def test_a_role_in_use_is_deleted_by_whoever_could_take_it(office: House) -> None:
    """Deleting a role takes it from its users, and its permissions: both need what doing either would."""
    actor = office.actor(HELPER)
    for role in ("Unused", "Named"):
        office.roles.create(actor, role)
    office.permissions.grant(COMMAND_LINE, Grant("Named", "User", if_owner=False, actions=EVERY_ACTION))

    office.roles.delete(actor, "Unused")
    for role in ("Auditor", "Named", "Helpdesk"):
        with pytest.raises(NotPermitted):
            office.roles.delete(actor, role)
    for role in ("Auditor", "Named", "Helpdesk"):
        office.roles.delete(office.actor(MANAGER), role)

    assert office.users.get(AUDITOR).roles == frozenset()
    assert not {grant.role for grant in office.permissions.list_grants(COMMAND_LINE)} & {"Named", "Helpdesk"}


def test_a_role_is_not_taken_by_its_deletion_from_whoever_may_do_more(office: House) -> None:
    """Also one that the actor holds, and without telling who else does."""
    office.roles.create(COMMAND_LINE, "Shared")
    for name in (HELPER, MANAGER):
        office.roles.grant(COMMAND_LINE, name, "Shared")

    with pytest.raises(NotPermitted) as refused:
        office.roles.delete(office.actor(HELPER), "Shared")

    assert MANAGER not in refused.value.public
    assert "Shared" in office.users.get(MANAGER).roles
    office.roles.revoke(COMMAND_LINE, MANAGER, "Shared")
    office.roles.delete(office.actor(HELPER), "Shared")


def test_nobody_shuts_administrator_out_at_all_hours(office: House) -> None:
    """Or the last System Manager could lock everybody out."""
    with pytest.raises(Invalid, match="shut out"):
        office.users.change(office.actor(MANAGER), ADMINISTRATOR, UserChanges(login_after=24))


def test_one_s_own_roles_are_deleted_by_a_right_on_them(office: House) -> None:
    """A right on one's own records reaches what one has made, and tells of nothing else."""
    own = Grant("Auditor", "Role", if_owner=True, actions=EVERY_ACTION)
    office.permissions.grant(COMMAND_LINE, own)
    actor = office.actor(AUDITOR)
    office.roles.create(actor, "Mine")
    told = set()

    for role in ("Helpdesk", "No Such Role"):
        with pytest.raises(NotPermitted) as refused:
            office.roles.delete(actor, role)
        told.add(refused.value.public)
    office.roles.delete(actor, "Mine")

    assert told == {"No permission for Role"}
    assert "Mine" not in dict(office.roles.list_roles())


@pytest.mark.parametrize("role", [SYSTEM_MANAGER, "All", "Guest", DESK_USER])
def test_the_built_in_roles_stay(office: House, role: str) -> None:
    """What the product knows by name is never deleted."""
    with pytest.raises(Invalid):
        office.roles.delete(COMMAND_LINE, role)


def test_an_unknown_role_is_told_as_such(office: House) -> None:
    """Deleting what is not there does not pass for done."""
    with pytest.raises(NotFound):
        office.roles.delete(COMMAND_LINE, "No Such Role")


# --- All roles of a user at once ------------------------------------------------------------------------------------


def _set_roles(house: House, actor: Actor, name: str, *roles: str) -> None:
    with house.store.write() as tx:
        house.roles.set_roles_in(tx, actor, name, frozenset(roles))


def test_what_differs_is_granted_and_revoked(office: House) -> None:
    """Each role that comes or goes is told of once, what stays is not, and the record is another than before."""
    office.roles.create(COMMAND_LINE, "Clerk")
    before, rows = office.users.get(AUDITOR), len(office.activity())

    _set_roles(office, COMMAND_LINE, AUDITOR, "Helpdesk", "Clerk")
    after = office.users.get(AUDITOR)
    _set_roles(office, COMMAND_LINE, AUDITOR, "Helpdesk", "Clerk")

    assert after.roles == {"Helpdesk", "Clerk"}
    assert after.modified > before.modified
    assert [(row.operation, row.detail) for row in office.activity()[rows:]] == [
        ("role.granted", "Clerk"),
        ("role.granted", "Helpdesk"),
        ("role.revoked", "Auditor"),
    ]
    assert office.users.get(AUDITOR) == after


def test_only_what_differs_needs_a_right(office: House) -> None:
    """A user's own roles may be sent back as they are; other ones are for System Managers to give."""
    actor = office.actor(HELPER)

    _set_roles(office, actor, HELPER, "Helpdesk")
    _set_roles(office, actor, PLAIN, "Helpdesk")
    for name, roles in ((HELPER, ()), (HELPER, ("Helpdesk", "Auditor")), (PLAIN, ("Auditor",)), (AUDITOR, ())):
        with pytest.raises(NotPermitted):
            _set_roles(office, actor, name, *roles)

    assert office.users.get(PLAIN).roles == HELPDESK


def test_automatic_roles_are_not_among_them(office: House) -> None:
    """What comes with the user's type is not granted, even in passing; nothing else is then either."""
    with pytest.raises(Invalid):
        _set_roles(office, COMMAND_LINE, PLAIN, "Auditor", "All")

    assert office.users.get(PLAIN).roles == frozenset()
