"""The sessions of a transaction. `find` is asked at every request with a cookie: one statement."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, select, update

from latchgate.core.second_factors import needs_second_factor
from latchgate.core.sessions import StoredSession
from latchgate.services.port_values import NewSession
from latchgate.storage.account_tables import user
from latchgate.storage.encodings import decode_roles
from latchgate.storage.rows import add_row, any_lookup, lookup_parameters
from latchgate.storage.second_factors import REQUIRING
from latchgate.storage.sign_in_tables import second_factor, session
from latchgate.storage.users import USER_COLUMNS, decode_user

__all__ = ["SqlSessions"]

_SESSION_COLUMNS = (
    session.c.id,
    session.c.public_id,
    session.c.created_at,
    session.c.last_seen_at,
    session.c.ip_address,
    session.c.user_agent,
    session.c.revoked_at,
    session.c.second_factor,
    exists().select_from(second_factor).where(second_factor.c.user_id == user.c.id).correlate(user),
    REQUIRING,
)
_WIDTH = len(_SESSION_COLUMNS)
_ALL = select(*_SESSION_COLUMNS, *USER_COLUMNS).join_from(session, user, user.c.id == session.c.user_id)
_FIND_PUBLIC = _ALL.where(session.c.public_id == bindparam("wanted"))
_TOUCH = (
    update(session)
    .where(session.c.id == bindparam("row_id"), session.c.last_seen_at < bindparam("now"))
    .values(last_seen_at=bindparam("now"))
)
_LIVE = update(session).where(session.c.revoked_at.is_(None)).values(revoked_at=bindparam("now"))
_REVOKE = _LIVE.where(session.c.id == bindparam("row_id"))
_REVOKE_ALL = _LIVE.where(session.c.user_id == bindparam("owner"), session.c.public_id != bindparam("kept"))
_SECOND_FACTOR = update(session).where(session.c.public_id == bindparam("wanted")).values(second_factor=True)
_LIST_UNREVOKED = _ALL.where(session.c.user_id == bindparam("owner"), session.c.revoked_at.is_(None)).order_by(
    session.c.last_seen_at.desc(), session.c.id.desc()
)


class SqlSessions:
    """Sessions in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, digests: Sequence[bytes]) -> StoredSession | None:
        row = self._connection.execute(_find(len(digests)), lookup_parameters(digests)).first()
        return None if row is None else _decode(row)

    def find_public(self, public_id: str) -> StoredSession | None:
        row = self._connection.execute(_FIND_PUBLIC, {"wanted": public_id}).first()
        return None if row is None else _decode(row)

    def add(self, new: NewSession, now: int) -> int:
        values = {
            "digest": new.digest,
            "public_id": new.public_id,
            "user_id": new.user_id,
            "created_at": now,
            "last_seen_at": now,
            "ip_address": new.ip_address,
            "user_agent": new.user_agent,
            "second_factor": new.second_factor,
        }
        return add_row(self._connection, session, values, unique="digest", taken="There is such a session already")

    def set_second_factor(self, public_id: str) -> None:
        self._connection.execute(_SECOND_FACTOR, {"wanted": public_id})

    def touch(self, session_id: int, now: int) -> None:
        self._connection.execute(_TOUCH, {"row_id": session_id, "now": now})

    def revoke(self, session_id: int, now: int) -> None:
        self._connection.execute(_REVOKE, {"row_id": session_id, "now": now})

    def list_unrevoked(self, user_id: int) -> list[StoredSession]:
        return [_decode(row) for row in self._connection.execute(_LIST_UNREVOKED, {"owner": user_id})]

    def revoke_all(self, user_id: int, now: int, *, but: str | None = None) -> int:
        # No session is called by the empty text.
        return self._connection.execute(_REVOKE_ALL, {"owner": user_id, "now": now, "kept": but or ""}).rowcount


@cache
def _find(count: int) -> Select[Any]:
    return _ALL.where(any_lookup(session.c.digest, count))


def _decode(row: Sequence[Any]) -> StoredSession:
    (id_, public_id, created_at, last_seen_at, ip_address, user_agent, revoked_at, proved, enrolled, requiring) = row[
        :_WIDTH
    ]
    stored_user = decode_user(row[_WIDTH:])
    return StoredSession(
        id_,
        public_id,
        stored_user,
        created_at,
        last_seen_at,
        ip_address,
        user_agent,
        revoked_at,
        bool(proved),
        needs_second_factor(stored_user, decode_roles(requiring), enrolled=bool(enrolled)),
    )
