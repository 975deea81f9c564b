"""What undoing a change needs from the store; how to read such ports, says `services/ports.py`."""

from dataclasses import dataclass, field
from typing import Protocol

from latchgate.core.undos import Undo

__all__ = ["NewUndo", "StoredUndo", "Undos"]


@dataclass(frozen=True, slots=True)
class NewUndo:
    """What would put a change back, to be stored for a while for the session that made the change."""

    public_id: str
    session_id: int
    undo: Undo
    back: str
    """The address of the page where the change was made."""
    expires_at: int


@dataclass(frozen=True, slots=True)
class StoredUndo:
    """What was stored of it."""

    id: int
    undo: Undo
    back: str = field(repr=False)


class Undos(Protocol):
    """The changes of one transaction that can still be undone."""

    def add(self, new: NewUndo, now: int) -> None:
        """Store one; some of those whose time is over are forgotten."""
        ...

    def find(self, public_id: str, session: str, now: int) -> StoredUndo | None:
        """Look one up among those of a session, by that one's public id, whose time is not over."""
        ...

    def end(self, undo_id: int) -> None:
        """Forget one: it was used."""
        ...
