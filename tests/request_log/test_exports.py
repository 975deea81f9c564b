"""A row is one line of JSON and one record of CSV, whatever its texts hold."""

import csv
import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latchgate.core.log_entries import LogEntry
from latchgate.request_log.exports import CSV_COLUMNS, csv_records, json_line
from support.log_rows import make_row

_TEXT = st.text(max_size=40)
_NASTY = "\r\n\x1b[2J\u2028\x85\",';=1+1"


@given(user=_TEXT, path=_TEXT, user_agent=_TEXT, reason=st.none() | _TEXT, host=st.none() | _TEXT)
@example(user=_NASTY, path=_NASTY, user_agent=_NASTY, reason=_NASTY, host=_NASTY)
def test_a_row_is_one_line_of_json(user: str, path: str, user_agent: str, reason: str | None, host: str | None) -> None:
    """No text breaks the line, leaves ASCII or is changed."""
    row = make_row(user=user, path=path, user_agent=user_agent, reason=reason, host=host)

    line = json_line(row)

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == row.document()


@given(user=_TEXT, path=_TEXT, user_agent=_TEXT, reason=st.none() | _TEXT, host=st.none() | _TEXT)
@example(user=_NASTY, path=_NASTY, user_agent=_NASTY, reason=_NASTY, host=_NASTY)
def test_a_row_is_one_record_of_csv(
    user: str, path: str, user_agent: str, reason: str | None, host: str | None
) -> None:
    """No text ends its cell or its record, and none but a formula is changed."""
    # The reader, not the writer, has no place for NUL.
    row = make_row(
        **{
            name: text and text.replace("\x00", "")
            for name, text in {
                "user": user,
                "path": path,
                "user_agent": user_agent,
                "reason": reason,
                "host": host,
            }.items()
        }
    )

    heading, record = csv.reader(io.StringIO("".join(csv_records([row])), newline=""))

    assert tuple(heading) == CSV_COLUMNS
    document = {**row.document(), "requests": row.requests}
    for name, cell in zip(heading, record, strict=True):
        text = "" if document.get(name) is None else str(document[name])
        assert cell in {text, f"'{text}"}
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_is_a_formula(start: str) -> None:
    """A user agent that a spreadsheet would compute is text there, and any other is as it was."""
    formula, plain = make_row(user_agent=f"{start}cmd|' /C calc'!A0"), make_row(user_agent=f"curl{start}")

    records = list(csv.DictReader(io.StringIO("".join(csv_records([formula, plain])), newline="")))

    assert records[0]["user_agent"] == f"'{formula.user_agent}"
    assert records[1]["user_agent"] == plain.user_agent


def test_the_columns_are_the_names_of_the_document() -> None:
    """CSV and JSON call every field the same, and neither leaves one out."""
    row: LogEntry = make_row(reason="expired", requests=2, host="app.example.com")

    assert tuple(row.document()) == CSV_COLUMNS


def test_what_a_row_has_not_is_left_out_of_json_and_empty_in_csv() -> None:
    """A program that reads rows of before there were hosts reads those of today, column by column."""
    row = make_row()

    assert {"reason", "requests", "host"}.isdisjoint(json.loads(json_line(row)))
    assert CSV_COLUMNS[-1] == "host"
    assert list(csv_records([row]))[1].endswith(",,1,\r\n")
