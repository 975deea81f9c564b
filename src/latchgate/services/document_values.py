"""Records as fields: what is answered of one, and which of the values that were sent would change something.

A client may send a whole record back as it got it: whatever equals what it was shown is no change, and only a change
needs a right. A field that the client may not see is never compared, or an answer would tell what it holds.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from latchgate.core.document_types import DocumentType, FieldSpec, Kind, Viewer, Writer, format_time, parse_time
from latchgate.core.documents import document_of
from latchgate.core.permissions import Reach
from latchgate.errors import Flaw, Invalid
from latchgate.services.port_values import FoundDocument

__all__ = ["HIDDEN_SECRET", "parse_changes", "parse_new", "show", "show_field"]

HIDDEN_SECRET = "*" * 15
"""What stands for a secret that there is, as in Frappe."""
_SHOWN_MAX = 60
_PROBLEMS_MAX = 20
_BLANK: tuple[object, ...] = (None, "", [])


def show(doctype: DocumentType, found: FoundDocument, viewer: Viewer, *, own: bool) -> dict[str, Any]:
    """Give a record with all the fields that a viewer may see, in the order of the type's fields."""
    shown = {
        name: show_field(doctype, name, found.values)
        for name, spec in doctype.fields.items()
        if spec.visible_to(viewer, own=own)
    }
    if doctype.name == "User" and shown.get("api_key"):
        shown["api_secret"] = HIDDEN_SECRET
    return document_of(doctype, shown)


def show_field(doctype: DocumentType, name: str, stored: Mapping[str, Any]) -> object:
    """Give a field of a record as it is answered; what is not stored is the same for every record."""
    value = stored[name] if name in stored else _default(doctype, name)
    match doctype.fields[name].access.kind:
        case Kind.TABLE:
            beside = {"parent": stored["name"], "parenttype": doctype.name, "parentfield": name}
            return [{"doctype": "Has Role", "role": role, **beside, "idx": idx} for idx, role in enumerate(value, 1)]
        case Kind.DATETIME:
            return format_time(value)
        case _:
            return value


def parse_new(doctype: DocumentType, viewer: Viewer, creator: str, values: Mapping[str, object]) -> dict[str, Any]:
    """Read the fields of a new record; those that were not sent get their default.

    Args:
        doctype: Of which type it is to be.
        viewer: Who makes it, with the reach of their right to create.
        creator: Their name.
        values: As they were sent.

    Raises:
        Invalid: Fields that do not exist, cannot be set or read; or with Flaw.MISSING, that a record needs.
    """
    defaults = {name: _default(doctype, name) for name in doctype.fields}
    expected = {**defaults, "owner": creator, "modified_by": creator}
    wanted: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in _sent(doctype, values, new=True):
        spec = doctype.fields.get(name)
        if spec is None:
            problems[name] = f"is no field of {doctype.name}"
        elif value is None or (value == "" and spec.access.kind is not Kind.LIST):
            # An empty text is as good as none; but an empty list of limits is not the usual limits.
            continue
        elif not _settable(spec, viewer):
            if not _alike(spec, expected[name], value):
                problems[name] = "cannot be set"
        else:
            _read(spec, value, wanted, problems)
    _raise_if(problems)
    missing = [name for name, spec in doctype.fields.items() if spec.access.required and name not in wanted]
    if missing:
        told = {name: f"Value missing for {doctype.name}: {doctype.fields[name].access.label}" for name in missing}
        raise Invalid(told, Flaw.MISSING)
    return {**defaults, **wanted}


def parse_changes(
    doctype: DocumentType, viewer: Viewer, shown: Mapping[str, Any], values: Mapping[str, object], *, own: bool
) -> dict[str, Any]:
    """Read which fields are to hold something else than they do.

    Args:
        doctype: The record's type.
        viewer: Who changes it, with the reach of their right to write.
        shown: The record as that viewer sees it.
        values: As they were sent.
        own: Whether it is the viewer's own record.

    Raises:
        Invalid: Fields that do not exist, cannot be changed or read; or with Flaw.STALE, a `modified` that is past.
    """
    _require_fresh(doctype, shown, values)
    changes: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in _sent(doctype, values, new=False):
        spec = doctype.fields.get(name)
        if name in shown and (shown[name] == value or (spec is not None and _alike(spec, shown[name], value))):
            continue
        if spec is None:
            problems[name] = f"is no field of {doctype.name}"
        elif not _changeable(doctype, spec, viewer, own=own):
            problems[name] = "cannot be changed" if spec.access.write is Writer.ONCE else "cannot be changed by you"
        elif spec.access.kind is not Kind.PASSWORD or value not in _BLANK:
            _read(spec, "" if value is None and _is_text(spec) else value, changes, problems)
    _raise_if(problems)
    return changes


def _default(doctype: DocumentType, name: str) -> Any:  # noqa: ANN401  # as the model says
    return doctype.model.model_fields[name].get_default(call_default_factory=True)


def _sent(doctype: DocumentType, values: Mapping[str, object], *, new: bool) -> Iterator[tuple[str, object]]:
    """Give the fields that mean something; the name of a new record is the field that names it."""
    for name, value in values.items():
        if name.startswith("__") or name == "doctype" or name in doctype.ignored:
            continue
        if name in doctype.fields and doctype.fields[name].access.volatile:
            continue
        if new and name == "name" and doctype.named_by is not None:
            if values.get(doctype.named_by, value) != value and "__islocal" not in values:
                # Frappe's own pages call what is not saved yet something of their own, and say so.
                yield name, value
            elif doctype.named_by not in values:
                yield doctype.named_by, value
            continue
        yield name[:_SHOWN_MAX], value


def _settable(spec: FieldSpec, viewer: Viewer) -> bool:
    writer = spec.access.write
    return writer is not Writer.NOBODY and (writer is not Writer.MANAGER or viewer.reach is Reach.ALL)


def _changeable(doctype: DocumentType, spec: FieldSpec, viewer: Viewer, *, own: bool) -> bool:
    if spec.access.write is Writer.MANAGER:
        own_account = own and doctype.name == "User"
        return viewer.reach is Reach.ALL and (viewer.manager or not own_account)
    return spec.access.write is Writer.ANYONE


def _require_fresh(doctype: DocumentType, shown: Mapping[str, Any], values: Mapping[str, object]) -> None:
    if "modified" not in values or _alike(doctype.fields["modified"], shown["modified"], values["modified"]):
        return
    sent = str(values["modified"])[:_SHOWN_MAX]
    told = f"Document has been modified after you have opened it ({sent}, {shown['modified']})."
    raise Invalid({"modified": f"{told} Please refresh to get the latest document."}, Flaw.STALE)


def _alike(spec: FieldSpec, shown: object, sent: object) -> bool:
    if shown == sent or (shown in _BLANK and sent in _BLANK):
        return True
    try:
        return bool(_parse(spec, shown) == _parse(spec, sent))
    except ValueError:
        return False


def _read(spec: FieldSpec, value: object, read: dict[str, Any], problems: dict[str, str]) -> None:
    try:
        read[spec.name] = _parse(spec, value)
    except ValueError as error:
        problems[spec.name] = str(error)


def _parse(spec: FieldSpec, value: object) -> object:
    """Read a value as it is stored: times in microseconds, a table as the texts that it is of. Raises ValueError."""
    if spec.choices and value not in spec.choices:
        choices = ", ".join(f'"{choice}"' for choice in spec.choices)
        raise ValueError(f'{spec.access.label} cannot be "{str(value)[:_SHOWN_MAX]}". It should be one of {choices}')
    if not _is_text(spec) and value == "":
        value = None
    parsed = spec.parse(value)
    if spec.access.kind is Kind.DATETIME and parsed is not None:
        return parse_time(parsed)
    if spec.access.kind is Kind.TABLE:
        parsed = sorted({row.role for row in parsed})
    if any("\0" in text for text in (parsed if isinstance(parsed, list) else [str(parsed)])):
        # PostgreSQL could not store it.
        raise ValueError("may not hold NUL")
    return parsed


def _is_text(spec: FieldSpec) -> bool:
    return spec.access.kind in {Kind.DATA, Kind.LONG, Kind.LINK, Kind.LIST, Kind.PASSWORD}


def _raise_if(problems: dict[str, str]) -> None:
    if problems:
        # Whoever sends thousands of wrong fields is told of the first ones.
        raise Invalid(dict(list(problems.items())[:_PROBLEMS_MAX]))
