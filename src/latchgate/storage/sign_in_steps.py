"""The sign-ins of a transaction that wait for their code."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from latchgate.services.second_factor_ports import NewSignInStep, StoredSignInStep
from latchgate.storage.account_tables import user
from latchgate.storage.rows import any_lookup, delete_some, lookup_parameters
from latchgate.storage.sign_in_tables import sign_in_step
from latchgate.storage.users import USER_COLUMNS, decode_user

__all__ = ["SqlSignInSteps"]

_COLUMNS = (
    sign_in_step.c.id,
    sign_in_step.c.password_mark,
    sign_in_step.c.expires_at,
    sign_in_step.c.attempts,
)
_WIDTH = len(_COLUMNS)
_ALIVE = (
    select(*_COLUMNS, *USER_COLUMNS)
    .join_from(sign_in_step, user, user.c.id == sign_in_step.c.user_id)
    .where(sign_in_step.c.expires_at > bindparam("now"))
)
_FORGET = delete_some(sign_in_step, sign_in_step.c.expires_at <= bindparam("now"))
_COUNT_ATTEMPT = (
    update(sign_in_step)
    .where(sign_in_step.c.id == bindparam("row_id"))
    .values(attempts=sign_in_step.c.attempts + 1)
    .returning(sign_in_step.c.attempts)
)
_END = delete(sign_in_step).where(sign_in_step.c.id == bindparam("row_id"))
_END_ALL = delete(sign_in_step).where(sign_in_step.c.user_id == bindparam("owner")).returning(sign_in_step.c.expires_at)


class SqlSignInSteps:
    """Half-way sign-ins in SQL; one that has ended is gone, or is soon."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: NewSignInStep, now: int) -> None:
        self._connection.execute(_FORGET, {"now": now})
        values = {
            "digest": new.digest,
            "user_id": new.user_id,
            "password_mark": new.password_mark,
            "expires_at": new.expires_at,
            "attempts": 0,
        }
        self._connection.execute(insert(sign_in_step), values)

    def find(self, digests: Sequence[bytes], now: int) -> StoredSignInStep | None:
        row = self._connection.execute(_find(len(digests)), {**lookup_parameters(digests), "now": now}).one_or_none()
        if row is None:
            return None
        id_, mark, expires_at, attempts = row[:_WIDTH]
        return StoredSignInStep(id_, decode_user(row[_WIDTH:]), mark, expires_at, attempts)

    def count_attempt(self, step_id: int) -> int:
        return self._connection.scalar(_COUNT_ATTEMPT, {"row_id": step_id}) or 0

    def end(self, step_id: int) -> None:
        self._connection.execute(_END, {"row_id": step_id})

    def end_all(self, user_id: int, now: int) -> int:
        ends = self._connection.scalars(_END_ALL, {"owner": user_id})
        return sum(expires_at > now for expires_at in ends)


@cache
def _find(count: int) -> Select[Any]:
    return _ALIVE.where(any_lookup(sign_in_step.c.digest, count))
