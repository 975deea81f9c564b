"""The changes of a transaction that can still be undone."""

from sqlalchemy import Connection, bindparam, delete, insert, select

from latchgate.core.undos import Undo
from latchgate.services.undo_ports import NewUndo, StoredUndo
from latchgate.storage.rows import delete_some
from latchgate.storage.sign_in_tables import session, undo

__all__ = ["SqlUndos"]

_FORGET = delete_some(undo, undo.c.expires_at <= bindparam("now"))
_FIND = (
    select(undo.c.id, undo.c.change, undo.c.back)
    .join_from(undo, session, session.c.id == undo.c.session_id)
    .where(
        undo.c.public_id == bindparam("wanted"),
        session.c.public_id == bindparam("whose"),
        undo.c.expires_at > bindparam("now"),
    )
)
_END = delete(undo).where(undo.c.id == bindparam("row_id"))


class SqlUndos:
    """Undos in SQL; one that was used is gone, one whose time is over is soon."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: NewUndo, now: int) -> None:
        self._connection.execute(_FORGET, {"now": now})
        values = {
            "public_id": new.public_id,
            "session_id": new.session_id,
            "change": new.undo.text,
            "back": new.back,
            "expires_at": new.expires_at,
        }
        self._connection.execute(insert(undo), values)

    def find(self, public_id: str, session: str, now: int) -> StoredUndo | None:
        row = self._connection.execute(_FIND, {"wanted": public_id, "whose": session, "now": now}).one_or_none()
        return None if row is None else StoredUndo(row.id, Undo.of_text(row.change), row.back)

    def end(self, undo_id: int) -> None:
        self._connection.execute(_END, {"row_id": undo_id})
