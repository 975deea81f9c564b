"""A question for records of one type, after every name and value in it was checked."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Column", "Condition", "DocumentQuery", "Operator", "Order", "Scalar"]

Scalar = str | int | float | None
"""As stored: checks are 0 or 1, times microseconds since 1970."""


class Operator(StrEnum):
    """How a field is compared. `like` ignores case; a missing value differs from every other."""

    EQUAL = "="
    UNEQUAL = "!="
    GREATER = ">"
    LESS = "<"
    AT_LEAST = ">="
    AT_MOST = "<="
    LIKE = "like"
    NOT_LIKE = "not like"
    IN = "in"
    NOT_IN = "not in"
    BETWEEN = "between"
    SET = "is set"
    NOT_SET = "is not set"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `values` holds one value, several for in and not in, two for between, none for is (not) set."""

    field: str
    operator: Operator
    values: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """One field to sort by."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One value of each row: a field, or how many rows were grouped."""

    name: str
    """What it is called in the answer."""
    field: str | None
    """None for the count."""


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """Which rows of a document type to give, and what of each."""

    columns: tuple[Column, ...] = (Column("name", "name"),)
    all_of: tuple[Condition, ...] = ()
    any_of: tuple[Condition, ...] = ()
    """At least one of these, where there are any."""
    order: tuple[Order, ...] = ()
    """Completed by the name, so that pages never overlap."""
    start: int = 0
    limit: int | None = 20
    """None means all."""
    group_by: tuple[str, ...] = ()
    after: str | None = None
    """For the logs: the name of the row after which to go on, in the order asked for (keyset)."""
