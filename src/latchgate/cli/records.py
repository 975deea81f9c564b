"""Records as commands print them: the fields of their document type, under the names that the API gives them too."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latchgate.cli.output import Record, format_time

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate
    from latchgate.core.document_types import FieldSpec

__all__ = ["list_records", "read_key", "read_record"]

_ALWAYS_ZERO = frozenset({"docstatus", "idx"})
_PAGE = 10_000
_SECOND_US = 1_000_000


def read_record(latchgate: "Latchgate", doctype: str, name: str) -> Record:
    """Give a record. Raises NotFound."""
    from latchgate.services.actors import COMMAND_LINE

    return _printed(doctype, latchgate.documents.get(COMMAND_LINE, doctype, name))


def read_key(latchgate: "Latchgate", key_id: str, source: str) -> Record:
    """Give an API key that there is; its name alone would not tell it from another source's."""
    (found,) = list_records(latchgate, "API Key", filters={"name": key_id, "source": source})
    return found


def list_records(latchgate: "Latchgate", doctype: str, **asked: object) -> list[Record]:
    """Give all the records that match, by name unless another order is asked for.

    Args:
        latchgate: The open instance.
        doctype: Their document type.
        asked: `filters`, `or_filters` and `order_by` as the API takes them.
    """
    from latchgate.core.questions import Asked
    from latchgate.services.actors import COMMAND_LINE

    records: list[Record] = []
    more = True
    while more:
        question = Asked(**{"order_by": "name asc", **asked}, start=len(records), limit=_PAGE)
        page = latchgate.documents.list_whole(COMMAND_LINE, doctype, question)
        records += [_printed(doctype, document) for document in page.documents()]
        more = page.more
    return records


def _printed(doctype: str, document: Mapping[str, Any]) -> Record:
    from latchgate.core.documents import DOCUMENT_TYPES, source_type

    fields = (DOCUMENT_TYPES.get(doctype) or source_type(doctype)).fields
    return {name: _value(spec, document[name]) for name, spec in fields.items() if _is_printed(spec, document)}


def _is_printed(spec: "FieldSpec", document: Mapping[str, Any]) -> bool:
    return spec.name in document and spec.name not in _ALWAYS_ZERO


def _value(spec: "FieldSpec", value: Any) -> object:  # noqa: ANN401  # whatever the field holds
    from latchgate.core.document_types import Kind, parse_time

    match spec.access.kind:
        case Kind.CHECK:
            return bool(value)
        case Kind.DATETIME:
            return value and format_time(parse_time(value) / _SECOND_US)
        case Kind.TABLE:
            return [row["role"] for row in value]
        case _:
            return value
