"""The request log as records, on both engines."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, Select
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Own
from latchgate.core.queries import Column, Condition, DocumentQuery, Operator, Order, Scalar
from latchgate.errors import Invalid
from latchgate.request_log.request_log import HostRequestLog
from support.log_rows import NOON, make_row

_TYPE = "API Request Log"
_NEWEST = (Order("creation", descending=True),)


def _names(log: HostRequestLog, query: DocumentQuery, own: Own | None = None) -> list[object]:
    return [row[0] for row in log.documents.list_some(_TYPE, query, own)]


@pytest.fixture
def filled(sql_log: HostRequestLog) -> HostRequestLog:
    """A log of seven rows: two of one moment, one of a guest, one of a user who had the name before."""
    for number in range(4):
        sql_log.append(make_row(time=NOON + number // 2, path=f"/p{number}", status=200 + number))
    sql_log.append(make_row(user="ann@example.com", user_id=1, time=NOON + 10))
    sql_log.append(make_row(user="bob@example.com", user_id=8, time=NOON + 11, reason="role_missing"))
    sql_log.append(make_row(user=None, user_id=None, time=NOON + 12))
    return sql_log


def test_every_field_is_there(filled: HostRequestLog) -> None:
    """A single row has all that its type describes, its name as a text."""
    found = filled.documents.find(_TYPE, "7")

    assert found is not None
    assert set(DOCUMENT_TYPES[_TYPE].fields) <= set(found.values)
    assert (found.values["name"], found.values["owner"], found.owned_by, found.owned_by_id) == (
        "7",
        "Guest",
        None,
        None,
    )
    assert not found.is_own(Own("Guest", 2))
    for name in ("8", "0", "x", "-1", "9" * 30, "７"):
        assert filled.documents.find(_TYPE, name) is None


def test_pages_go_on_after_a_row_in_both_directions(filled: HostRequestLog) -> None:
    """Rows of one moment are told apart, and the pages together are the whole."""
    pages, after = [], None
    while page := _names(filled, DocumentQuery(order=_NEWEST, limit=2, after=after)):
        pages += page
        after = str(page[-1])

    assert pages == ["7", "6", "5", "4", "3", "2", "1"]
    assert _names(filled, DocumentQuery(order=(Order("time"),), limit=2, after="5")) == ["6", "7"]
    for unknown in ("8", "none"):
        with pytest.raises(Invalid, match="after"):
            _names(filled, DocumentQuery(after=unknown))


def test_rows_that_were_written_in_another_order_than_they_arrived(sql_log: HostRequestLog) -> None:
    """A request that took long is written after those that came later: no page, by time or by name, skips a row."""
    for arrived in (5, 1, 4, 2, 3):
        sql_log.append(make_row(time=NOON + arrived))

    for field, expected in (("time", ["1", "3", "5", "4", "2"]), ("name", ["5", "4", "3", "2", "1"])):
        for descending, names in ((True, expected), (False, expected[::-1])):
            order = (Order(field, descending=descending),)
            pages, after = [], None
            while page := _names(sql_log, DocumentQuery(order=order, limit=2, after=after)):
                pages += page
                after = str(page[-1])
            assert pages == names


def test_own_rows_are_those_of_the_id(filled: HostRequestLog) -> None:
    """A later user of the same name sees nothing of the one before."""
    ann = Own("ann@example.com", 7)

    assert _names(filled, DocumentQuery(order=_NEWEST), ann) == ["4", "3", "2", "1"]
    assert filled.documents.count(_TYPE, DocumentQuery(), ann) == 4
    assert filled.documents.count(_TYPE, DocumentQuery(), Own("ann@example.com", 99)) == 0
    assert filled.documents.count(_TYPE, DocumentQuery(), Own("\x00", 7)) == 0
    assert _names(filled, DocumentQuery(order=_NEWEST, after="3"), ann) == ["2", "1"]
    with pytest.raises(Invalid, match="names no row"):
        _names(filled, DocumentQuery(order=_NEWEST, after="6"), ann)


def test_filters_and_groups(filled: HostRequestLog) -> None:
    """By path, status, time, name and what is missing."""
    both = (Condition("path", Operator.LIKE, ("/P%",)), Condition("status", Operator.AT_LEAST, (202,)))
    grouped = DocumentQuery(
        columns=(Column("user", "user"), Column("n", None)), group_by=("user",), order=(Order("user"),), limit=None
    )

    assert _names(filled, DocumentQuery(all_of=both, order=_NEWEST)) == ["4", "3"]
    assert _names(filled, DocumentQuery(all_of=(Condition("reason", Operator.SET),))) == ["6"]
    assert _names(filled, DocumentQuery(all_of=(Condition("name", Operator.IN, ("2", "x")),))) == ["2"]
    assert {row[1] for row in filled.documents.list_some(_TYPE, grouped, None)} == {5, 1}


def test_the_host_is_filtered_and_ordered_by(sql_log: HostRequestLog) -> None:
    """As any other text; rows without one are found as such."""
    for host in ("b.example.com", None, "a.example.com", "b.example.com"):
        sql_log.append(make_row(host=host))

    def names(operator: Operator, *values: Scalar) -> list[object]:
        return _names(sql_log, DocumentQuery(all_of=(Condition("host", operator, values),), order=(Order("name"),)))

    assert names(Operator.EQUAL, "b.example.com") == ["1", "4"]
    assert names(Operator.LIKE, "%.EXAMPLE.%") == ["1", "3", "4"]
    assert names(Operator.SET) == ["1", "3", "4"]
    assert names(Operator.NOT_SET) == ["2"]
    ordered = DocumentQuery(all_of=(Condition("host", Operator.SET),), order=(Order("host"), Order("name")))
    assert _names(sql_log, ordered) == ["3", "1", "4"]
    grouped = DocumentQuery(columns=(Column("host", "host"), Column("n", None)), group_by=("host",), limit=None)
    assert {tuple(row) for row in sql_log.documents.list_some(_TYPE, grouped, None)} == {
        (None, 1),
        ("a.example.com", 1),
        ("b.example.com", 2),
    }


def test_no_page_sorts_the_table(sqlite_log: HostRequestLog, tmp_path: Path) -> None:
    """The plans of the usual pages walk along an index, from wherever they begin."""
    sqlite_log.append(make_row())
    (path,) = tmp_path.rglob("*.db")
    where = {
        "all": "",
        "after": "WHERE (time, id) < (5, 5)",
        "own": "WHERE user = 'ann' AND user_id = 7",
        "own, after": "WHERE user = 'ann' AND user_id = 7 AND (time, id) < (5, 5)",
    }
    with closing(sqlite3.connect(path)) as database:
        for name, condition in where.items():
            statement = f"SELECT id, time FROM request_log {condition} ORDER BY time DESC, id DESC LIMIT 21"  # noqa: S608
            plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}"))
            assert "TEMP B-TREE" not in plan, (name, plan)
            assert "INDEX" in plan, (name, plan)


def test_rows_between_two_numbers(filled: HostRequestLog) -> None:
    """On both ends inclusive, beside other conditions, one's own alone; counted alike."""
    between = Condition("name", Operator.BETWEEN, ("2", "6"))
    newest = (Order("name", descending=True),)
    own = Own("ann@example.com", 1)

    def found(*more: Condition, own: Own | None = None) -> tuple[list[object], int]:
        query = DocumentQuery(all_of=(between, *more), order=newest)
        return _names(filled, query, own), filled.documents.count(_TYPE, query, own)

    assert found() == (["6", "5", "4", "3", "2"], 5)
    assert found(own=own) == (["5"], 1)
    assert found(Condition("user", Operator.EQUAL, ("bob@example.com",))) == (["6"], 1)
    assert found(Condition("api_key", Operator.NOT_SET), own=own) == ([], 0)
    assert found(Condition("time", Operator.AT_LEAST, (NOON + 10,))) == (["6", "5"], 2)


def test_rows_that_have_numbers_are_there(sqlite_log: HostRequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for rows up to one that is in the database waits for nothing; all others wait for what is coming."""
    sqlite_log.append(make_row())
    assert sqlite_log.reach(10) == 1
    sqlite_log.append(make_row())
    waited: list[None] = []
    documents = sqlite_log.documents
    monkeypatch.setattr(documents, "_require_whole", lambda: waited.append(None))

    def count(*conditions: Condition) -> int:
        waited.clear()
        return documents.count(_TYPE, DocumentQuery(all_of=conditions), None)

    assert (count(Condition("name", Operator.BETWEEN, (1, 1))), waited) == (1, [])
    assert (count(Condition("name", Operator.BETWEEN, (1, 2))), len(waited)) == (1, 1)
    assert (count(), len(waited)) == (1, 1)


def test_a_reader_brings_in_no_more_than_it_says(sqlite_log: HostRequestLog) -> None:
    """And tells how far one can read; the next goes on where it ended."""
    for _ in range(7):
        sqlite_log.append(make_row())

    assert [sqlite_log.reach(3) for _ in range(4)] == [3, 6, 7, 7]


def test_rows_between_two_numbers_are_read_by_number(
    sqlite_log: HostRequestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by looking through all rows of a user or key, of which there may be millions."""
    plans = []
    reader = sqlite_log.documents
    read = reader._read

    def explain(statement: Select[Any], options: Mapping[str, Any]) -> Sequence[Row[Any]]:
        text = statement.compile(dialect=sqlite_dialect(), compile_kwargs={"literal_binds": True})
        plans.append(" ".join(row.detail for row in read(sql_text(f"EXPLAIN QUERY PLAN {text}"), {})))
        return read(statement, options)

    monkeypatch.setattr(reader, "_read", explain)
    for field in ("user", "api_key", "time"):
        conditions = (Condition("name", Operator.BETWEEN, (1, 9)), Condition(field, Operator.EQUAL, (7,)))
        query = DocumentQuery(all_of=conditions, order=(Order("name", descending=True),), limit=50)
        reader.list_some(_TYPE, query, Own("ann@example.com", 1))
        reader.count(_TYPE, query, None)

    # Beside them it is asked how far the log goes.
    plans = [plan for plan in plans if plan != "SCAN log_position"]
    assert len(plans) == 6
    for plan in plans:
        assert "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
        assert "TEMP B-TREE" not in plan
