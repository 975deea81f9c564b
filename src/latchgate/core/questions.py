"""Read what a caller asks of a list (fields, filters, order_by, …) into a DocumentQuery, or say what is wrong.

Source: Frappe's list parameters, as recorded (areas `resource` and `client`).
"""

import re
from dataclasses import dataclass

from latchgate.core.document_types import DocumentType, Viewer
from latchgate.core.filters import Fields, find_field, parse_filters
from latchgate.core.queries import Column, DocumentQuery, Order
from latchgate.errors import Invalid

__all__ = ["ROWS_MAX", "Asked", "parse_question"]

ROWS_MAX = 10_000
"""The most rows that one answer holds."""
_LIMIT_DEFAULT = 20
_START_MAX = 10**12
_COLUMNS_MAX = 100
_ORDERS_MAX = 5
_TEXT_LENGTH_MAX = 1000
_LOG_ORDERS = frozenset({"creation", "modified", "time", "name"})
_FIELD = re.compile(r"(?:(?P<quote>`?)tab(?P<doctype>[^`.]{1,140})(?P=quote)\.)?`?(?P<field>[A-Za-z_][A-Za-z0-9_]*)`?")
_ORDER = re.compile(rf"(?P<column>{_FIELD.pattern})(?:\s+(?P<direction>asc|desc))?", re.IGNORECASE)
_COUNT = re.compile(
    r"count\((?:\*|`?(?P<field>[A-Za-z_][A-Za-z0-9_]*)`?)\)(?:\s+as\s+(?P<name>[A-Za-z_][A-Za-z0-9_]{0,60}))?",
    re.IGNORECASE,
)
_ALL = "*"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was sent, JSON texts decoded, nothing checked; None is what was not sent."""

    fields: object = None
    filters: object = None
    or_filters: object = None
    order_by: object = None
    start: object = None
    limit: object = None
    group_by: object = None
    after: object = None


def parse_question(doctype: DocumentType, viewer: Viewer, asked: Asked) -> DocumentQuery:
    """Check a question against the fields that its viewer may ask for.

    Raises:
        Invalid: With the parameter or field at fault; Flaw.FIELD for a field that does not exist or may not be asked.
    """
    fields, filterable = doctype.comparable_by(viewer), doctype.filterable_by(viewer)
    group_by = _group_by(asked.group_by, doctype, fields)
    columns = _columns(asked.fields, doctype, doctype.listable_by(viewer))
    if group_by:
        _require_grouped(columns, group_by)
    elif any(column.field is None for column in columns):
        raise Invalid({"fields": "count needs group_by; to count all there is get_count"})
    order = _order(asked.order_by, doctype, fields)
    if group_by:
        order = tuple(one for one in order if one.field in group_by)
    return DocumentQuery(
        columns=columns,
        all_of=parse_filters("filters", asked.filters, doctype.name, filterable),
        any_of=parse_filters("or_filters", asked.or_filters, doctype.name, filterable),
        order=order,
        start=_whole("limit_start", asked.start, 0),
        limit=_whole("limit", asked.limit, _LIMIT_DEFAULT) or None,
        group_by=group_by,
        after=_after(asked.after, doctype, grouped=bool(group_by)),
    )


def _columns(sent: object, doctype: DocumentType, fields: Fields) -> tuple[Column, ...]:
    if sent is None or sent in ("", []):
        return (Column("name", "name"),)
    names = [sent] if isinstance(sent, str) else sent
    if not isinstance(names, list) or len(names) > _COLUMNS_MAX:
        raise Invalid({"fields": f"must be a list of at most {_COLUMNS_MAX} names"})
    columns: dict[str, Column] = {}
    for name in names:
        for column in _column(name, doctype, fields):
            if columns.setdefault(column.name, column) != column:
                raise Invalid({"fields": f"{column.name} stands for two things"})
    return tuple(columns.values())


def _column(name: object, doctype: DocumentType, fields: Fields) -> list[Column]:
    if name == _ALL:
        return [Column(field, field) for field in fields]
    text = name.strip() if isinstance(name, str) and len(name) <= _TEXT_LENGTH_MAX else ""
    counted = _COUNT.fullmatch(text)
    if counted:
        if counted["field"]:
            find_field("fields", counted["field"], fields)
        return [Column(counted["name"] or text, None)]
    field = find_field("fields", _plain(text, doctype) if text else name, fields).name
    return [Column(field, field)]


def _plain(text: str, doctype: DocumentType) -> str:
    """Read a field's name, which may come with its own table's, in the quotes of Frappe's database."""
    found = _FIELD.fullmatch(text.strip())
    return found["field"] if found and found["doctype"] in (None, doctype.name) else text


def _group_by(sent: object, doctype: DocumentType, fields: Fields) -> tuple[str, ...]:
    if sent is None or sent == "":
        return ()
    return tuple(find_field("group_by", _plain(part, doctype), fields).name for part in _parts("group_by", sent))


def _parts(parameter: str, sent: object) -> list[str]:
    if not isinstance(sent, str) or len(sent) > _TEXT_LENGTH_MAX or sent.count(",") >= _ORDERS_MAX:
        raise Invalid({parameter: f"must be a text that names at most {_ORDERS_MAX} fields"})
    return sent.split(",")


def _require_grouped(columns: tuple[Column, ...], group_by: tuple[str, ...]) -> None:
    loose = [column.name for column in columns if column.field is not None and column.field not in group_by]
    if loose:
        raise Invalid({"fields": f"with group_by, {', '.join(loose)} must be grouped by or left out"})


def _order(sent: object, doctype: DocumentType, fields: Fields) -> tuple[Order, ...]:
    if sent is None or sent == "":
        return (Order("creation", descending=True),)
    orders = []
    for part in _parts("order_by", sent):
        found = _ORDER.fullmatch(part.strip())
        if found is None:
            raise Invalid({"order_by": "must be '<field> asc' or '<field> desc', several by commas"})
        field = find_field("order_by", _plain(found["column"], doctype), fields).name
        if doctype.log and field not in _LOG_ORDERS:
            raise Invalid({"order_by": "a log is sorted by creation alone"})
        orders.append(Order(field, descending=(found["direction"] or "").lower() == "desc"))
    return tuple(orders[:1] if doctype.log else orders)


def _whole(parameter: str, sent: object, default: int) -> int:
    """Read a number; what is none means the default. Source: recorded, `list limit not a number`."""
    if isinstance(sent, bool) or not isinstance(sent, (str, int)):
        return default
    text = str(sent).strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return default
    if text.startswith("-") or len(digits) > len(str(_START_MAX)):
        raise Invalid({parameter: "must be a whole number from 0 on"})
    return int(digits)


def _after(sent: object, doctype: DocumentType, *, grouped: bool) -> str | None:
    if sent is None or sent == "":
        return None
    if not doctype.log or grouped:
        raise Invalid({"after": "only the pages of a log go on after a row; use limit_start"})
    if not isinstance(sent, (str, int)) or isinstance(sent, bool):
        raise Invalid({"after": "must be the name of a row of the page before"})
    return str(sent)
