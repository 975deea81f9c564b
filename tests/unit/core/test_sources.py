import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.sources import BUILT_IN_SOURCES, parse_record_name, parse_source_name


@pytest.mark.parametrize("name", [*BUILT_IN_SOURCES, "API Device", "my_type-2", "X", "D" * 140])
def test_source_names(name: str) -> None:
    """A document type is named by words of letters and digits."""
    assert parse_source_name(f" {name} ") == name


@pytest.mark.parametrize(
    "text", ["", " ", "2nd", "API  Device", "User` --", "User\n", "User\x00", "Gerät", "A:B", "A,B", "-A", "D" * 141]
)
def test_what_names_no_source(text: str) -> None:
    """What could be no document type, or would have to be quoted somewhere, names none."""
    assert parse_source_name(text) == (text.strip() if text == "User\n" else None)


@pytest.mark.parametrize("name", ["7", "dev-1", "http://consumer.local:8000", "Gerät 7", "設備", "n" * 140])
def test_record_names(name: str) -> None:
    """A record is named by printable text."""
    assert parse_record_name(f" {name}\n") == name


@pytest.mark.parametrize(
    "text", ["", " \n", "a\nb", "a\x00b", "a\u202eb", "a\u200bb", "a\u061cb", "a\u00a0b", "a\ud800", "n" * 141]
)
def test_what_names_no_record(text: str) -> None:
    """Control, reordering and invisible characters are in no name."""
    assert parse_record_name(text) is None


@given(st.text(st.characters()))
def test_parsed_names_are_stable(text: str) -> None:
    """Any text can be asked about; a name that was read is printable and read again as itself."""
    for parse in (parse_source_name, parse_record_name):
        name = parse(text)
        assert name is None or (parse(name) == name and name.isprintable())
