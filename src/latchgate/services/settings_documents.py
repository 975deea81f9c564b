"""System Settings as documents: one record, which lies in no table, asked as those that do."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from latchgate.core.permissions import Own
from latchgate.core.queries import Condition, DocumentQuery, Operator, Scalar
from latchgate.services.port_values import FoundDocument

__all__ = ["SettingsDocuments"]

_BLANK = (None, "")


@dataclass(frozen=True, slots=True)
class SettingsDocuments:
    """Fulfils the port Documents for the one record."""

    found: FoundDocument

    def list_some(self, doctype: str, query: DocumentQuery, own: Own | None) -> list[tuple[Scalar, ...]]:
        """Give the record, if it is asked for."""
        rows = [tuple(self._value(column.field) if column.field else 1 for column in query.columns)]
        there = rows * self.count(doctype, query, own)
        return there[query.start :][: query.limit]

    def count(self, doctype: str, query: DocumentQuery, own: Own | None) -> int:  # noqa: ARG002  # there is one type
        """Tell whether the record is asked for."""
        asked = all(self._allows(condition) for condition in query.all_of) and (
            not query.any_of or any(self._allows(condition) for condition in query.any_of)
        )
        return int(asked and (own is None or self.found.is_own(own)))

    def find(self, doctype: str, name: str) -> FoundDocument | None:
        """Give the record by its name, which is its type's."""
        return self.found if name == doctype else None

    def _allows(self, condition: Condition) -> bool:
        return _COMPARISONS[condition.operator](self._value(condition.field), condition.values)

    def _value(self, field: str) -> Scalar:
        # What is not stored is docstatus and idx.
        return cast("Scalar", self.found.values.get(field, 0))


def _with_one(compare: Callable[[Any, Any], bool]) -> Callable[[Scalar, tuple[Scalar, ...]], bool]:
    return lambda value, values: compare(value, values[0])


def _is_like(value: object, pattern: object) -> bool:
    """Compare as SQL does, case aside, in time that no pattern makes long."""
    text = str(value).lower()
    reached = {0}
    for part in re.findall(r"\\.|.", str(pattern).lower(), re.DOTALL):
        if part == "%":
            reached = set(range(min(reached, default=len(text) + 1), len(text) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(text) and (part == "_" or part[-1] == text[at])}
    return len(text) in reached


_COMPARISONS: Mapping[Operator, Callable[[Scalar, tuple[Scalar, ...]], bool]] = {
    Operator.EQUAL: _with_one(operator.eq),
    Operator.UNEQUAL: _with_one(operator.ne),
    Operator.GREATER: _with_one(operator.gt),
    Operator.LESS: _with_one(operator.lt),
    Operator.AT_LEAST: _with_one(operator.ge),
    Operator.AT_MOST: _with_one(operator.le),
    Operator.LIKE: _with_one(_is_like),
    Operator.NOT_LIKE: _with_one(lambda value, pattern: not _is_like(value, pattern)),
    Operator.IN: lambda value, values: value in values,
    Operator.NOT_IN: lambda value, values: value not in values,
    Operator.BETWEEN: lambda value, values: sorted((*values, value))[1] == value,  # type: ignore[type-var]
    Operator.SET: lambda value, _: value not in _BLANK,
    Operator.NOT_SET: lambda value, _: value in _BLANK,
}
