"""SQLAlchemy's statements as plain ones for SQLite: written once, run without what each execution costs there."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

__all__ = ["Prepared"]


class Prepared:
    """One statement with its parameters in the order that SQLite wants them."""

    __slots__ = ("_constants", "_names", "text")

    def __init__(self, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=sqlite.dialect())
        self.text = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        self._constants: Mapping[str, Any] = compiled.params

    def values(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """Put the parameters in order; what is not given stands in the statement itself."""
        constants = self._constants
        return tuple([given[name] if name in given else constants[name] for name in self._names])
