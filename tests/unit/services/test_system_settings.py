"""Settings in the database stand over those of the environment as soon as somebody has decided them."""

from dataclasses import replace

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner
from support.house import USER, House

_MANAGER = "manager@example.com"
_OWN = Owner("User", USER)


@pytest.mark.parametrize("default", [True, False])
def test_the_environment_stands_until_somebody_decides(house: House, default: bool) -> None:
    """The record is Administrator's and as old as the instance."""
    service = replace(house.system_settings, own_keys_default=default)

    values = service.get(COMMAND_LINE).values

    creation = house.users.get(ADMINISTRATOR).creation
    assert values == {
        "name": "System Settings",
        "owner": ADMINISTRATOR,
        "creation": creation,
        "modified": creation,
        "modified_by": ADMINISTRATOR,
        "allow_own_keys": int(default),
    }


def test_a_decision_is_told_with_who_and_when(house: House) -> None:
    """It is a change only if it says something else than the last one."""
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)
    actor = house.actor(_MANAGER)
    rows = len(house.activity())

    for _ in range(2):
        house.system_settings.change(actor, allow_own_keys=False)
    found = house.system_settings.get(actor).values

    assert (found["allow_own_keys"], found["modified_by"]) == (0, _MANAGER)
    assert int(str(found["modified"])) > int(str(found["creation"]))
    assert [(row.operation, row.detail) for row in house.activity()[rows:]] == [
        ("settings.changed", "allow_own_keys: False")
    ]


def test_own_keys_are_given_and_taken_at_once(house: House) -> None:
    """Whatever the environment says, a user's own keys follow the decision from the next request on."""
    house.add_user()
    actor = house.actor()
    strict = replace(house.keys, own_keys=False)
    house.system_settings.change(COMMAND_LINE, allow_own_keys=True)
    issued = strict.generate(actor, _OWN, KeyOrder())

    house.system_settings.change(COMMAND_LINE, allow_own_keys=False)

    with pytest.raises(NotPermitted):
        house.keys.revoke(actor, issued.key.key_id)


def test_a_narrow_key_decides_nothing(house: House) -> None:
    """A System Manager's key needs the scope."""
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)
    narrow = house.actor(_MANAGER, Limits(frozenset({"read"})))

    assert house.system_settings.get(narrow).values["allow_own_keys"] == 1
    with pytest.raises(NotPermitted) as refused:
        house.system_settings.change(narrow, allow_own_keys=False)

    assert refused.value.reason == "scope_missing"
