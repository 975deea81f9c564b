"""The users of a transaction, and how a user is read wherever one stands beside a credential."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, literal_column, or_, select, update

from latchgate.core.users import ADMINISTRATOR, StoredUser, UserType
from latchgate.services.port_values import LiveCredentials, NewUser, UserChanges
from latchgate.storage.account_tables import (
    access_rule,
    api_key,
    authorization_source,
    permission,
    role,
    source_record,
    user,
    user_role,
)
from latchgate.storage.encodings import decode_networks, decode_roles, encode_networks, is_storable
from latchgate.storage.oauth_tables import oauth_client, oauth_family, oauth_token
from latchgate.storage.rows import add_row, change_row
from latchgate.storage.sign_in_tables import session

__all__ = ["GRANTED", "USER_COLUMNS", "SqlUsers", "decode_user"]

GRANTED = (
    # The separator as SQL text: as a value it would be written anew into the statement at every execution.
    select(func.aggregate_strings(role.c.name, literal_column("'\n'")))  # type: ignore[arg-type]
    .select_from(user_role.join(role, role.c.id == user_role.c.role_id))
    .where(user_role.c.user_id == user.c.id)
    .correlate(user)
    .scalar_subquery()
)
USER_COLUMNS = (
    user.c.id,
    user.c.name,
    user.c.first_name,
    user.c.last_name,
    user.c.user_type,
    user.c.enabled,
    GRANTED.label("granted"),
    user.c.password_hash,
    user.c.restrict_ip,
    user.c.login_after,
    user.c.login_before,
    user.c.creation,
    user.c.modified,
)
"""What `decode_user` reads, in its order."""

_FIND = select(*USER_COLUMNS).where(user.c.name == bindparam("wanted"))
_FIND_ID = select(*USER_COLUMNS).where(user.c.id == bindparam("wanted"))
_LIST = select(*USER_COLUMNS).order_by(user.c.name)
_LIVE_KEYS = (
    select(func.count())
    .select_from(api_key)
    .where(
        api_key.c.user_id == bindparam("owner"),
        api_key.c.revoked_at.is_(None),
        or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > bindparam("now")),
    )
)
_LIVE_TOKENS = (
    select(func.count())
    .select_from(
        oauth_token.outerjoin(oauth_family, oauth_family.c.id == oauth_token.c.family_id).outerjoin(
            oauth_client, oauth_client.c.id == oauth_token.c.client_row_id
        )
    )
    .where(
        oauth_token.c.user_id == bindparam("owner"),
        oauth_token.c.revoked_at.is_(None),
        oauth_family.c.revoked_at.is_(None),
        oauth_client.c.revoked_at.is_(None),
        oauth_token.c.expires_at > bindparam("now"),
    )
)
_LIVE_SESSIONS = (
    select(func.count())
    .select_from(session)
    .where(session.c.user_id == bindparam("owner"), session.c.revoked_at.is_(None))
)
_LIVE = select(_LIVE_KEYS.scalar_subquery(), _LIVE_TOKENS.scalar_subquery(), _LIVE_SESSIONS.scalar_subquery())
_DELETE = delete(user).where(user.c.id == bindparam("user_id"))
_NAME = select(user.c.name).where(user.c.id == bindparam("user_id"))
# What a user made passes to Administrator: a later user of the name must not own it.
_PASS_ON = tuple(
    update(owner.table).where(owner == bindparam("gone")).values({owner.name: ADMINISTRATOR})
    for owner in (
        user.c.owner,
        role.c.owner,
        permission.c.owner,
        authorization_source.c.owner,
        source_record.c.owner,
        api_key.c.created_by,
        oauth_client.c.owner,
        access_rule.c.owner,
    )
)
_USER_TYPES = {str(user_type): user_type for user_type in UserType}


class SqlUsers:
    """Users in SQL; deleting one takes its keys, tokens, sessions and links with it, by the tables' references."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> StoredUser | None:
        row = self._connection.execute(_FIND, {"wanted": name}).one_or_none() if is_storable(name) else None
        return None if row is None else decode_user(row)

    def find_id(self, user_id: int) -> StoredUser | None:
        row = self._connection.execute(_FIND_ID, {"wanted": user_id}).one_or_none()
        return None if row is None else decode_user(row)

    def list_all(self) -> list[StoredUser]:
        return [decode_user(row) for row in self._connection.execute(_LIST)]

    def add(self, new: NewUser, now_us: int) -> int:
        values = {**_values(new), "creation": now_us, "modified": now_us, "modified_by": new.owner}
        return add_row(self._connection, user, values, unique="name", taken=f"There is a user {new.name} already")

    def change(self, user_id: int, changes: UserChanges, now_us: int) -> None:
        values = {name: value for name, value in _values(changes).items() if value is not None}
        statement = update(user).where(user.c.id == user_id)
        change_row(self._connection, statement, {**values, "modified": now_us})

    def count_credentials(self, user_id: int, now: int) -> LiveCredentials:
        return LiveCredentials(*self._connection.execute(_LIVE, {"owner": user_id, "now": now}).one())

    def delete(self, user_id: int) -> None:
        name = self._connection.scalar(_NAME, {"user_id": user_id})
        for statement in _PASS_ON:
            self._connection.execute(statement, {"gone": name})
        self._connection.execute(_DELETE, {"user_id": user_id})


def decode_user(row: Sequence[Any]) -> StoredUser:
    """Read a user from the values of USER_COLUMNS."""
    (id_, name, first, last, user_type, enabled, granted, password, networks, after, before, creation, modified) = row
    return StoredUser(
        id_,
        name,
        first,
        last,
        _USER_TYPES[user_type],
        bool(enabled),
        decode_roles(granted),
        password,
        decode_networks(networks),
        after,
        before,
        creation,
        modified,
    )


def _values(source: NewUser | UserChanges) -> dict[str, Any]:
    # Its fields are called as the columns are.
    networks = source.restrict_ip
    return {**asdict(source), "restrict_ip": None if networks is None else encode_networks(networks)}
