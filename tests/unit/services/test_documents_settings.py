"""System Settings, which lie in no table, answer the questions that tables answer, and alike."""

import pytest

from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.core.questions import Asked
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.users import UserOrder
from support.house import House

_TYPE = "System Settings"


@pytest.mark.parametrize(
    ("filters", "there"),
    [
        (None, True),
        ({"name": _TYPE}, True),
        ({"name": "system settings"}, False),
        ({"name": ["!=", _TYPE]}, False),
        ({"docstatus": 0}, True),
        ({"allow_own_keys": ["=", 1]}, True),
        ({"allow_own_keys": ["<", 1]}, False),
        ({"allow_own_keys": [">", 0]}, True),
        ({"allow_own_keys": [">=", 1]}, True),
        ({"allow_own_keys": ["<=", 0]}, False),
        ({"allow_own_keys": ["between", [0, 1]]}, True),
        ({"idx": ["between", [1, 2]]}, False),
        ({"allow_own_keys": ["in", [1, 2]]}, True),
        ({"allow_own_keys": ["not in", [1, 2]]}, False),
        ({"name": ["like", "%SETT_ngs"]}, True),
        ({"name": ["like", "%"]}, True),
        ({"name": ["like", "System"]}, False),
        ({"name": ["like", "System Settings_"]}, False),
        ({"name": ["like", "_" * 100 + "%"]}, False),
        ({"name": ["like", "\\System%"]}, True),
        ({"name": ["like", "\\%"]}, False),
        ({"name": ["like", "%_" * 100]}, False),
        ({"name": ["not like", "%user%"]}, True),
        ({"owner": ["is", "set"]}, True),
        ({"owner": ["is", "not set"]}, False),
        ([["name", "=", _TYPE], ["idx", "=", 1]], False),
        ({"modified": [">", "2020-01-01"]}, True),
    ],
)
def test_the_record_is_asked_for_as_any_other(house: House, filters: object, there: bool) -> None:
    """Every operator means what it means in the tables."""
    asked = Asked(filters=filters)

    assert house.documents.list_rows(COMMAND_LINE, _TYPE, asked).rows == [(_TYPE,)] * there
    assert house.documents.count(COMMAND_LINE, _TYPE, asked) == int(there)


@pytest.mark.parametrize(("filters", "there"), [([["idx", "=", 1], ["idx", "=", 0]], True), ({"idx": 1}, False)])
def test_one_of_several_conditions_is_enough(house: House, filters: object, there: bool) -> None:
    """As or_filters say."""
    assert house.documents.count(COMMAND_LINE, _TYPE, Asked(or_filters=filters)) == int(there)


def test_it_is_one_row_of_one_page(house: House) -> None:
    """With its fields, or counted in its group."""
    documents = house.documents
    asked = Asked(fields=["name", "allow_own_keys", "docstatus", "creation"])
    counted = Asked(fields=["owner", "count(name) as n"], group_by="owner")

    (row,) = documents.list_rows(COMMAND_LINE, _TYPE, asked).documents()

    shown = documents.get(COMMAND_LINE, _TYPE, _TYPE)
    assert row == {name: shown[name] for name in row}
    assert documents.list_rows(COMMAND_LINE, _TYPE, counted).rows == [("Administrator", 1)]
    assert documents.list_rows(COMMAND_LINE, _TYPE, Asked(start=1)).rows == []
    assert not documents.list_rows(COMMAND_LINE, _TYPE, Asked(limit=1)).more


def test_whoever_reads_their_own_reads_none(house: House) -> None:
    """The settings are Administrator's."""
    house.roles.create(COMMAND_LINE, "Owner")
    house.permissions.grant(COMMAND_LINE, Grant("Owner", _TYPE, True, EVERY_ACTION))
    house.add_user(UserOrder("owner@example.com", roles=frozenset({"Owner"})))
    actor = house.actor("owner@example.com")

    assert house.documents.list_rows(actor, _TYPE, Asked()).rows == []
    assert house.documents.count(actor, _TYPE, Asked()) == 0
