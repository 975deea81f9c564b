"""The request log as records, on both engines."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Own
from latchgate.core.queries import Column, Condition, DocumentQuery, Operator, Order
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
