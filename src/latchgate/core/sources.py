"""Authorization sources: document types, other than User, whose records own keys."""

import re
from dataclasses import dataclass

__all__ = [
    "BUILT_IN_SOURCES",
    "EVENT_CONSUMER",
    "RESERVED_NAMES",
    "SourceRecord",
    "parse_record_name",
    "parse_source_name",
]

EVENT_CONSUMER = "Event Consumer"
BUILT_IN_SOURCES = ("User", EVENT_CONSUMER)
RESERVED_NAMES = ("DocType",)
"""Document types that clients of Frappe take for something else."""

_SOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?: [A-Za-z0-9_-]+)*")
_NAME_LENGTH_MAX = 140


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record of a source: what its keys belong to, and whose requests they make."""

    id: int
    source: str
    name: str
    user: str | None
    enabled: bool


def parse_source_name(text: str) -> str | None:
    """Read the name of a document type, such as `API Device`; None if it is none."""
    name = text.strip()
    return name if _SOURCE.fullmatch(name) and len(name) <= _NAME_LENGTH_MAX else None


def parse_record_name(text: str) -> str | None:
    """Read the name of a record: up to 140 printable characters; None if it is none."""
    name = text.strip()
    # A dot or two in an address lead elsewhere: no client could reach such a record.
    return name if name.isprintable() and 0 < len(name) <= _NAME_LENGTH_MAX and name not in {".", ".."} else None
