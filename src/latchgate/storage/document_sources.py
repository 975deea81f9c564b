"""Where the records of a document type lie in the tables, and how their columns are written for every type alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Table, cast, literal

from latchgate.core.permissions import Own
from latchgate.sql.questions import Columns, Comparable, Named, RowsOf

__all__ = ["DocumentSource", "as_check", "as_number", "as_time", "common_columns", "constant", "owner_is"]

_SECOND_US = 1_000_000
_COMMON = ("owner", "creation", "modified", "modified_by")


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """Where the records of a type are."""

    table: Table
    columns: Columns
    """What records can be compared by."""
    owned_by: ColumnElement[Any]
    """The name of the user whose record it is."""
    is_own: Callable[[Own], ColumnElement[bool]]
    owned_by_id: ColumnElement[Any] | None = None
    name_tie: ColumnElement[Any] | None = None
    """What tells two records of one name apart, where names are not unique and an index goes on with it."""
    among: ColumnElement[bool] | None = None
    """Which rows of the table are records of the type; None for all."""
    further: Columns = field(default_factory=dict)
    """What a record holds beside, as it lies in the tables."""
    rows: Mapping[str, RowsOf] = field(default_factory=dict)
    """The child tables that records can be compared by."""
    named: Mapping[str, Named] = field(default_factory=dict)
    """Of `columns` the names in other tables by which records are often asked for."""
    decode: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """How fields are read that lie in the tables in another form."""

    @property
    def comparable(self) -> Comparable:
        """All that records can be compared by."""
        return {**self.columns, **self.named, **self.rows}

    @property
    def everything(self) -> Columns:
        """All that a record holds."""
        return {**self.columns, **self.further}


def as_check(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Write a check as 0 or 1."""
    return cast(cast(column, Integer), BigInteger)


def as_number(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Write a number, wide however narrow it lies: a caller may compare with any."""
    return cast(column, BigInteger)


def as_time(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Write Unix seconds as microseconds."""
    return column * _SECOND_US


def constant(value: int) -> ColumnElement[Any]:
    """Write what is the same for every record."""
    return literal(value, BigInteger)


def common_columns(table: Table) -> dict[str, ColumnElement[Any]]:
    """Write what every record has, from a table that has it under these names."""
    return {name: table.c[name] for name in _COMMON} | {"docstatus": constant(0), "idx": constant(0)}


def owner_is(table: Table) -> Callable[[Own], ColumnElement[bool]]:
    """Tell one's own records by who made them."""
    return lambda own: table.c.owner == own.user
