"""docs/import.md describes the form that `latchgate import` reads, no more and no less."""

import re

import pytest
from pydantic import BaseModel

from latchgate.services.import_documents import (
    ImportDocument,
    ImportedClient,
    ImportedRecord,
    ImportedSource,
    ImportedToken,
    ImportedUser,
    parse_document,
)
from support.documents import ROOT, find_blocks

_PAGE = (ROOT / "docs" / "import.md").read_text()


def _section(heading: str) -> str:
    return _PAGE.partition(f"### {heading}\n")[2].partition("\n#")[0]


def _listed(heading: str) -> set[str]:
    """List the fields in the first column of a section's table."""
    columns = re.findall(r"^\| (`[^|]+) \|", _section(heading), re.MULTILINE)
    return {name for column in columns for name in re.findall(r"`([^`]+)`", column)}


@pytest.mark.parametrize(
    ("heading", "model"),
    [("users", ImportedUser), ("oauth_clients", ImportedClient), ("bearer_tokens", ImportedToken)],
)
def test_a_table_lists_the_fields_of_its_entries(heading: str, model: type[BaseModel]) -> None:
    """Each field has its line."""
    assert _listed(heading) == set(model.model_fields)


def test_the_table_of_sources_lists_their_records_too() -> None:
    """Those of a record stand behind `rows[]`."""
    assert _listed("alternate_sources") == set(ImportedSource.model_fields) | {
        f"rows[].{name}" for name in ImportedRecord.model_fields
    }


def test_every_part_of_the_document_is_told() -> None:
    """Whether it is read or left."""
    for name in ImportDocument.model_fields:
        assert f"### {name}\n" in _PAGE or f"`{name}`" in _section("What is left"), name


def test_the_example_is_of_that_form() -> None:
    """It can be imported as it stands."""
    (example,) = [block.text for block in find_blocks(_PAGE) if block.language == "json"]

    document = parse_document(example.encode())

    assert document.users[0].name == "ann@example.com"
    assert document.oauth_clients[0].name == document.bearer_tokens[0].client
    assert document.alternate_sources[0].rows[0].api_key == "0c9d8e7f6a5b4c3"
