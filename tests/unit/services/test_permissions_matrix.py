"""A role's whole matrix is seen, and replaced in one piece or not at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.api_keys import Limits
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.users import GUEST, SYSTEM_MANAGER
from latchgate.errors import Flaw, Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.permissions import Matrix
from latchgate.services.users import UserOrder
from support.house import USER, House

_ROLE, _MANAGER = "Auditor", "manager@example.com"
_READ = frozenset({Action.READ})
_PLACES = st.tuples(st.sampled_from([*DOCUMENT_TYPES, "Event Consumer"]), st.booleans())
_ACTIONS = st.frozensets(st.sampled_from(list(Action)), min_size=1)
_GRANTS = st.dictionaries(_PLACES, _ACTIONS, max_size=6).map(
    lambda chosen: frozenset(Grant(_ROLE, *place, actions) for place, actions in chosen.items())
)


def _grant(doctype: str, actions: frozenset[Action] = _READ, *, role: str = _ROLE, if_owner: bool = False) -> Grant:
    return Grant(role, doctype, if_owner, actions)


@pytest.fixture
def furnished(house: House) -> House:
    """A house with a role that may do something, and a System Manager beside Administrator."""
    house.roles.create(COMMAND_LINE, _ROLE)
    house.add_user(UserOrder(_MANAGER, roles=frozenset({SYSTEM_MANAGER})))
    house.add_user()
    for grant in (_grant("Role"), _grant("User"), _grant("API Key", if_owner=True)):
        house.permissions.grant(COMMAND_LINE, grant)
    return house


def _show(house: House, role: str = _ROLE) -> Matrix:
    return house.permissions.show(COMMAND_LINE, role)


def test_a_matrix_is_replaced_at_once(furnished: House) -> None:
    """What is new is granted, what differs is changed, what is gone is revoked, and each is told of."""
    rows, seen = len(furnished.activity()), _show(furnished).seen
    wanted = {_grant("Role"), _grant("User", EVERY_ACTION), _grant("Event Consumer", if_owner=True)}

    furnished.permissions.set_all(furnished.actor(_MANAGER), _ROLE, wanted, seen=seen)

    assert _show(furnished).grants == wanted
    assert [(row.operation, row.subject, row.user) for row in furnished.activity()[rows + 1 :]] == [
        ("permission.revoked", "API Key:Auditor:own", _MANAGER),
        ("permission.granted", "Event Consumer:Auditor:own", _MANAGER),
        ("permission.changed", "User:Auditor", _MANAGER),
    ]


@given(before=_GRANTS, after=_GRANTS)
def test_any_matrix_follows_any_other(lasting_house: House, before: frozenset[Grant], after: frozenset[Grant]) -> None:
    """It is then what was asked for; other roles keep theirs; what is there already leaves no trace."""
    house = lasting_house
    if _ROLE not in dict(house.roles.list_roles()):
        house.roles.create(COMMAND_LINE, _ROLE)
    house.permissions.set_all(COMMAND_LINE, _ROLE, before, seen=_show(house).seen)
    others = [grant for grant in house.permissions.list_grants(COMMAND_LINE) if grant.role != _ROLE]

    house.permissions.set_all(COMMAND_LINE, _ROLE, after, seen=_show(house).seen)

    shown, rows = _show(house), house.activity()
    assert shown.grants == after
    assert [grant for grant in house.permissions.list_grants(COMMAND_LINE) if grant.role != _ROLE] == others
    house.permissions.set_all(COMMAND_LINE, _ROLE, shown.grants, seen=shown.seen)
    assert house.activity() == rows


@given(one=_GRANTS, other=_GRANTS)
def test_matrices_are_told_apart(one: frozenset[Grant], other: frozenset[Grant]) -> None:
    """Two are seen as the same text only if they are the same."""
    texts = [Matrix(_ROLE, grants, (), True, frozenset(), "").seen for grants in (one, other)]

    assert (texts[0] == texts[1]) == (one == other)
    assert all(text.isprintable() for text in texts)


def test_what_was_not_seen_is_not_overwritten(furnished: House) -> None:
    """Of two who looked at the same matrix, the second is told."""
    seen = _show(furnished).seen
    furnished.permissions.set_all(COMMAND_LINE, _ROLE, {_grant("Role")}, seen=seen)
    rows = furnished.activity()

    for stale in (seen, "", f"{_show(furnished).seen} "):
        with pytest.raises(Invalid) as refused:
            furnished.permissions.set_all(COMMAND_LINE, _ROLE, {_grant("User")}, seen=stale)

        assert refused.value.flaw is Flaw.STALE
    assert _show(furnished).grants == {_grant("Role")}
    assert furnished.activity() == rows


@pytest.mark.parametrize(
    "wrong", [_grant("ToDo"), _grant("Role", frozenset()), _grant("API Key", frozenset(), if_owner=True)]
)
def test_what_cannot_be_granted_leaves_all_as_it_was(furnished: House, wrong: Grant) -> None:
    """Nothing of a matrix is kept if a part of it cannot be."""
    before, rows = _show(furnished), furnished.activity()

    with pytest.raises(Invalid):
        furnished.permissions.set_all(COMMAND_LINE, _ROLE, {_grant("Activity Log"), wrong}, seen=before.seen)

    assert _show(furnished) == before
    assert furnished.activity() == rows


@pytest.mark.parametrize("doctype", ["User", "Role", "Role Permission"])
@pytest.mark.parametrize("left", [frozenset(), _READ])
def test_system_managers_keep_what_they_manage_by(house: House, doctype: str, left: frozenset[Action]) -> None:
    """It is shown as kept, and no whole matrix takes it."""
    before = _show(house, SYSTEM_MANAGER)
    taken = {grant for grant in before.grants if grant.doctype != doctype}
    wanted = taken | ({_grant(doctype, left, role=SYSTEM_MANAGER)} if left else set())

    with pytest.raises(Invalid, match=f"keeps every right on {doctype}"):
        house.permissions.set_all(COMMAND_LINE, SYSTEM_MANAGER, wanted, seen=before.seen)

    assert _grant(doctype, EVERY_ACTION, role=SYSTEM_MANAGER) in before.kept
    assert before.why_fixed == (
        "System Manager keeps every right on Role, Role Permission and User, or nobody could give it back"
    )
    assert _show(house, SYSTEM_MANAGER) == before


def test_system_managers_may_be_left_with_what_they_keep(house: House) -> None:
    """All else may go at once."""
    before = _show(house, SYSTEM_MANAGER)

    house.permissions.set_all(COMMAND_LINE, SYSTEM_MANAGER, before.kept, seen=before.seen)

    assert _show(house, SYSTEM_MANAGER).grants == before.kept


def test_guest_is_given_nothing(house: House) -> None:
    """Its matrix says so, and why."""
    shown = _show(house, GUEST)

    assert (shown.changeable, shown.kept, shown.grants) == (False, frozenset(), frozenset())
    assert shown.why_fixed.startswith("Guest may hold no permissions")
    with pytest.raises(Invalid):
        house.permissions.set_all(COMMAND_LINE, GUEST, {_grant("User", role=GUEST)}, seen="")


def test_a_matrix_names_all_that_there_is(furnished: House) -> None:
    """The types that are always there and each source, whether or not there are permissions for them."""
    furnished.sources.create(COMMAND_LINE, "a device")

    doctypes = _show(furnished).doctypes

    assert set(doctypes) == {*DOCUMENT_TYPES, "Event Consumer", "a device"}
    assert doctypes[:2] == ("a device", "Access Rule")
    assert _show(furnished).why_fixed == ""


def test_a_matrix_is_for_who_may_read_permissions(furnished: House) -> None:
    """To change it takes a System Manager, with a credential that covers it."""
    permissions = furnished.permissions
    manager, user = furnished.actor(_MANAGER), furnished.actor()
    reader = furnished.actor(_MANAGER, Limits(frozenset({"Role Permission:read", "Role Permission:write"})))

    with pytest.raises(NotPermitted):
        permissions.show(user, _ROLE)
    permissions.grant(COMMAND_LINE, _grant("Role Permission", EVERY_ACTION))
    furnished.roles.grant(COMMAND_LINE, USER, _ROLE)
    granted = furnished.actor()

    shown = [permissions.show(actor, _ROLE).changeable for actor in (manager, reader, granted)]
    assert shown == [True, False, False]
    for actor in (reader, granted, user):
        with pytest.raises(NotPermitted):
            permissions.set_all(actor, _ROLE, (), seen=_show(furnished).seen)
        with pytest.raises(NotPermitted):
            permissions.set_all(actor, _ROLE, {_grant("User", EVERY_ACTION)}, seen=_show(furnished).seen)


def test_a_credential_without_reading_learns_nothing(furnished: House) -> None:
    """Whether a guess at a matrix is right, is for who may read it."""
    writer = furnished.actor(_MANAGER, Limits(frozenset({"Role Permission:write"})))

    for guess in ("", _show(furnished).seen):
        with pytest.raises(NotPermitted):
            furnished.permissions.set_all(writer, _ROLE, _show(furnished).grants, seen=guess)


def test_a_role_that_is_not_there(furnished: House) -> None:
    """Is told as such."""
    with pytest.raises(NotFound):
        _show(furnished, "No Role")
    with pytest.raises(NotFound):
        furnished.permissions.set_all(COMMAND_LINE, "No Role", (), seen="")


@pytest.mark.parametrize("wrong", [[_grant("User"), _grant("User", EVERY_ACTION)], [_grant("User", role="All")]])
def test_a_matrix_is_of_one_role_and_says_each_thing_once(furnished: House, wrong: list[Grant]) -> None:
    """Anything else is a mistake in the program."""
    with pytest.raises(AssertionError):
        furnished.permissions.set_all(COMMAND_LINE, _ROLE, wrong, seen=_show(furnished).seen)


def test_whether_a_role_can_be_deleted_is_told_before(furnished: House) -> None:
    """As the deletion would; nothing is deleted."""
    manager, user = furnished.actor(_MANAGER), furnished.actor()
    waiting = replace(manager, waited=True)

    furnished.roles.require_deletable(waiting, _ROLE)
    for role, actor, error in (
        (SYSTEM_MANAGER, manager, Invalid),
        (GUEST, manager, Invalid),
        (_ROLE, user, NotPermitted),
        ("No Role", manager, NotFound),
    ):
        with pytest.raises(error):
            furnished.roles.require_deletable(actor, role)

    assert _ROLE in dict(furnished.roles.list_roles())
