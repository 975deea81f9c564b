"""What the fields of every document type are made of, and those that every record has."""

import json
from contextlib import suppress
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from latchgate.core.document_types import Access, Kind

__all__ = [
    "Check",
    "Hour",
    "PerMinute",
    "Position",
    "Record",
    "Row",
    "RuleText",
    "RuleTexts",
    "Text",
    "Texts",
    "whole",
]

_NAME_LENGTH_MAX = 140


def _check(value: object) -> object:
    if isinstance(value, (bool, int)) and value in (0, 1):
        return int(value)
    if isinstance(value, str) and value in {"0", "1"}:
        return int(value)
    raise ValueError("must be 0 or 1")


def whole(value: object) -> object:
    """Let no fraction and no truth value pass for a whole number. Raises ValueError."""
    if isinstance(value, (bool, float)):
        raise ValueError("must be a whole number")  # noqa: TRY004  # one error for the caller
    return value


def _plain(value: object) -> object:
    # What stands in a name or a label ends up in pages, logs and terminals.
    if isinstance(value, str) and not value.isprintable():
        raise ValueError("must hold no line breaks and no characters that cannot be seen")
    return value


def _texts(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.replace("\n", ",").split(",") if part.strip()]
    return value


def _listed(value: object) -> object:
    # What a form or a command line sends as one text may be the list in JSON.
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    listed = _texts(value)
    if isinstance(value, str) and not listed:
        # Most likely a variable that was not set; what is asked for must not become less by that.
        raise ValueError("is an empty text: name what is meant, leave it out, or send [] for none")
    return listed


Text = Annotated[str, Field(max_length=_NAME_LENGTH_MAX), BeforeValidator(_plain)]
Check = Annotated[int, BeforeValidator(_check)]
Hour = Annotated[int, Field(ge=0, le=24), BeforeValidator(whole)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(whole)]
Texts = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=200), BeforeValidator(_texts)]

Position = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole)]
RuleText = Annotated[str, Field(max_length=1_000), BeforeValidator(_plain)]
RuleTexts = Annotated[
    list[Annotated[str, Field(max_length=200), BeforeValidator(_plain)]],
    Field(max_length=200),
    BeforeValidator(_listed),
]


class Row(BaseModel, extra="ignore", defer_build=True):
    """A row of a child table; what Frappe keeps beside the value (idx, parent, …) is ignored."""


class Record(BaseModel, defer_build=True):
    """What every record has. Times are UTC; two changes never have the same `modified`."""

    name: Annotated[str, Access(Kind.DATA, "ID")] = Field("", description="The record's name, by which it is addressed")
    owner: Annotated[str, Access(Kind.LINK, "Created By", link="User")] = Field("", description="Who made it")
    creation: Annotated[str, Access(Kind.DATETIME, "Created On")] = Field("", description="When it was made, UTC")
    modified: Annotated[str, Access(Kind.DATETIME, "Last Updated On")] = Field(
        "", description="When it was last changed, UTC; send it back with an update to be told if another came between"
    )
    modified_by: Annotated[str, Access(Kind.LINK, "Last Updated By", link="User")] = Field(
        "", description="Who changed it last"
    )
    docstatus: Annotated[int, Access(Kind.INT, "Document Status")] = Field(0, description="Always 0")
    idx: Annotated[int, Access(Kind.INT, "Index")] = Field(0, description="Always 0")
