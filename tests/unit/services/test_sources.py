"""Sources and their records: what other than users can own keys."""

import pytest

from latchgate.core.sources import SourceRecord
from latchgate.core.users import GUEST
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.services.actors import COMMAND_LINE
from support.house import USER, House, present_pair


def test_a_new_source_owns_keys(house: House) -> None:
    """A document type that an administrator defines works in the header as the built-in ones do."""
    house.add_user()

    name = house.sources.create(COMMAND_LINE, " API Device ")
    record = house.sources.create_record(COMMAND_LINE, name, " device-1 ", USER)
    issued = house.add_key("device-1", source="API Device")

    assert name == "API Device"
    assert (record.name, record.user, record.enabled) == ("device-1", USER, True)
    assert house.principal(present_pair(issued.key.key_id, issued.secret.text, source="API Device")).user == USER


def test_sources_tell_how_many_records_they_have(house: House) -> None:
    """A list shows each source with the number of its records, of users for User."""
    house.add_user()
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", None)

    assert house.sources.list_sources() == [("Event Consumer", 1), ("User", 3)]


@pytest.mark.parametrize("name", ["", "1 Device", "API  Device", "API:Device", "Gerät", "x" * 141, "DocType"])
def test_a_source_is_named_like_a_document_type(house: House, name: str) -> None:
    """What could not stand in the header or a scope is no name of a source."""
    with pytest.raises(Invalid) as refused:
        house.sources.create(COMMAND_LINE, name)

    assert list(refused.value.fields) == ["source"]


@pytest.mark.parametrize(
    "name",
    [
        "User",
        "event consumer",
        "API Device",
        "api Device",
        "Role",
        "api key",
        "System Settings",
        "oauth client",
        "access rule",
    ],
)
def test_a_source_is_defined_once_in_any_case(house: House, name: str) -> None:
    """What is a document type, from the start or since, is not made twice, nor one that could be mistaken for it."""
    house.sources.create(COMMAND_LINE, "API Device")

    with pytest.raises(Conflict):
        house.sources.create(COMMAND_LINE, name)


def test_records_are_listed_by_name(house: House) -> None:
    """A source's records stand in one order, with their users."""
    house.add_user()
    for name, user in (("b", USER), ("a", None)):
        house.sources.create_record(COMMAND_LINE, "Event Consumer", name, user)

    assert [(record.name, record.user) for record in house.sources.list_records("Event Consumer")] == [
        ("a", None),
        ("b", USER),
    ]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (SourceRecord(0, "User", "device-1", None, True), Invalid),
        (SourceRecord(0, "Event Consumer", " ", None, True), Invalid),
        (SourceRecord(0, "Event Consumer", "two\nlines", None, True), Invalid),
        (SourceRecord(0, "Event Consumer", "device-1", GUEST, True), Invalid),
        (SourceRecord(0, "No Source", "device-1", None, True), NotFound),
        (SourceRecord(0, "Event Consumer", "device-1", "nobody@example.com", True), NotFound),
        (SourceRecord(0, "Event Consumer", "taken", None, True), Conflict),
    ],
)
def test_a_record_that_cannot_be_is_refused(house: House, record: SourceRecord, error: type[Exception]) -> None:
    """A record needs a source of its own kind, a printable name that is free, and no user or one that exists."""
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "taken", None)

    with pytest.raises(error):
        house.sources.create_record(COMMAND_LINE, record.source, record.name, record.user)

    assert [row.name for row in house.sources.list_records("Event Consumer")] == ["taken"]


def test_a_record_is_disabled_and_enabled(house: House) -> None:
    """A record's state changes when it is another, and is told of once."""
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", None)

    states = [
        house.sources.enable_record(COMMAND_LINE, "Event Consumer", "consumer-1", enabled=enabled).enabled
        for enabled in (True, False, False, True)
    ]

    assert states == [True, False, False, True]
    assert [row.operation for row in house.activity()][1:] == ["source_record.disabled", "source_record.enabled"]


@pytest.mark.parametrize(("source", "error"), [("User", Invalid), ("No Source", NotFound)])
def test_users_are_no_records(house: House, source: str, error: type[Exception]) -> None:
    """The users are listed and disabled as users, and what is no source has no records."""
    with pytest.raises(error):
        house.sources.list_records(source)
    with pytest.raises(error):
        house.sources.enable_record(COMMAND_LINE, source, USER, enabled=False)


def test_an_unknown_record_is_told_as_such(house: House) -> None:
    """Disabling a record that does not exist does not pass for done."""
    with pytest.raises(NotFound):
        house.sources.enable_record(COMMAND_LINE, "Event Consumer", "no-record", enabled=False)
