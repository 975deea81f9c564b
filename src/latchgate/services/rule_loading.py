"""Load the access rules of a file in the place of all that there are."""

import re
from collections.abc import Sequence
from pathlib import Path

from latchgate.core.rule_files import FileProblem, list_places, read_rules
from latchgate.errors import Invalid, NotFound
from latchgate.services.access_rules import AccessRuleService, RuleChanges
from latchgate.services.actors import Actor

__all__ = ["load_rules"]

_BYTES_MAX = 8 * 1024 * 1024
_NUMBERED = re.compile(r"(?P<number>[0-9]+)\.(?P<field>.*)", re.DOTALL)


def load_rules(service: AccessRuleService, actor: Actor, path: Path, *, dry_run: bool = False) -> RuleChanges:
    """Load a file's rules, all or none.

    Raises:
        NotFound: There is no such file.
        Invalid: It cannot be read, or holds what is no rule; told by rule, line and field. Also where the rules are the
            operator's, and this is another file than that one.
        NotPermitted: The actor may not change rules.
    """
    text = _read(path)
    operator = service.file is not None and path.resolve() == service.file.resolve()
    try:
        rules = read_rules(text)
    except FileProblem as error:
        raise Invalid({str(path): "; ".join(error.problems)}) from None
    try:
        return service.load(actor, rules, origin=path.name, dry_run=dry_run, operator=operator)
    except Invalid as error:
        places = list_places(text, len(rules))
        raise Invalid(dict(_place(places, name, told) for name, told in error.fields.items()), error.flaw) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES_MAX + 1)
        if len(content) > _BYTES_MAX:
            raise Invalid({str(path): f"is larger than {_BYTES_MAX} bytes"})
        return content.decode()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}") from None
    except OSError as error:
        raise Invalid({str(path): f"cannot be read: {error.strerror}"}) from None
    except UnicodeDecodeError:
        raise Invalid({str(path): "is no text in UTF-8"}) from None


def _place(places: Sequence[str], name: str, told: str) -> tuple[str, str]:
    found = _NUMBERED.fullmatch(name)
    return (name, told) if found is None else (f"{places[int(found['number']) - 1]}, {found['field']}", told)
