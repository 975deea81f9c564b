"""Read the conditions of a list: Frappe's filters as a list, an object or a name.

Source: recorded, area `resource`, the cases "list filters …".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from latchgate.core.document_types import FieldSpec, Kind
from latchgate.core.queries import Condition, Operator, Scalar
from latchgate.errors import Flaw, Invalid

__all__ = ["Fields", "find_field", "parse_filters"]

Fields = Mapping[str, FieldSpec]

_CONDITIONS_MAX = 100
_VALUES_MAX = 1000
_TEXT_LENGTH_MAX = 1000
_FIELD_NAME_LENGTH_MAX = 60
# As clients of Frappe call the field of a child table.
_USER, _ROLE_OF_USER = "User", ["Has Role", "role"]
_NAMED = {str(operator): operator for operator in Operator if operator not in {Operator.SET, Operator.NOT_SET}}
_OFFERED = ", ".join([*_NAMED, "is"])
_SEVERAL = {Operator.IN, Operator.NOT_IN}
_PATTERNS = {Operator.LIKE, Operator.NOT_LIKE}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WITH_TYPE, _WITHOUT_TYPE, _EQUAL = 4, 3, 2


def parse_filters(parameter: str, sent: object, doctype: str, fields: Fields) -> tuple[Condition, ...]:
    """Read filters as they were sent, their JSON decoded.

    Args:
        parameter: What to call it in errors: `filters` or `or_filters`.
        sent: A list of conditions, an object of them, or a name.
        doctype: The type asked for, which a condition may repeat.
        fields: The fields that may be asked for.

    Raises:
        Invalid: With the parameter, and what would be right.
    """
    if sent is None or sent == "":
        return ()
    if isinstance(sent, str):
        sent = {"name": sent}
    if isinstance(sent, Mapping):
        conditions = [_of_object(parameter, name, value) for name, value in sent.items()]
    elif isinstance(sent, list):
        conditions = [_of_list(parameter, item, doctype) for item in _as_conditions(sent)]
    else:
        raise Invalid({parameter: "must be a list of conditions or an object"})
    if len(conditions) > _CONDITIONS_MAX:
        raise Invalid({parameter: f"must hold at most {_CONDITIONS_MAX} conditions"})
    parsed = tuple(_condition(parameter, condition, fields) for condition in conditions)
    if sum(len(condition.values) for condition in parsed) > _VALUES_MAX:
        raise Invalid({parameter: f"must compare with at most {_VALUES_MAX} values"})
    return parsed


def find_field(parameter: str, name: object, fields: Fields) -> FieldSpec:
    """Find a field that may be asked for. Raises Invalid, alike for one that does not exist."""
    found = fields.get(name) if isinstance(name, str) else None
    if found is None:
        told = str(name)[:_FIELD_NAME_LENGTH_MAX] if isinstance(name, str) else type(name).__name__
        raise Invalid({parameter: f"Field not permitted in query: {told}"}, Flaw.FIELD)
    return found


def _as_conditions(sent: list[Any]) -> list[Any]:
    # ["status", "=", "Open"] is one condition, not three.
    return [sent] if sent and isinstance(sent[0], str) else sent


def _of_object(parameter: str, name: object, value: object) -> tuple[object, object, object]:
    if not isinstance(value, list):
        return name, "=", value
    if len(value) != _EQUAL:
        raise Invalid({parameter: f"{_short(name)} must be a value, or [operator, value]"})
    return name, value[0], value[1]


def _of_list(parameter: str, item: object, doctype: str) -> tuple[object, object, object]:
    if not isinstance(item, list) or not _EQUAL <= len(item) <= _WITH_TYPE:
        raise Invalid({parameter: "each condition must be [field, operator, value]"})
    if len(item) == _EQUAL:
        return item[0], "=", item[1]
    if len(item) == _WITH_TYPE:
        if doctype == _USER and item[:2] == _ROLE_OF_USER:
            return "roles", item[2], item[3]
        if item[0] != doctype:
            raise Invalid({parameter: f"conditions must be on fields of {doctype} itself"})
        item = item[1:]
    return item[0], item[1], item[2]


def _condition(parameter: str, sent: tuple[object, object, object], fields: Fields) -> Condition:
    name, operator_text, value = sent
    spec = find_field(parameter, name, fields)
    wanted = operator_text.lower().strip() if isinstance(operator_text, str) else ""
    if wanted == "is":
        return Condition(spec.name, _presence(parameter, spec, value))
    operator = _NAMED.get(wanted)
    if operator is None:
        raise Invalid({parameter: f"Operator must be one of {_OFFERED}"})
    if value is None and operator in {Operator.EQUAL, Operator.UNEQUAL}:
        return Condition(spec.name, Operator.NOT_SET if operator is Operator.EQUAL else Operator.SET)
    return Condition(spec.name, operator, _values(parameter, spec, operator, value))


def _presence(parameter: str, spec: FieldSpec, value: object) -> Operator:
    found = {"set": Operator.SET, "not set": Operator.NOT_SET}.get(value if isinstance(value, str) else "")
    if found is None:
        raise Invalid({parameter: f"{spec.name} is 'set' or 'not set'"})
    return found


def _values(parameter: str, spec: FieldSpec, operator: Operator, value: object) -> tuple[Scalar, ...]:
    if operator in _SEVERAL:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or len(items) > _VALUES_MAX:
            raise Invalid({parameter: f"{spec.name} {operator} takes a list of at most {_VALUES_MAX} values"})
        items = [item.strip() if isinstance(value, str) else item for item in items]
    elif operator is Operator.BETWEEN:
        items = value if isinstance(value, list) else None
        if items is None or len(items) != _EQUAL:
            raise Invalid({parameter: f"{spec.name} between takes a list of two values"})
    else:
        items = [value]
    parse: Callable[[object], Scalar] = spec.parse_compared
    if operator in _PATTERNS:
        if spec.access.kind is Kind.DATETIME:
            raise Invalid({parameter: f"{spec.name} is a time: compare it by =, !=, <, >, <=, >= or between"})
        parse = _pattern
    if operator is Operator.BETWEEN and spec.access.kind is Kind.DATETIME:
        items = [items[0], _whole_day(items[1])]
    return tuple(_value(parameter, spec, parse, item) for item in items)


def _whole_day(sent: object) -> object:
    """Let a range that ends with a date end with that day, as Frappe's do."""
    return f"{sent.strip()} 23:59:59.999999" if isinstance(sent, str) and _DATE.fullmatch(sent.strip()) else sent


def _value(parameter: str, spec: FieldSpec, parse: Callable[[object], Scalar], item: object) -> Scalar:
    if isinstance(item, str) and len(item) > _TEXT_LENGTH_MAX:
        raise Invalid({parameter: f"{spec.name} is compared with at most {_TEXT_LENGTH_MAX} characters"})
    try:
        return parse(item)
    except ValueError as error:
        raise Invalid({parameter: f"{spec.name} {error}"}) from None


def _pattern(value: object) -> Scalar:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be compared with a text")  # noqa: TRY004  # one error for the caller
    return str(value)


def _short(name: object) -> str:
    return str(name)[:_FIELD_NAME_LENGTH_MAX]
