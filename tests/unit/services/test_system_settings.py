"""What counts of the settings: the operator's word, else what was decided, else the default."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.system_settings import SETTING_NAMES, bounds_of
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import Invalid, NotFound, NotPermitted, StorageError
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.standing_settings import StandingSettings, default_of
from latchgate.services.system_settings import SystemSettingsService
from latchgate.services.throttles import SignInLimits
from latchgate.settings import Settings
from support.house import USER, House

_MANAGER = "manager@example.com"
_OWN = Owner("User", USER)


@pytest.fixture
def manager(house: House) -> Actor:
    """A System Manager's request."""
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)
    return house.actor(_MANAGER)


def _set_by_operator(house: House, **operator: Any) -> SystemSettingsService:  # noqa: ANN401  # settings' values
    origins = {name: f"LATCHGATE_{name.upper()}" for name in operator}
    return replace(house.system_settings, standing=StandingSettings.undecided(**operator), origins=origins)


def test_the_defaults_stand_until_somebody_decides(house: House) -> None:
    """The record is Administrator's and as old as the instance."""
    values = house.system_settings.get(COMMAND_LINE).values

    creation = house.users.get(ADMINISTRATOR).creation
    assert values == {
        "name": "System Settings",
        "owner": ADMINISTRATOR,
        "creation": creation,
        "modified": creation,
        "modified_by": ADMINISTRATOR,
        **{name: default_of(name) for name in SETTING_NAMES},
    }


def test_the_operators_defaults_are_the_same() -> None:
    """What a variable's default says in docs/settings.md is what counts."""
    settings = Settings()

    said = StandingSettings.of({name: getattr(settings, name) for name in SETTING_NAMES})

    assert said.operator == {name: default_of(name) for name in SETTING_NAMES}


def test_what_the_operator_set_is_changed_by_nobody(house: House, manager: Actor) -> None:
    """It stands over a decision, says where it is set, and to send it back as it is, is no change."""
    house.system_settings.change(manager, session_idle_seconds=120)
    fixed = _set_by_operator(house, session_idle_seconds=999)

    with pytest.raises(Invalid) as refused:
        fixed.change(manager, session_idle_seconds=120)
    fixed.change(manager, session_idle_seconds=999)
    with pytest.raises(Invalid):
        fixed.reset(manager, "session_idle_seconds")

    assert "LATCHGATE_SESSION_IDLE_SECONDS" in refused.value.fields["session_idle_seconds"]
    assert fixed.get(manager).values["session_idle_seconds"] == 999
    assert "session_idle_seconds" not in fixed.list_decided(manager)


def test_a_decision_is_told_with_who_and_when(house: House, manager: Actor) -> None:
    """It is a change only if it says something else than the last one."""
    rows = len(house.activity())

    for _ in range(2):
        house.system_settings.change(manager, allow_own_keys=0, key_days_max=90)
    found = house.system_settings.get(manager).values

    assert (found["allow_own_keys"], found["key_days_max"], found["modified_by"]) == (0, 90, _MANAGER)
    assert int(str(found["modified"])) > int(str(found["creation"]))
    assert [(row.operation, row.user, row.detail) for row in house.activity()[rows:]] == [
        ("settings.changed", _MANAGER, "allow_own_keys: 0; key_days_max: 90")
    ]


def test_a_reset_lets_the_default_count_again(house: House, manager: Actor) -> None:
    """Once; there is nothing to reset the second time."""
    house.system_settings.change(manager, key_days_max=90)

    taken = [house.system_settings.reset(manager, "key_days_max") for _ in range(2)]

    assert taken == [True, False]
    assert house.system_settings.get(manager).values["key_days_max"] is None
    assert house.activity()[-1].detail == "key_days_max: default"
    with pytest.raises(NotFound):
        house.system_settings.reset(manager, "colour")


@pytest.mark.parametrize("name", [name for name in SETTING_NAMES if bounds_of(name).most is not None])
def test_a_number_keeps_within_its_bounds(house: House, manager: Actor, name: str) -> None:
    """Both are allowed, what lies beyond is told by the field, also where no form was asked."""
    bounds = bounds_of(name)
    assert bounds.least is not None
    assert bounds.most is not None
    house.system_settings.change(manager, **{name: bounds.least})
    house.system_settings.change(manager, **{name: bounds.most})

    for wrong in (bounds.least - 1, bounds.most + 1, "soon", True, 1.5, *([] if bounds.optional else [None])):
        with pytest.raises(Invalid) as refused:
            house.system_settings.change(manager, **{name: wrong})  # type: ignore[arg-type]  # that is the point
        assert list(refused.value.fields) == [name]

    assert house.system_settings.get(manager).values[name] == bounds.most


def test_a_role_that_is_none_is_not_taken(house: House, manager: Actor) -> None:
    """Or a typing error would shut everybody out."""
    with pytest.raises(Invalid) as refused:
        house.system_settings.change(manager, own_key_roles=["Develoepr"])

    assert refused.value.fields == {"own_key_roles": "Could not find Role: Develoepr"}


@pytest.mark.parametrize(
    "change",
    [
        lambda house, actor: house.system_settings.change(actor, key_days_max=1),
        lambda house, actor: house.system_settings.reset(actor, "key_days_max"),
        lambda house, actor: house.documents.update(
            actor, "System Settings", "System Settings", {"key_days_max": None}
        ),
    ],
)
def test_nobody_else_decides(house: House, manager: Actor, change: Callable[[House, Actor], object]) -> None:
    """Not even with a permission on the record, nor with a System Manager's key that lacks the scope."""
    house.system_settings.change(manager, key_days_max=30)
    house.add_user()
    narrow = house.actor(_MANAGER, Limits(frozenset({"read"}), expires_at=house.clock.now() + 60))

    for actor in (house.actor(USER, Limits(frozenset({"all"}), expires_at=house.clock.now() + 60)), narrow):
        with pytest.raises(NotPermitted):
            change(house, actor)

    assert house.system_settings.get(COMMAND_LINE).values["key_days_max"] == 30


def test_limits_of_sign_ins_that_the_operator_set_need_no_database(house: House) -> None:
    """They hold whatever was decided, and are known while it does not answer; of some alone the rest is asked for."""
    house.system_settings.change(COMMAND_LINE, sign_in_failures_per_user=7, sign_in_window_seconds=700)
    one = StandingSettings.undecided(sign_in_failures_per_user=3, sign_in_failures_per_address=30)
    every = StandingSettings.undecided(**one.operator, sign_in_window_seconds=300)
    assert one.sign_in_limits(house.store) == SignInLimits(3, 30, 700)

    house.execute("ALTER TABLE fact RENAME TO fact_gone")

    assert every.sign_in_limits(house.store) == SignInLimits(3, 30, 300)
    with pytest.raises(StorageError):
        one.sign_in_limits(house.store)


def test_own_keys_are_given_and_taken_at_once(house: House) -> None:
    """A user's own keys follow the decision from the next request on, unless the operator decided."""
    house.add_user()
    actor = house.actor()
    issued = house.keys.generate(actor, _OWN, KeyOrder())
    lenient = replace(house.keys, standing=StandingSettings.undecided(allow_own_keys=1, own_key_roles=[]))

    house.system_settings.change(COMMAND_LINE, allow_own_keys=0)

    with pytest.raises(NotPermitted):
        house.keys.revoke(actor, issued.key.key_id)
    lenient.revoke(actor, issued.key.key_id)


def test_own_keys_for_some_roles(house: House) -> None:
    """Users with one of the roles manage their own, others do not; roles that the switch shuts out do neither."""
    house.add_user()
    house.roles.create(COMMAND_LINE, "Developer")
    house.system_settings.change(COMMAND_LINE, own_key_roles=["Developer"])
    with pytest.raises(NotPermitted):
        house.keys.generate(house.actor(), _OWN, KeyOrder())

    house.roles.grant(COMMAND_LINE, USER, "Developer")
    house.keys.generate(house.actor(), _OWN, KeyOrder())

    house.system_settings.change(COMMAND_LINE, allow_own_keys=0)
    with pytest.raises(NotPermitted):
        house.keys.generate(house.actor(), _OWN, KeyOrder())
