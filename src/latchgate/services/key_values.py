"""What of API keys and access tokens changes by itself: their state, and when a key was last used and from where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latchgate.core.document_types import DocumentType
from latchgate.core.documents import API_KEY, BEARER_TOKEN
from latchgate.core.log_entries import use_name
from latchgate.core.queries import Column
from latchgate.services.port_values import LastUse
from latchgate.services.ports import Clock, RequestLog

__all__ = ["KeyValues"]

_USED = frozenset({"last_used", "last_used_from"})
_CHANGING = {API_KEY.name: frozenset({*_USED, "status"}), BEARER_TOKEN.name: frozenset({"status"})}
_STANDS_ON = {API_KEY.name: ("name", "source", "expires"), BEARER_TOKEN.name: ("expires",)}


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Completes keys and tokens as they were read from their tables; records of other types stay as they are."""

    clock: Clock
    request_log: RequestLog

    def needed(self, doctype: DocumentType, columns: Sequence[Column]) -> tuple[Column, ...]:
        """Tell which columns must be read beside these, so that these can be completed."""
        fields = {column.field for column in columns}
        if not fields & _CHANGING.get(doctype.name, frozenset()):
            return ()
        return tuple(Column(name, name) for name in _STANDS_ON[doctype.name] if name not in fields)

    def complete(self, doctype: DocumentType, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Give rows, their values by field as stored, with those that change by themselves."""
        if doctype.name not in _CHANGING or not rows:
            return list(rows)
        uses = self.request_log.last_uses([_use_name(row) for row in rows]) if _USED & rows[0].keys() else {}
        now_us = self.clock.now_us()
        return [_completed(row, uses.get(_use_name(row)) if uses else None, now_us) for row in rows]


def _use_name(row: Mapping[str, Any]) -> str:
    return use_name(row["source"], row["name"])


def _completed(row: Mapping[str, Any], use: LastUse | None, now_us: int) -> Mapping[str, Any]:
    if use is not None:
        row = {**row, "last_used": use.time, "last_used_from": use.ip_address}
    if "status" in row and row["status"] != "revoked" and row["expires"] is not None and row["expires"] <= now_us:
        row = {**row, "status": "expired"}
    return row
