"""The roles of a transaction, and whom they were granted to."""

from sqlalchemy import Connection, bindparam, delete, func, select

from latchgate.errors import NotFound
from latchgate.storage.account_tables import role, user, user_role
from latchgate.storage.encodings import is_storable
from latchgate.storage.permissions import SqlPermissions
from latchgate.storage.rows import add_row, change_row, insert_unless_there

__all__ = ["SqlRoles"]

_LIST = (
    select(role.c.name, func.count(user_role.c.user_id))
    .select_from(role.outerjoin(user_role, user_role.c.role_id == role.c.id))
    .group_by(role.c.name)
    .order_by(role.c.name)
)
_LIST_NAMES = select(role.c.name).order_by(role.c.name)
_FIND = select(role.c.id).where(role.c.name == bindparam("wanted"))
_LIST_USERS = (
    select(user.c.name)
    .join(user_role, user_role.c.user_id == user.c.id)
    .join(role, role.c.id == user_role.c.role_id)
    .where(role.c.name == bindparam("wanted"))
    .order_by(user.c.name)
)
_DELETE = delete(role).where(role.c.name == bindparam("wanted"))
_REVOKE = delete(user_role).where(user_role.c.user_id == bindparam("holder"), user_role.c.role_id == bindparam("taken"))


class SqlRoles:
    """Roles in SQL; the automatic ones of a user (All, Guest, Desk User) have no grants."""

    def __init__(self, connection: Connection, permissions: SqlPermissions) -> None:
        self._connection = connection
        self._permissions = permissions

    def list_names(self) -> list[str]:
        return list(self._connection.scalars(_LIST_NAMES))

    def list_all(self) -> list[tuple[str, int]]:
        return [(name, count) for name, count in self._connection.execute(_LIST)]

    def exists(self, name: str) -> bool:
        return self._find(name) is not None

    def list_users(self, name: str) -> list[str]:
        return list(self._connection.scalars(_LIST_USERS, {"wanted": name})) if is_storable(name) else []

    def add(self, name: str, by: str, now_us: int) -> int:
        values = {"name": name, "creation": now_us, "owner": by, "modified": now_us, "modified_by": by}
        return add_row(self._connection, role, values, unique="name", taken=f"There is a role {name} already")

    def delete(self, name: str) -> None:
        self._permissions.forget()
        change_row(self._connection, _DELETE, {"wanted": name})

    def grant(self, user_id: int, name: str) -> bool:
        role_id = self._find(name)
        if role_id is None:
            raise NotFound(f"There is no role {name}")
        grant = insert_unless_there(self._connection, user_role, "user_id role_id").returning(user_role.c.role_id)
        # What comes back tells whether a row was added: not every driver counts the rows of such an insert.
        return self._connection.scalar(grant, {"user_id": user_id, "role_id": role_id}) is not None

    def revoke(self, user_id: int, name: str) -> bool:
        result = self._connection.execute(_REVOKE, {"holder": user_id, "taken": self._find(name)})
        return result.rowcount == 1

    def _find(self, name: str) -> int | None:
        return self._connection.scalar(_FIND, {"wanted": name}) if is_storable(name) else None
