"""Every field of every type, asked in every way that there is: an answer on each engine, and one that adds up."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from latchgate.core.document_fields import Record
from latchgate.core.document_types import FieldSpec, Kind, Viewer
from latchgate.core.documents import DOCUMENT_TYPES, source_type
from latchgate.core.permissions import Reach
from support.attacked import MANAGER, SOURCE, Attacked, opened_attacked
from support.databases import ENGINES

_SEES_ALL = Viewer(None, manager=True, reach=Reach.ALL)
_TYPES = {**DOCUMENT_TYPES, SOURCE: source_type(SOURCE)}
# What every record has lies in the tables of most types alike.
_IN_FULL = {"User", "API Key", "API Request Log", "System Settings"}
_FIELDS = [
    (doctype, field)
    for doctype, one in _TYPES.items()
    for field in one.comparable_by(_SEES_ALL)
    if doctype in _IN_FULL or field == "name" or field not in Record.model_fields
]
_NUMBERS: list[object] = [1, 0.5, 40_000, 2**63 - 1, -(2**63)]
_TIMES: list[object] = ["2026-01-01", "0001-01-01", "9999-12-31 23:59:59.999999"]
_TEXTS: list[object] = [MANAGER, "", 1, "\x00", "İ\\"]


@pytest.fixture(scope="module", params=ENGINES)
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The instance, on each engine."""
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    with opened_attacked(tmp_path_factory.mktemp("attacked") / "home", postgres) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def until(attacked: Attacked) -> list[Any]:
    """The condition that there was a record before these tests, whose requests add rows to the log."""
    listed = attacked.call("get_list", attacked.manager, {"doctype": "API Request Log", "fields": ["time"], "limit": 1})
    return ["creation", "<=", listed.document["message"][0]["time"]]


def _values(spec: FieldSpec) -> list[object]:
    match spec.access.kind:
        case Kind.CHECK | Kind.INT | Kind.FLOAT:
            return _NUMBERS
        case Kind.DATETIME:
            return _TIMES
        case _:
            return _TEXTS


def _count(attacked: Attacked, doctype: str, *filters: list[Any]) -> int:
    answer = attacked.call("get_count", attacked.manager, {"doctype": doctype, "filters": filters})
    assert answer.status == 200, (filters, answer.text)
    return int(answer.document["message"])


@pytest.mark.parametrize(("doctype", "field"), _FIELDS)
def test_every_comparison_of_every_field(attacked: Attacked, doctype: str, field: str) -> None:
    """Is answered, whatever value it is with, by as many records as are counted."""
    spec = _TYPES[doctype].fields[field]
    values = _values(spec)
    conditions = [[field, operator, value] for operator in ("=", "!=", ">", "<", ">=", "<=") for value in values]
    conditions += [[field, "between", [value, values[0]]] for value in values]
    conditions += [[field, operator, several] for operator in ("in", "not in") for several in (values, [])]
    conditions += [[field, "is", "set"], [field, "is", "not set"], [field, "=", None], [field, "!=", None]]
    if spec.access.kind is not Kind.DATETIME:
        conditions += [[field, "like", "%1%"], [field, "not like", "%a_"], [field, "like", 1]]

    for parameter in ("filters", "or_filters"):
        asked = {"doctype": doctype, parameter: conditions, "limit": 5}
        assert attacked.call("get_list", attacked.manager, asked).status == 200


@pytest.mark.parametrize(("doctype", "field"), _FIELDS)
def test_a_comparison_and_its_opposite_give_all_records(
    attacked: Attacked, until: list[Any], doctype: str, field: str
) -> None:
    """No record is passed over by both, not even one without a value, and none is given by both."""
    spec = _TYPES[doctype].fields[field]
    values = _values(spec)
    pairs = [([field, "=", value], [field, "!=", value]) for value in values[:3]]
    pairs += [([field, "in", values], [field, "not in", values]), ([field, "is", "set"], [field, "is", "not set"])]
    if spec.access.kind is not Kind.DATETIME:
        pairs += [([field, "like", pattern], [field, "not like", pattern]) for pattern in ("%a%", "_")]
    total = _count(attacked, doctype, until)

    for given, opposite in pairs:
        counts = _count(attacked, doctype, until, given), _count(attacked, doctype, until, opposite)
        assert sum(counts) == total, (given, counts)


@pytest.mark.parametrize(("doctype", "field"), _FIELDS)
def test_every_field_is_grouped_by(attacked: Attacked, until: list[Any], doctype: str, field: str) -> None:
    """The groups' counts add up to all records."""
    asked = {"doctype": doctype, "fields": [field, "count(*) as number"], "group_by": field, "limit": 0}
    order = {} if _TYPES[doctype].log else {"order_by": f"{field} desc"}

    grouped = attacked.call("get_list", attacked.manager, {**asked, **order, "filters": [until]})

    assert grouped.status == 200, grouped.text
    assert sum(row["number"] for row in grouped.document["message"]) == _count(attacked, doctype, until)


@pytest.mark.parametrize(
    ("doctype", "field"), [(doctype, field) for doctype, field in _FIELDS if doctype[-3:] != "Log"]
)
def test_every_field_is_sorted_by(attacked: Attacked, doctype: str, field: str) -> None:
    """Pages of one record each, in either direction, hold every record once."""
    asked = {"doctype": doctype, "fields": ["name", field]}

    for direction in ("asc", "desc"):
        order = {**asked, "order_by": f"`tab{doctype}`.`{field}` {direction}"}
        whole = attacked.call("get_list", attacked.manager, {**order, "limit": 0}).document["message"]
        pages = [
            attacked.call("get_list", attacked.manager, {**order, "limit": 1, "limit_start": start}).document["message"]
            for start in range(min(len(whole), 3))
        ]
        assert [row for page in pages for row in page] == whole[: len(pages)]


@pytest.mark.parametrize("doctype", _TYPES)
def test_every_field_is_listed_as_it_is_read(attacked: Attacked, doctype: str) -> None:
    """A row of a list with every field says what the record itself says."""
    listed = attacked.call("get_list", attacked.manager, {"doctype": doctype, "fields": ["*"], "limit": 5})

    for row in listed.document["message"]:
        record = attacked.ask(f"/api/resource/{quote(doctype)}/{quote(row['name'])}", attacked.manager).document["data"]
        differing = {name for name in row if row[name] != record[name]}
        assert differing <= {"last_used", "last_used_from"}
