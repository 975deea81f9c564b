"""latchgate source."""

import pytest

from support.command_line import CommandLine


@pytest.fixture
def devices(ann: CommandLine) -> CommandLine:
    """A source of its own, API Device, with the record dev-1 for ann."""
    ann.run("source", "create", "API Device")
    ann.run("source", "record", "create", "API Device", "dev-1", "--user", "ann@example.com")
    return ann


def test_sources_and_records_are_listed(devices: CommandLine) -> None:
    """Each source with the number of its records, each record with its user."""
    records = {source["name"]: source["records"] for source in devices.json("source", "list")}

    assert records["API Device"] == 1
    assert records["Event Consumer"] == 0
    (listed,) = devices.json("source", "record", "list", "API Device")
    expected = {"source": "API Device", "name": "dev-1", "user": "ann@example.com", "enabled": True}
    assert expected.items() <= listed.items()
    assert devices.lines("source", "record", "list", "API Device")[1].split() == ["dev-1", "ann@example.com", "yes"]


def test_a_records_key_runs_as_its_user_until_it_is_disabled(devices: CommandLine) -> None:
    """Disabling and enabling a record hold from the next request on."""
    key = devices.json("key", "generate", "dev-1", "--source", "API Device")
    header = f"token {key['api_key']}:{key['api_secret']}"

    assert devices.whoami(header, "API Device") == "ann@example.com"
    assert devices.json("source", "record", "disable", "API Device", "dev-1")["enabled"] is False
    assert devices.whoami(header, "API Device") == "record_disabled"
    assert devices.lines("source", "record", "enable", "API Device", "dev-1") == ["Enabled API Device dev-1."]
    assert devices.whoami(header, "API Device") == "ann@example.com"


def test_a_record_may_start_disabled_and_without_a_user(devices: CommandLine) -> None:
    """Its keys are refused until it is enabled and names somebody."""
    made = devices.json("source", "record", "create", "API Device", "dev-2", "--disabled")

    assert (made["name"], made["user"], made["enabled"]) == ("dev-2", None, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("source", "create", "no/name"),
        ("source", "create", "API Device"),
        ("source", "record", "create", "API Device", "dev-1"),
        ("source", "record", "create", "Nonesuch", "dev-1"),
        ("source", "record", "create", "API Device", "dev-3", "--user", "nobody@example.com"),
        ("source", "record", "list", "Nonesuch"),
        ("source", "record", "disable", "API Device", "dev-9"),
        ("source", "record", "list", "User"),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(devices: CommandLine, arguments: tuple[str, ...]) -> None:
    """Exit code 1, one line, and a command that shows what there is or what would be right."""
    told = devices.refusal(*arguments)

    assert told.splitlines()[1].startswith("  hint: latchgate source ")
    assert ("--help" in told) is ("is not a name" in told or "users themselves" in told)
