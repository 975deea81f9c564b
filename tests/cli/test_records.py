"""Records as commands print them are what the API gives."""

import json
from typing import Any

import pytest

from latchgate.core.documents import DOCUMENT_TYPES, source_type
from support.command_line import CommandLine

_UNSEEN = {"docstatus", "idx", "new_password"}


@pytest.fixture
def furnished(ann: CommandLine) -> CommandLine:
    """One record of each type that commands print."""
    ann.run("role", "create", "Report Manager")
    ann.run("permission", "grant", "Report Manager", "User", "--read")
    ann.run("source", "record", "create", "Event Consumer", "billing", "--user", "ann@example.com")
    ann.run("key", "generate", "ann@example.com", "--label", "backup")
    return ann


@pytest.mark.parametrize(
    ("doctype", "command", "beside"),
    [
        ("User", ("user", "list"), set()),
        ("Role", ("role", "list"), {"users"}),
        ("Role Permission", ("permission", "list"), set()),
        ("API Key", ("key", "list"), set()),
        ("Authorization Source", ("source", "list"), {"records"}),
        ("Event Consumer", ("source", "record", "list", "Event Consumer"), {"source"}),
    ],
)
def test_the_fields_are_those_of_the_document_type(
    furnished: CommandLine, doctype: str, command: tuple[str, ...], beside: set[str]
) -> None:
    """A field that is added to a description is printed by its commands, in its place."""
    fields = (DOCUMENT_TYPES.get(doctype) or source_type(doctype)).fields
    records = furnished.json(*command)

    assert records
    for record in records:
        assert [name for name in record if name not in beside] == [name for name in fields if name not in _UNSEEN]


@pytest.mark.parametrize("command", [("user", "list"), ("key", "list")])
def test_a_list_may_be_longer_than_an_answer(
    furnished: CommandLine, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """It is read page by page."""
    furnished.run("key", "generate", "ann@example.com")
    whole: list[dict[str, Any]] = furnished.json(*command)
    monkeypatch.setattr("latchgate.cli.records._PAGE", 1)

    paged = furnished.json(*command)

    assert paged == whole
    assert len({json.dumps(record) for record in paged}) == len(paged) > 1
