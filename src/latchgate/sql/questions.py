"""Say a DocumentQuery in SQL, alike on both engines."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Double,
    Select,
    Text,
    and_,
    any_,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    tuple_,
)

from latchgate.core.queries import Condition, DocumentQuery, Operator, Order, Scalar
from latchgate.errors import Invalid

__all__ = [
    "Columns",
    "Comparable",
    "Named",
    "RowsOf",
    "after_row",
    "conditions",
    "counting",
    "how_to_execute",
    "numbered",
    "paged",
    "row_number",
]

Columns = Mapping[str, ColumnElement[Any]]
"""By field: what it is in the table, as integers and texts alone."""


@dataclass(frozen=True, slots=True)
class RowsOf:
    """A child table: what its rows are compared by, and whose they are.

    Said as a list of records, from which an engine may begin: one that is asked of each record costs as much as there
    are records.
    """

    column: ColumnElement[Any]
    record: ColumnElement[Any]
    """What tells a record of the type."""
    records: Select[Any]
    """The records that have a row, of which more may be asked."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name that stands in another table: what it is, and which records have a certain one."""

    column: ColumnElement[Any]
    having: Callable[[Scalar], ColumnElement[bool]]
    """Says by columns of the type's own table, which have indexes, what `column == name` says by a look at each."""


Comparable = Mapping[str, ColumnElement[Any] | RowsOf | Named]
"""By field: what it is in the table, or the rows of its child table."""

_OPPOSITES = {
    Operator.UNEQUAL: Operator.EQUAL,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_LIKE: Operator.LIKE,
    Operator.NOT_SET: Operator.SET,
}
_NUMBER_MAX = 2**63
_DIGITS_MAX = 19
_CONDITIONS_KEPT = 8


def conditions(query: DocumentQuery, columns: "Comparable", engine: str) -> list[ColumnElement[bool]]:
    """Say which rows are asked for, to the engine of that name (sqlite or postgresql)."""
    wanted = [_condition(condition, columns[condition.field], engine) for condition in query.all_of]
    if query.any_of:
        wanted.append(or_(*(_condition(condition, columns[condition.field], engine) for condition in query.any_of)))
    return wanted


def paged(query: DocumentQuery, columns: Columns, ties: tuple[ColumnElement[Any], ColumnElement[Any]]) -> Select[Any]:
    """Select a page: what is asked of each row, in the order asked for, which one of `ties` makes complete.

    Args:
        query: What is asked for.
        columns: Where its fields are.
        ties: What tells rows of the same order apart: whatever the order, and where it begins with the name, so that
            an index on the names gives the whole order.
    """
    chosen = [
        (func.count() if column.field is None else columns[column.field]).label(f"c{number}")
        for number, column in enumerate(query.columns)
    ]
    statement = select(*chosen)
    order = [columns[order.field].desc() if order.descending else columns[order.field] for order in query.order]
    if query.group_by:
        statement = statement.group_by(*(columns[field] for field in query.group_by))
    else:
        first = query.order[0] if query.order else None
        tie = ties[1] if first and first.field == "name" else ties[0]
        order.append(tie.desc() if first and first.descending else tie)
    statement = statement.order_by(*order)
    if query.start:
        statement = statement.offset(query.start)
    return statement if query.limit is None else statement.limit(query.limit)


def counting(query: DocumentQuery, columns: "Comparable", engine: str) -> Select[Any]:
    """Select how many rows are asked for; FROM is the caller's to name."""
    return select(func.count()).where(*conditions(query, columns, engine))


def how_to_execute(query: DocumentQuery) -> Mapping[str, Any]:
    """Give the options to execute a question's statement with.

    What was compiled is kept for the next time. Long questions have endless forms, by which somebody could fill the
    memory: theirs are not kept.
    """
    rare = len(query.all_of) + len(query.any_of) > _CONDITIONS_KEPT
    return {"compiled_cache": None} if rare else {}


def numbered(query: DocumentQuery) -> DocumentQuery:
    """Turn names into the numbers that they are in a log."""
    return replace(
        query,
        all_of=tuple(_number_names(condition) for condition in query.all_of),
        any_of=tuple(_number_names(condition) for condition in query.any_of),
    )


def after_row(
    query: DocumentQuery, time: ColumnElement[Any], number: ColumnElement[Any], reached: tuple[int, int]
) -> ColumnElement[bool]:
    """Say that a log's row comes after the one of that time and number, in the order asked for.

    By time, rows of one moment are told apart by their number; the number is their name. The two differ: a row's time
    is when its request arrived, its number in which order the rows were written.
    """
    order = query.order[0] if query.order else Order("creation", descending=True)
    place, reached_place = (number, reached[1]) if order.field == "name" else (tuple_(time, number), tuple_(*reached))
    return place < reached_place if order.descending else place > reached_place


def row_number(name: str) -> int:
    """Read the name of a log's row, to go on after it. Raises Invalid."""
    if not _is_number(name):
        raise Invalid({"after": "must be the name of a row of the page before"})
    return int(name)


def _number_names(condition: Condition) -> Condition:
    if condition.field != "name" or condition.operator in {Operator.LIKE, Operator.NOT_LIKE}:
        return condition
    # No row has the number -1: a name that is no number is nobody's.
    numbers = tuple(int(str(value)) if _is_number(str(value)) else -1 for value in condition.values)
    return replace(condition, values=numbers)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX and int(text) < _NUMBER_MAX


def _condition(condition: Condition, column: ColumnElement[Any] | RowsOf | Named, engine: str) -> ColumnElement[bool]:
    match column:
        case RowsOf():
            return _row_condition(condition, column, engine)
        case Named() if condition.operator is Operator.EQUAL and all(map(_is_storable, condition.values)):
            return column.having(condition.values[0])
        case Named():
            return _column_condition(condition, column.column, engine)
        case _:
            return _column_condition(condition, column, engine)


def _column_condition(condition: Condition, column: ColumnElement[Any], engine: str) -> ColumnElement[bool]:
    operator, values = condition.operator, condition.values
    kept = tuple(value for value in values if _is_storable(value))
    match operator:
        case Operator.SET:
            return and_(column.is_not(None), cast(column, Text) != "")
        case Operator.NOT_SET:
            return or_(column.is_(None), cast(column, Text) == "")
        case Operator.IN:
            return _among(column, kept, engine)
        case Operator.NOT_IN:
            return or_(column.is_(None), not_(_among(column, kept, engine)))
        case _:
            pass
    if kept != values:
        # No row holds such a text: nothing equals it, everything differs from it.
        return true() if operator in {Operator.UNEQUAL, Operator.NOT_LIKE} else false()
    if operator is Operator.BETWEEN:
        # By two comparisons: PostgreSQL cannot parse what BETWEEN makes of a text with its collation.
        return and_(column >= kept[0], column <= kept[1])
    return _comparison(operator, column, kept[0], engine)


def _row_condition(condition: Condition, rows: RowsOf, engine: str) -> ColumnElement[bool]:
    """Say that a record has a row for which a condition holds; unlike X is who has no row X."""
    opposite = _OPPOSITES.get(condition.operator)
    if opposite is not None:
        return not_(_row_condition(replace(condition, operator=opposite), rows, engine))
    return rows.record.in_(rows.records.where(_condition(condition, rows.column, engine)))


def _among(column: ColumnElement[Any], values: tuple[Scalar, ...], engine: str) -> ColumnElement[bool]:
    """Compare with any of several values, which travel as one: each number of them would be another statement."""
    if not values:
        return false()
    if engine == "sqlite":
        listed = func.json_each(json.dumps(values)).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(_array(values))


def _array(values: tuple[Scalar, ...]) -> ColumnElement[Any]:
    """Write values as one, of one kind: whole numbers among fractions become such."""
    if isinstance(values[0], str):
        return literal(list(values), ARRAY(Text()))
    if any(isinstance(value, float) for value in values):
        return literal([float(value) for value in values if value is not None], ARRAY(Double()))
    return literal(list(values), ARRAY(BigInteger()))


def _comparison(operator: Operator, column: ColumnElement[Any], value: Scalar, engine: str) -> ColumnElement[bool]:
    match operator:
        case Operator.LIKE:
            return _like(column, value, engine)
        case Operator.NOT_LIKE:
            return or_(column.is_(None), ~_like(column, value, engine))
        case Operator.UNEQUAL:
            return or_(column.is_(None), column != value)
        case Operator.GREATER:
            return column > value
        case Operator.LESS:
            return column < value
        case Operator.AT_LEAST:
            return column >= value
        case Operator.AT_MOST:
            return column <= value
        case _:
            return column == value


def _like(column: ColumnElement[Any], value: Scalar, engine: str) -> ColumnElement[bool]:
    pattern = str(value)
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        # PostgreSQL refuses a pattern whose last backslash escapes nothing.
        pattern += "\\"
    texts = column if isinstance(column.type, Text) else cast(column, Text)
    # SQLite's own LIKE ignores the case of the same letters as its lower(), which would be written anew of each text.
    return texts.like(pattern, escape="\\") if engine == "sqlite" else texts.ilike(pattern, escape="\\")


def _is_storable(value: Scalar) -> bool:
    """Whether a value can stand in a table: PostgreSQL holds no NUL, and neither engine half a surrogate pair."""
    if not isinstance(value, str):
        return True
    return "\x00" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
