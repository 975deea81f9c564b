"""A list as its address describes it, so that what somebody looks at can be sent to somebody else."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from latchgate.server.requests import Call

__all__ = ["Chip", "Column", "View", "containing"]

_VALUE_LENGTH_MAX = 200
_INVALID = 417
_START_DIGITS_MAX = 9
_PLACES = frozenset({"start", "after", "open"})
"""Where one is in a list: not what is in it, so that other choices leave them behind."""


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a table's column."""

    label: str
    classes: str = ""
    """`number` for what is compared by size, `wide` for what a phone leaves out."""
    address: str = ""
    """Where the rows are sorted by it; empty if they cannot be."""
    sorted: str = ""
    """`ascending` or `descending`, if they are."""


@dataclass(frozen=True, slots=True)
class Chip:
    """What narrows a list, as a whole sentence ("Enabled: yes")."""

    words: str
    without: str
    """The address of the list without it."""


@dataclass(frozen=True, slots=True)
class View:
    """What is chosen, by the names of the address's parameters; those unknown or empty are left out."""

    path: str
    chosen: Mapping[str, str]
    too_long: Mapping[str, str] = field(default_factory=dict)
    """What was typed and is longer than anything that is looked through: it narrows nothing, and the page says so."""
    length_max: int = _VALUE_LENGTH_MAX

    @classmethod
    def of(
        cls,
        call: Call,
        *names: str,
        length_max: int = _VALUE_LENGTH_MAX,
        offered: Mapping[str, Collection[str]] | None = None,
    ) -> "View":
        """Read a page's address.

        Args:
            call: Who asks for what.
            names: The parameters that are known, beside `sort`, `start`, `after` and `open`.
            length_max: Longer values, in characters, are `too_long`.
            offered: By name, the values that it may have; others are left out, so that nothing is shown as narrowing a
                list that does not.
        """
        sent = call.request.query_params
        known = {name: sent[name].strip() for name in (*names, "sort", *sorted(_PLACES)) if name in sent}
        chosen = {name: value for name, value in known.items() if value and len(value) <= length_max}
        kept = {name for name in chosen if name not in (offered or {}) or chosen[name] in (offered or {})[name]}
        too_long = {name: known[name] for name in names if len(known.get(name, "")) > length_max}
        return cls(call.path, {name: value for name, value in chosen.items() if name in kept}, too_long, length_max)

    @property
    def status(self) -> int:
        """The answer's: 417 where something is too long to be looked for."""
        return _INVALID if self.too_long else 200

    def get(self, name: str) -> str:
        """Give what is chosen, empty if nothing is."""
        return self.chosen.get(name, "")

    @property
    def start(self) -> int:
        """How many rows to pass over."""
        text = self.get("start")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _START_DIGITS_MAX else 0

    def to(self, **changes: object) -> str:
        """Write the address with other choices, an empty one taken away; other choices begin at the first page."""
        chosen = {name: value for name, value in self.chosen.items() if name not in _PLACES}
        chosen |= {name: str(value) if value else "" for name, value in changes.items()}
        query = urlencode({name: value for name, value in chosen.items() if value})
        return f"{self.path}?{query}" if query else self.path

    def beside(self, names: Collection[str]) -> Mapping[str, str]:
        """Give what is chosen by other names than these, which a form of these sends along."""
        return {name: value for name, value in self.chosen.items() if name not in {*names, *_PLACES}}

    def column(self, label: str, *, sort: str, classes: str = "") -> Column:
        """Make the head of a column that rows can be sorted by: upwards first, then downwards, then not."""
        match self.get("sort"):
            case chosen if chosen == sort:
                return Column(label, classes, self.to(sort=f"-{sort}"), "ascending")
            case chosen if chosen == f"-{sort}":
                return Column(label, classes, self.to(sort=""), "descending")
            case _:
                return Column(label, classes, self.to(sort=sort))

    def order_by(self, fields: Collection[str], default: str) -> str:
        """Give the order as services are asked for it; by another field than these, it is the default."""
        field = self.get("sort").removeprefix("-")
        direction = "desc" if self.get("sort").startswith("-") else "asc"
        return f"{field} {direction}" if field in fields else default


def containing(field: str, text: str) -> list[str]:
    """Give the condition that a field contains a text, whose `%` and `_` are only characters."""
    literal = re.sub(r"([\\%_])", r"\\\1", text)
    return [field, "like", f"%{literal}%"]
