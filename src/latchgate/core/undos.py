"""What would put a change back: the values that a record had before, and what it must still be like for that."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Undo"]


@dataclass(frozen=True, slots=True)
class Undo:
    """A change the other way round, as whoever made the first could make it by hand; it holds no secrets."""

    doctype: str
    name: str
    """The record's; that of the role, where all that a role may do was changed."""
    values: Mapping[str, Any] = field(repr=False)
    """What stood before in the fields that were changed, as it is sent and answered in JSON."""
    seen: str
    """How the record was left: its `modified`, or all that the role may do. Another change since makes it another."""

    @property
    def text(self) -> str:
        """All of it as one text, to be stored."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> "Undo":
        """Read what `text` gave."""
        return cls(**json.loads(text))
