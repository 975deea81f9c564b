"""Sources and their records as far as permissions go: each source is a document type of its own."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.core.sources import SourceRecord
from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.users import UserOrder
from support.house import EVERYTHING, USER, House, present_pair

_KEEPER, _MANAGER, _PLAIN = "keeper@example.com", "manager@example.com", "plain@example.com"
_SOURCE = "Event Consumer"
_RECORD = SourceRecord(0, _SOURCE, "consumer-1", None, True)


@pytest.fixture
def furnished(house: House) -> House:
    """A house with somebody who may do everything to the records of a source, and a record."""
    house.roles.create(COMMAND_LINE, "Keeper")
    house.add_user(UserOrder(_KEEPER, roles=frozenset({"Keeper"})))
    house.add_user(UserOrder(_PLAIN))
    house.add_user(UserOrder(_MANAGER, roles=frozenset({SYSTEM_MANAGER})))
    _allow(house, _SOURCE)
    house.sources.create_record(COMMAND_LINE, _SOURCE, _RECORD.name, None)
    return house


def _allow(house: House, doctype: str, *, if_owner: bool = False) -> None:
    house.permissions.grant(COMMAND_LINE, Grant("Keeper", doctype, if_owner, EVERY_ACTION))


def _change(house: House, actor: Actor, wanted: SourceRecord) -> SourceRecord:
    with house.store.write() as tx:
        return house.sources.change_record_in(tx, actor, wanted)


def test_a_right_on_a_source_s_records_is_one_on_nothing_else(furnished: House) -> None:
    """Records are made, changed and deleted; the source itself is not, nor another's records."""
    actor = furnished.actor(_KEEPER)
    furnished.sources.create(COMMAND_LINE, "Sensor")

    furnished.sources.create_record(actor, _SOURCE, "mine", _PLAIN)
    furnished.sources.enable_record(actor, _SOURCE, "mine", enabled=False)
    furnished.sources.delete_record(actor, _SOURCE, "mine")
    for attempt in (
        lambda: furnished.sources.create(actor, "Device"),
        lambda: furnished.sources.delete(actor, "Sensor"),
        lambda: furnished.sources.create_record(actor, "Sensor", "s-1", None),
        lambda: furnished.sources.delete_record(actor, "Sensor", "s-1"),
    ):
        with pytest.raises(NotPermitted):
            attempt()

    assert [record.name for record in furnished.sources.list_records(_SOURCE)] == [_RECORD.name]


def test_a_right_on_one_s_own_records_reaches_no_other(furnished: House) -> None:
    """Whoever made a record changes it; others are refused alike whether the record exists."""
    furnished.permissions.revoke(COMMAND_LINE, "Keeper", _SOURCE, if_owner=False)
    _allow(furnished, _SOURCE, if_owner=True)
    actor = furnished.actor(_KEEPER)
    furnished.sources.create_record(actor, _SOURCE, "mine", None)
    told = set()

    for name in (_RECORD.name, "no-record"):
        with pytest.raises(NotPermitted) as refused:
            furnished.sources.enable_record(actor, _SOURCE, name, enabled=False)
        told.add(refused.value.public)
    mine = furnished.sources.enable_record(actor, _SOURCE, "mine", enabled=False)

    assert (len(told), mine.enabled) == (1, False)


def test_a_record_of_somebody_who_may_do_more_is_left_alone(furnished: House) -> None:
    """Its keys act as that user: whoever lacks the user's roles neither wakes, nor ends, nor takes it over."""
    furnished.sources.create_record(COMMAND_LINE, _SOURCE, "managers", _MANAGER, enabled=False)
    actor = furnished.actor(_KEEPER)
    record = SourceRecord(0, _SOURCE, "managers", _MANAGER, False)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: furnished.sources.enable_record(actor, _SOURCE, "managers", enabled=True),
        lambda: _change(furnished, actor, replace(record, user=_KEEPER)),
        lambda: furnished.sources.delete_record(actor, _SOURCE, "managers"),
        lambda: furnished.documents.delete(actor, _SOURCE, "managers"),
    )

    for attempt in attempts:
        with pytest.raises(NotPermitted):
            attempt()

    found = {one.name: (one.user, one.enabled) for one in furnished.sources.list_records(_SOURCE)}
    assert found["managers"] == (_MANAGER, False)


def test_a_record_with_somebodys_keys_does_not_come_to_more(furnished: House) -> None:
    """Whoever made a key beforehand knows its secret: it must go before the record runs as who may do more."""
    keeper = furnished.actor(_KEEPER)
    furnished.permissions.grant(COMMAND_LINE, Grant("Keeper", "API Key", if_owner=False, actions=EVERY_ACTION))
    trap = furnished.keys.generate(keeper, Owner(_SOURCE, _RECORD.name), KeyOrder()).key.key_id
    managers = furnished.keys.generate(furnished.actor(_MANAGER), Owner(_SOURCE, _RECORD.name), KeyOrder()).key.key_id

    with pytest.raises(Invalid, match=f"{trap}, made by {_KEEPER}"):
        _change(furnished, COMMAND_LINE, replace(_RECORD, user=_MANAGER))
    assert _change(furnished, COMMAND_LINE, replace(_RECORD, user=_PLAIN)).user == _PLAIN
    furnished.keys.revoke(COMMAND_LINE, trap)

    assert _change(furnished, COMMAND_LINE, replace(_RECORD, user=_MANAGER)).user == _MANAGER
    assert managers in furnished.key_ids(revoked="not set")


# --- Whom a record runs as ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [_MANAGER, ADMINISTRATOR, "nobody@example.com", "no name"])
def test_nobody_lets_a_record_run_as_somebody_who_may_do_more(furnished: House, name: str) -> None:
    """Its keys would do what their maker may not; and whether there is such a user is not told."""
    actor = furnished.actor(_KEEPER)

    attempts: tuple[Callable[[], object], ...] = (
        lambda: furnished.sources.create_record(actor, _SOURCE, "other", name),
        lambda: _change(furnished, actor, replace(_RECORD, user=name)),
    )
    for attempt in attempts:
        with pytest.raises(NotPermitted) as refused:
            attempt()
        assert (refused.value.public, refused.value.reason) == (f"{name} has roles that you lack", "role_missing")

    assert [record.user for record in furnished.sources.list_records(_SOURCE)] == [None]


def test_a_missing_user_is_told_to_whoever_may_read_users(furnished: House) -> None:
    """They could look it up as well."""
    for actor in (COMMAND_LINE, furnished.actor(_MANAGER)):
        with pytest.raises(NotFound):
            _change(furnished, actor, replace(_RECORD, user="nobody@example.com"))
        with pytest.raises(Invalid):
            _change(furnished, actor, replace(_RECORD, user=GUEST))


def test_a_record_changes_whom_it_runs_as(furnished: House) -> None:
    """Its keys follow at the next request; what stays as it was is not told of."""
    issued = furnished.add_key(_RECORD.name, source=_SOURCE)
    presented = present_pair(issued.key.key_id, issued.secret.text, source=_SOURCE)
    actor, rows = furnished.actor(_KEEPER), len(furnished.activity()) + 1

    named = _change(furnished, actor, replace(_RECORD, user=_PLAIN.upper()))
    user = furnished.principal(presented).user
    _change(furnished, actor, replace(_RECORD, user=_PLAIN))
    nobody = _change(furnished, actor, _RECORD)

    assert (named.user, user, nobody.user) == (_PLAIN, _PLAIN, None)
    assert furnished.admit(presented).principal is None
    assert [(row.operation, row.detail) for row in furnished.activity()[rows - 1 :]] == [
        ("source_record.changed", f"{_SOURCE}, user {_PLAIN}"),
        ("source_record.changed", f"{_SOURCE}, user none"),
    ]


def test_a_narrow_credential_widens_no_key_by_a_record(furnished: House) -> None:
    """A key that is there already would run as somebody else without the limits of whoever says so."""
    furnished.roles.grant(COMMAND_LINE, _KEEPER, SYSTEM_MANAGER)
    narrow = furnished.actor(_KEEPER, Limits(frozenset({f"{_SOURCE}:write", "User:read"})))
    furnished.add_key(_RECORD.name, Limits(frozenset({"User:read"})), source=_SOURCE)
    first = _change(furnished, narrow, replace(_RECORD, user=_PLAIN))
    wide = furnished.add_key(_RECORD.name, EVERYTHING, source=_SOURCE)

    with pytest.raises(NotPermitted) as refused:
        _change(furnished, narrow, replace(_RECORD, user=_MANAGER))
    furnished.keys.revoke(COMMAND_LINE, wide.key.key_id)

    assert (first.user, refused.value.reason) == (_PLAIN, "beyond")
    assert _change(furnished, narrow, replace(_RECORD, user=_MANAGER)).user == _MANAGER


# --- Deleting -------------------------------------------------------------------------------------------------------


def test_a_record_goes_with_its_keys(furnished: House) -> None:
    """A later record of that name inherits none."""
    furnished.add_user()
    _change(furnished, COMMAND_LINE, replace(_RECORD, user=USER))
    issued = furnished.add_key(_RECORD.name, source=_SOURCE)

    furnished.sources.delete_record(COMMAND_LINE, _SOURCE, _RECORD.name)
    furnished.sources.create_record(COMMAND_LINE, _SOURCE, _RECORD.name, USER)

    assert furnished.admit(present_pair(issued.key.key_id, issued.secret.text, source=_SOURCE)).principal is None


def test_a_source_goes_with_the_permissions_on_it(furnished: House) -> None:
    """A later source of that name begins anew: with everything for System Managers, and nothing for others."""
    furnished.sources.create(COMMAND_LINE, "Sensor")
    _allow(furnished, "Sensor")

    furnished.sources.delete(COMMAND_LINE, "Sensor")
    gone = [grant for grant in furnished.permissions.list_grants(COMMAND_LINE) if grant.doctype == "Sensor"]
    furnished.sources.create(furnished.actor(_MANAGER), "Sensor")

    left = [grant for grant in furnished.permissions.list_grants(COMMAND_LINE) if grant.doctype == "Sensor"]
    assert (gone, left) == ([], [Grant(SYSTEM_MANAGER, "Sensor", if_owner=False, actions=EVERY_ACTION)])


def test_a_source_with_records_stays(furnished: House) -> None:
    """Their keys would belong to nothing."""
    furnished.sources.create(COMMAND_LINE, "Sensor")
    furnished.sources.create_record(COMMAND_LINE, "Sensor", "s-1", None)

    with pytest.raises(Conflict):
        furnished.sources.delete(COMMAND_LINE, "Sensor")

    assert furnished.sources.list_records("Sensor")


@pytest.mark.parametrize(("name", "error"), [("User", Invalid), (_SOURCE, Invalid), ("No Source", NotFound)])
def test_the_built_in_sources_stay(furnished: House, name: str, error: type[Exception]) -> None:
    """What the product knows by name is never deleted, and what is not there is told as such."""
    with pytest.raises(error):
        furnished.sources.delete(COMMAND_LINE, name)


@pytest.mark.parametrize(("source", "error"), [("User", Invalid), ("No Source", NotFound), (_SOURCE, NotFound)])
def test_only_a_source_s_own_record_is_deleted(furnished: House, source: str, error: type[Exception]) -> None:
    """A user is deleted as a user."""
    furnished.add_user()

    with pytest.raises(error):
        furnished.sources.delete_record(COMMAND_LINE, source, USER)

    assert furnished.users.get(USER).enabled
