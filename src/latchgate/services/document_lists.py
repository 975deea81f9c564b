"""Rows and whole records of a list, with what no table of theirs holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latchgate.core.document_types import DocumentType, Kind, Viewer, format_time
from latchgate.core.queries import Column, DocumentQuery
from latchgate.core.questions import ROWS_MAX
from latchgate.errors import Invalid
from latchgate.services.document_values import show_field
from latchgate.services.key_values import KeyValues
from latchgate.services.ports import Documents

__all__ = ["DocumentPage", "list_page", "whole"]


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some records of a list."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    """Values as they are answered: times as texts, checks as 0 or 1."""
    more: bool
    """Whether there are more after these."""

    def documents(self) -> list[dict[str, Any]]:
        """The rows as objects."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def total(self, start: int, count: Callable[[], int]) -> int:
        """Tell how many records the list has; only where this page, which passed over `start`, does not tell, count."""
        return count() if self.more or (start and not self.rows) else start + len(self.rows)


def whole(query: DocumentQuery, doctype: DocumentType, viewer: Viewer) -> DocumentQuery:
    """Ask for every field that a viewer sees of all the records in a list, child tables among them."""
    return replace(query, columns=tuple(Column(name, name) for name in doctype.seen_in_lists_by(viewer)))


def list_page(
    documents: Documents, doctype: DocumentType, viewer: Viewer, query: DocumentQuery, key_values: KeyValues
) -> DocumentPage:
    """Give a page of records. Raises Invalid if all are wanted and there are too many."""
    limit = ROWS_MAX if query.limit is None else min(query.limit, ROWS_MAX)
    columns = (*query.columns, *key_values.needed(doctype, query.columns))
    # One more than wanted tells whether there are more.
    found = documents.list_some(doctype.name, replace(query, columns=columns, limit=limit + 1), viewer.own_only)
    if len(found) > limit and limit != query.limit:
        told = f"more than {ROWS_MAX:,} records match; ask for pages with limit and limit_start"
        raise Invalid({"limit": told})
    rows = found[:limit]
    if query.group_by:
        names = [column.name for column in columns]
        rows = [_shown(doctype, query.columns, dict(zip(names, row, strict=True))) for row in rows]
    elif any(column.field and not _is_plain(doctype, column.field) for column in columns):
        names = [column.name for column in columns]
        stored = [dict(zip(names, row, strict=True)) for row in rows]
        show = _shower(doctype, query.columns)
        rows = [show(row) for row in key_values.complete(doctype, stored)]
    return DocumentPage(tuple(column.name for column in query.columns), rows, len(found) > limit)


def _is_plain(doctype: DocumentType, field: str) -> bool:
    """Whether a field is answered as it is stored."""
    access = doctype.fields[field].access
    return access.kind not in {Kind.DATETIME, Kind.TABLE} and not access.volatile


def _shower(doctype: DocumentType, columns: Sequence[Column]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Give what shows a whole row: how each of its values is shown, is looked up once for a page, not for each."""
    fields = [column.field or "" for column in columns]
    times = {field for field in fields if doctype.fields[field].access.kind is Kind.DATETIME}
    tables = {field for field in fields if doctype.fields[field].access.kind is Kind.TABLE}

    def show(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(
            format_time(row[field])
            if field in times
            else show_field(doctype, field, row)
            if field in tables
            else row[field]
            for field in fields
        )

    return show


def _shown(doctype: DocumentType, columns: Sequence[Column], row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(
        row[column.name] if column.field is None else show_field(doctype, column.field, row) for column in columns
    )
