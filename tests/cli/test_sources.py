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


# change


def test_a_record_changes_whom_its_keys_run_as(devices: CommandLine) -> None:
    """From the next request on: another user, nobody, and the first again."""
    devices.run("user", "create", "ben@example.com")
    key = devices.json("key", "generate", "dev-1", "--source", "API Device")
    header = f"token {key['api_key']}:{key['api_secret']}"

    assert devices.lines("source", "record", "change", "API Device", "dev-1", "--user", "ben@example.com") == [
        "API Device dev-1 runs as ben@example.com."
    ]
    assert devices.whoami(header, "API Device") == "ben@example.com"
    assert devices.lines("source", "record", "change", "API Device", "dev-1", "--no-user") == [
        "API Device dev-1 runs as nobody."
    ]
    assert devices.whoami(header, "API Device") == "record_without_user"
    changed = devices.json("source", "record", "change", "API Device", "dev-1", "--user", "ann@example.com")
    assert (changed["name"], changed["user"]) == ("dev-1", "ann@example.com")
    assert devices.whoami(header, "API Device") == "ann@example.com"


def test_a_change_to_what_is_so_already_is_no_failure(devices: CommandLine) -> None:
    """Whoever says it twice is told the same."""
    for _ in range(2):
        assert devices.lines("source", "record", "change", "API Device", "dev-1", "--no-user") == [
            "API Device dev-1 runs as nobody."
        ]


@pytest.mark.parametrize("options", [(), ("--user", "ann@example.com", "--no-user")])
def test_a_change_names_a_user_or_nobody(devices: CommandLine, options: tuple[str, ...]) -> None:
    """Neither and both are a mistake in the command, with exit code 2; the record stays."""
    told = devices.refusal("source", "record", "change", "API Device", "dev-1", *options, code=2)

    assert "give one of --user and --no-user" in told
    assert devices.json("source", "record", "list", "API Device")[0]["user"] == "ann@example.com"


@pytest.mark.parametrize(
    ("record", "options", "named"),
    [
        (("API Device", "dev-1"), ("--user", "nobody@example.com"), "nobody@example.com"),
        (("API Device", "dev-1"), ("--user", "Guest"), "Guest"),
        (("API Device", "dev-9"), ("--no-user",), "API Device dev-9 not found"),
        (("Nonesuch", "dev-1"), ("--no-user",), "Nonesuch not found"),
        (("User", "ann@example.com"), ("--no-user",), "User"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    devices: CommandLine, record: tuple[str, str], options: tuple[str, ...], named: str
) -> None:
    """An unknown user, Guest, an unknown record or source, and a user, which is no record: one line and a next step."""
    error, next_step = devices.refusal("source", "record", "change", *record, *options).splitlines()

    assert named in error
    assert next_step.startswith("  hint: latchgate source ")
    assert devices.json("source", "record", "list", "API Device")[0]["user"] == "ann@example.com"


# delete


def test_a_deleted_record_takes_its_keys_along(devices: CommandLine) -> None:
    """They open nothing on the next request, nor do they when a record of that name is made anew."""
    key = devices.json("key", "generate", "dev-1", "--source", "API Device")
    header = f"token {key['api_key']}:{key['api_secret']}"

    assert devices.lines("source", "record", "delete", "API Device", "dev-1") == ["Deleted API Device dev-1."]
    assert devices.json("source", "record", "list", "API Device") == []
    assert devices.whoami(header, "API Device") == "unknown_key"
    devices.run("source", "record", "create", "API Device", "dev-1", "--user", "ann@example.com")
    assert devices.whoami(header, "API Device") == "unknown_key"


def test_a_source_without_records_is_deleted_with_the_permissions_on_them(devices: CommandLine) -> None:
    """A later source of that name begins anew."""
    devices.run("role", "create", "Fitter")
    devices.run("permission", "grant", "Fitter", "API Device", "--read")
    deleted = devices.json("source", "record", "delete", "API Device", "dev-1")
    assert (deleted["source"], deleted["name"]) == ("API Device", "dev-1")

    assert devices.lines("source", "delete", "API Device") == ["Deleted the source API Device."]

    assert "API Device" not in {source["name"] for source in devices.json("source", "list")}
    assert "API Device" not in {found["document_type"] for found in devices.json("permission", "list")}
    devices.run("source", "create", "API Device")
    assert [found["role"] for found in devices.json("permission", "list", "--doctype", "API Device")] == [
        "System Manager"
    ]


def test_a_deleted_source_is_told_to_programs(cli: CommandLine) -> None:
    """By its name."""
    cli.run("source", "create", "API Device")

    assert cli.json("source", "delete", "API Device")["name"] == "API Device"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("delete", "API Device"), "API Device has records; delete them first"),
        (("delete", "Nonesuch"), "Authorization Source Nonesuch not found"),
        (("delete", "Event Consumer"), "source: Event Consumer is always there; it cannot be deleted"),
        (("delete", "User"), "source: User is always there; it cannot be deleted"),
        (("record", "delete", "API Device", "dev-9"), "API Device dev-9 not found"),
        (("record", "delete", "Nonesuch", "dev-1"), "Authorization Source Nonesuch not found"),
        (("record", "delete", "User", "ann@example.com"), "source: User's records are the users themselves"),
    ],
)
def test_what_cannot_be_deleted_is_refused(devices: CommandLine, arguments: tuple[str, ...], told: str) -> None:
    """One line and the next step; source, record and users are still there."""
    error, next_step = devices.refusal("source", *arguments).splitlines()

    assert error == f"error: {told}"
    assert next_step.startswith("  hint: latchgate source ")
    assert [found["name"] for found in devices.json("source", "record", "list", "API Device")] == ["dev-1"]
    assert devices.json("user", "show", "ann@example.com")["name"] == "ann@example.com"
