"""Access rules in a file: TOML, a table `[[rule]]` for each, under the names that records have."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from latchgate.core.access_rules import AccessRule
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.rule_fields import RULE_FIELDS, rule_from

__all__ = ["FileProblem", "list_places", "read_rules"]

_FIELDS = {name: DOCUMENT_TYPES["Access Rule"].fields[name] for name in RULE_FIELDS}
_LEAVE_OUT = {
    "host": "name a host, or leave it out for any",
    "methods": "name a method, or leave it out for any",
    "roles": "name a role, or leave it out to let any user in",
    "scopes": 'name a scope, leave it out for credentials that are not limited, or write "*" for any',
}
_TABLE = re.compile(r"[ \t]*\[\[[ \t]*rule[ \t]*\]\]")


class FileProblem(ValueError):
    """What is wrong with a file; `problems` holds a line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_rules(text: str) -> list[AccessRule]:
    """Read the rules of a file, in its order; what a rule cannot say is found out where it is stored.

    Raises:
        FileProblem: It is no TOML, or holds something else than rules with fields that there are.
    """
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileProblem(f"it is no TOML: {error}") from None
    unknown = sorted(found.keys() - {"rule"})
    tables = found.get("rule", [])
    if unknown:
        raise FileProblem(f"'{unknown[0][:60]}' is nothing that a file of rules holds: each rule is a table [[rule]]")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise FileProblem("each rule is a table [[rule]]")
    rules, problems = [], []
    for place, table in zip(list_places(text, len(tables)), tables, strict=True):
        values, wrong = _read(table)
        problems += [f"{place}, {name}: {told}" for name, told in wrong.items()]
        rules.append(rule_from(values))
    if problems:
        raise FileProblem(*problems)
    return rules


def list_places(text: str, count: int) -> list[str]:
    """Name each of so many rules of a file by its number and, if that can be told, its line."""
    lines = [line for line, written in enumerate(text.splitlines(), 1) if _TABLE.match(written)]
    # Tables can be written within one line too, and a text of several lines may hold what looks like one.
    if len(lines) != count:
        return [f"rule {number}" for number in range(1, count + 1)]
    return [f"rule {number} (line {line})" for number, line in enumerate(lines, 1)]


def _read(table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in table.items():
        spec = _FIELDS.get(name)
        if spec is None:
            wrong[name[:60]] = f"is no field of a rule; there are {', '.join(_FIELDS)}"
            continue
        empty = f"is empty: {_LEAVE_OUT[name]}" if name in _LEAVE_OUT else ""
        if empty and _is_empty(value):
            wrong[name] = empty
            continue
        try:
            values[name] = spec.parse(value)
        except ValueError as error:
            wrong[name] = str(error)
            continue
        # A text may be a list in JSON, and so an empty one.
        if empty and _is_empty(values[name]):
            wrong[name] = empty
    return values, wrong


def _is_empty(value: object) -> bool:
    # Whatever wrote the file filled in nothing; that must not mean everybody.
    if isinstance(value, str):
        return not value.strip(", \t\n")
    return isinstance(value, list) and all(isinstance(one, str) and not one.strip() for one in value)
