"""latchgate log activity."""

import json

import pytest

from support.command_line import CommandLine


@pytest.fixture
def busy(ann: CommandLine) -> CommandLine:
    """The command line on an instance in which this and that has happened."""
    ann.run("role", "create", "Auditor")
    ann.run("role", "grant", "ann@example.com", "Auditor")
    ann.run("key", "generate", "ann@example.com", "--label", "backup")
    return ann


def test_it_lists_what_happened_newest_first(busy: CommandLine) -> None:
    """As one JSON document, with the fields that the page on commands names."""
    rows = busy.json("log", "activity")

    assert [row["operation"] for row in rows] == ["api_key.generated", "role.granted", "role.created", "user.created"]
    assert list(rows[0]) == ["time", "user", "operation", "subject", "detail", "ip_address"]
    assert (rows[1]["user"], rows[1]["subject"], rows[1]["detail"]) == ("Administrator", "ann@example.com", "Auditor")


def test_it_is_a_table_for_people(busy: CommandLine) -> None:
    """A heading and a line a row."""
    heading, *lines = busy.lines("log", "activity")

    assert heading.split() == ["TIME", "USER", "ADDRESS", "OPERATION", "SUBJECT", "DETAIL"]
    assert [line.split()[3] for line in lines[1:]] == ["role.granted", "role.created", "user.created"]
    assert "'backup', scopes all" in lines[0]


def test_it_can_be_narrowed(busy: CommandLine) -> None:
    """To a user in any case, to a time, to a number."""
    assert [row["operation"] for row in busy.json("log", "activity", "--user", "Ann@Example.com")] == [
        "role.granted",
        "user.created",
    ]
    assert len(busy.json("log", "activity", "--limit", "1")) == 1
    assert len(busy.json("log", "activity", "--limit", "0")) == 4
    assert len(busy.json("log", "activity", "--since", "1h")) == 4
    assert busy.json("log", "activity", "--since", "2200-01-01") == []


def test_no_row_is_no_failure(cli: CommandLine) -> None:
    """An empty list for programs, a sentence for people."""
    result = cli.run("log", "activity")

    assert (result.stdout, result.stderr) == ("", "No row matches.\n")
    assert json.loads(cli.run("log", "activity", "--json").stdout) == []
