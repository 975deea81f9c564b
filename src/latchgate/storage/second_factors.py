"""The second factors of a transaction, their recovery codes, and the roles that require one."""

from collections.abc import Sequence

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from latchgate.core.second_factors import StoredSecondFactor
from latchgate.core.tokens import Sealed
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import NotFound
from latchgate.storage.account_tables import role, user, user_role
from latchgate.storage.encodings import decode_roles, is_storable
from latchgate.storage.sign_in_tables import recovery_code, second_factor

__all__ = ["REQUIRING", "SqlSecondFactors"]

REQUIRING = (
    select(func.aggregate_strings(role.c.name, literal_column("'\n'")))  # type: ignore[arg-type]
    .where(role.c.second_factor_required.is_(True))
    .scalar_subquery()
)
"""The roles that require a second factor, a role a line; few, and read with each session."""

_FIND = select(
    second_factor.c.user_id,
    second_factor.c.pepper,
    second_factor.c.sealed,
    second_factor.c.last_step,
    second_factor.c.wrong_codes,
    second_factor.c.wrong_since,
    second_factor.c.created_at,
).where(second_factor.c.user_id == bindparam("owner"))
_DELETE = delete(second_factor).where(second_factor.c.user_id == bindparam("owner"))
_CHANGE = update(second_factor).where(second_factor.c.user_id == bindparam("owner"))
_TAKE_STEP = _CHANGE.where(second_factor.c.last_step < bindparam("step")).values(last_step=bindparam("step"))
_SET_WRONG = _CHANGE.values(wrong_codes=bindparam("count"), wrong_since=bindparam("since"))
_FORGET_CODES = delete(recovery_code).where(recovery_code.c.user_id == bindparam("owner"))
_COUNT_CODES = select(func.count()).select_from(recovery_code).where(recovery_code.c.user_id == bindparam("owner"))
_LIST_REQUIRING = select(REQUIRING)
_GRANTED = (
    exists()
    .select_from(user_role.join(role, role.c.id == user_role.c.role_id))
    .where(user_role.c.user_id == user.c.id, role.c.name == bindparam("role"))
    .correlate(user)
)
_ENROLLED = exists().select_from(second_factor).where(second_factor.c.user_id == user.c.id).correlate(user)
_HAVING = select(user.c.name).where(user.c.enabled.is_(True), user.c.password_hash.is_not(None), ~_ENROLLED)


class SqlSecondFactors:
    """Second factors in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, user_id: int) -> StoredSecondFactor | None:
        row = self._connection.execute(_FIND, {"owner": user_id}).one_or_none()
        if row is None:
            return None
        owner, pepper, sealed, last_step, wrong_codes, wrong_since, created_at = row
        return StoredSecondFactor(owner, Sealed(pepper, sealed), last_step, wrong_codes, wrong_since, created_at)

    def put(self, user_id: int, sealed: Sealed, last_step: int, now: int) -> None:
        self.delete(user_id)
        values = {
            "user_id": user_id,
            "pepper": sealed.pepper,
            "sealed": sealed.value,
            "last_step": last_step,
            "wrong_codes": 0,
            "wrong_since": 0,
            "created_at": now,
        }
        self._connection.execute(insert(second_factor), values)

    def delete(self, user_id: int) -> bool:
        return self._connection.execute(_DELETE, {"owner": user_id}).rowcount == 1

    def take_step(self, user_id: int, step: int) -> bool:
        return self._connection.execute(_TAKE_STEP, {"owner": user_id, "step": step}).rowcount == 1

    def set_wrong(self, user_id: int, count: int, since: int) -> None:
        self._connection.execute(_SET_WRONG, {"owner": user_id, "count": count, "since": since})

    def set_recovery_codes(self, user_id: int, digests: Sequence[bytes]) -> None:
        self._connection.execute(_FORGET_CODES, {"owner": user_id})
        rows = [{"user_id": user_id, "digest": digest} for digest in digests]
        self._connection.execute(insert(recovery_code), rows)

    def use_recovery_code(self, user_id: int, digests: Sequence[bytes]) -> bool:
        used = delete(recovery_code).where(recovery_code.c.user_id == user_id, recovery_code.c.digest.in_(digests))
        return self._connection.execute(used).rowcount == 1

    def count_recovery_codes(self, user_id: int) -> int:
        return self._connection.scalar(_COUNT_CODES, {"owner": user_id}) or 0

    def list_requiring(self) -> frozenset[str]:
        return decode_roles(self._connection.scalar(_LIST_REQUIRING))

    def require(self, role_name: str, by: str, now_us: int, *, required: bool) -> bool:
        found = is_storable(role_name) and self._connection.scalar(select(role.c.id).where(role.c.name == role_name))
        if not found:
            raise NotFound(f"There is no role {role_name}")
        changed = (
            update(role)
            .where(role.c.id == found, role.c.second_factor_required.is_not(required))
            .values(second_factor_required=required, modified=now_us, modified_by=by)
        )
        return self._connection.execute(changed).rowcount == 1

    def list_without(self, role_name: str) -> list[str]:
        has_role = or_(_GRANTED, user.c.name == ADMINISTRATOR) if role_name == SYSTEM_MANAGER else _GRANTED
        listed = _HAVING.where(has_role).order_by(user.c.name)
        return list(self._connection.scalars(listed, {"role": role_name}))
