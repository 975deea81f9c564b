"""The permissions of a transaction: a few rows, read whole at every request for records."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from latchgate.core.permissions import Action, Grant
from latchgate.errors import NotFound
from latchgate.storage.account_tables import permission, role
from latchgate.storage.encodings import is_storable
from latchgate.storage.rows import add_row, change_row

__all__ = ["SqlPermissions"]

_ACTIONS = {
    Action.READ: permission.c.can_read,
    Action.WRITE: permission.c.can_write,
    Action.CREATE: permission.c.can_create,
    Action.DELETE: permission.c.can_delete,
}
_LIST = (
    select(role.c.name, permission.c.doctype, permission.c.if_owner, *_ACTIONS.values())
    .join(role, role.c.id == permission.c.role_id)
    .order_by(permission.c.doctype, role.c.name, permission.c.if_owner)
)
_ROLE = select(role.c.id).where(role.c.name == bindparam("wanted"))
_ONE = (
    permission.c.role_id == select(role.c.id).where(role.c.name == bindparam("wanted_role")).scalar_subquery(),
    permission.c.doctype == bindparam("wanted_type"),
    permission.c.if_owner == bindparam("wanted_owner"),
)
_FIND = _LIST.where(*_ONE)
_CHANGE = update(permission).where(*_ONE)
_DELETE = delete(permission).where(*_ONE)


class SqlPermissions:
    """Permissions in SQL; a role's go with the role. One transaction reads the list once, until it changes it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._listed: list[Grant] | None = None

    def list_all(self) -> list[Grant]:
        if self._listed is None:
            self._listed = [_decode(*row) for row in self._connection.execute(_LIST)]
        return self._listed

    def forget(self) -> None:
        """Read the list anew when it is wanted next: something else of the transaction has changed it."""
        self._listed = None

    def find(self, role: str, doctype: str, *, if_owner: bool) -> Grant | None:
        if not (is_storable(role) and is_storable(doctype)):
            return None
        row = self._connection.execute(_FIND, _which(role, doctype, if_owner=if_owner)).one_or_none()
        return None if row is None else _decode(*row)

    def add(self, grant: Grant, by: str, now_us: int) -> None:
        role_id = self._connection.scalar(_ROLE, {"wanted": grant.role}) if is_storable(grant.role) else None
        if role_id is None:
            raise NotFound(f"There is no role {grant.role}")
        values = {
            "role_id": role_id,
            "doctype": grant.doctype,
            "if_owner": grant.if_owner,
            **_allowed(grant),
            "owner": by,
            "creation": now_us,
            "modified": now_us,
            "modified_by": by,
        }
        self.forget()
        taken = f"There is a permission of {grant.role} on {grant.doctype} already"
        add_row(self._connection, permission, values, unique="role_id doctype if_owner", taken=taken)

    def change(self, grant: Grant, by: str, now_us: int) -> None:
        which = _which(grant.role, grant.doctype, if_owner=grant.if_owner)
        self.forget()
        statement = _CHANGE.values(**_allowed(grant), modified=now_us, modified_by=by)
        change_row(self._connection, statement, which)

    def delete(self, role: str, doctype: str, *, if_owner: bool) -> bool:
        if not (is_storable(role) and is_storable(doctype)):
            return False
        self.forget()
        return self._connection.execute(_DELETE, _which(role, doctype, if_owner=if_owner)).rowcount == 1


def _which(role: str, doctype: str, *, if_owner: bool) -> dict[str, Any]:
    return {"wanted_role": role, "wanted_type": doctype, "wanted_owner": if_owner}


def _allowed(grant: Grant) -> dict[str, bool]:
    return {column.name: action in grant.actions for action, column in _ACTIONS.items()}


@lru_cache(maxsize=1024)
def _decode(role_name: str, doctype: str, if_owner: bool, *allowed: bool) -> Grant:  # noqa: FBT001  # a row
    actions = frozenset(action for action, may in zip(_ACTIONS, allowed, strict=True) if may)
    return Grant(role_name, doctype, bool(if_owner), actions)
