"""The API keys of a transaction. `find` is asked at every request: one statement, one row, whatever was asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, func, or_, select, update

from latchgate.core.api_keys import KeyOwner, Limits, StoredKey
from latchgate.core.tokens import Digest
from latchgate.core.users import GUEST
from latchgate.services.port_values import KeyFilter, NewKey, Stamp
from latchgate.storage.account_tables import api_key, source_record, user
from latchgate.storage.encodings import (
    decode_digest,
    decode_networks,
    decode_scopes,
    encode_networks,
    encode_scopes,
    is_storable,
)
from latchgate.storage.instance_tables import change_head
from latchgate.storage.rows import POSITION_COLUMNS, add_row, change_row
from latchgate.storage.users import USER_COLUMNS, decode_user

__all__ = ["FIND_KEY", "SqlApiKeys", "decode_key"]

_KEY_COLUMNS = (
    api_key.c.id,
    api_key.c.key_id,
    api_key.c.source,
    api_key.c.label,
    api_key.c.is_primary,
    api_key.c.scopes,
    api_key.c.networks,
    api_key.c.limit_per_minute,
    api_key.c.expires_at,
    api_key.c.pepper,
    api_key.c.hash,
    api_key.c.previous_pepper,
    api_key.c.previous_hash,
    api_key.c.previous_until,
    api_key.c.creation,
    api_key.c.created_by,
    api_key.c.revoked_at,
    api_key.c.modified,
    api_key.c.record_id,
    source_record.c.name,
    source_record.c.enabled,
)
_WIDTH = len(_KEY_COLUMNS)
_USER_ID = func.coalesce(api_key.c.user_id, source_record.c.user_id)

# An unknown key must not be told from a wrong secret by the time it takes: from one row that is always there, joined
# outward, a row always comes back, and where there is no key the user Guest stands in it, read and decoded like any.
# That row tells as of which change all this is so.
_STAND_IN = select(user.c.id).where(user.c.name == GUEST).scalar_subquery()
FIND_KEY = select(*POSITION_COLUMNS, *_KEY_COLUMNS, *USER_COLUMNS).select_from(
    change_head.outerjoin(
        api_key, and_(api_key.c.key_id == bindparam("key_id_text"), api_key.c.source == bindparam("source_name"))
    )
    .outerjoin(source_record, source_record.c.id == api_key.c.record_id)
    .outerjoin(user, user.c.id == case((api_key.c.id.is_(None), _STAND_IN), else_=_USER_ID))
)

_EVERY = select(*_KEY_COLUMNS, *USER_COLUMNS).select_from(
    api_key.outerjoin(source_record, source_record.c.id == api_key.c.record_id).outerjoin(user, user.c.id == _USER_ID)
)
_FIND_ANY = _EVERY.where(api_key.c.key_id == bindparam("key_id_text")).order_by(api_key.c.source)
_OF_OWNER = or_(
    api_key.c.user_id == select(user.c.id).where(user.c.name == bindparam("owner")).scalar_subquery(),
    source_record.c.name == bindparam("owner"),
)
_FIND_PRIMARY = _EVERY.where(
    api_key.c.source == bindparam("source_name"),
    _OF_OWNER,
    api_key.c.is_primary.is_(True),
    api_key.c.revoked_at.is_(None),
)
_NOT_ENDED = and_(
    api_key.c.revoked_at.is_(None), or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > bindparam("now"))
)
_IN_ORDER = (api_key.c.source, func.coalesce(source_record.c.name, user.c.name), api_key.c.creation, api_key.c.id)

# The right side of an assignment is the row as it was.
_REPLACE = (
    update(api_key)
    .where(api_key.c.id == bindparam("row_id"))
    .values(pepper=bindparam("new_pepper"), hash=bindparam("new_hash"), previous_until=bindparam("until"))
)
_REPLACE_NOW = _REPLACE.values(previous_pepper=None, previous_hash=None)
_REPLACE_LATER = _REPLACE.values(previous_pepper=api_key.c.pepper, previous_hash=api_key.c.hash)
_RELABEL = update(api_key).where(api_key.c.id == bindparam("row_id")).values(label=bindparam("new_label"))
_END_AT = update(api_key).where(api_key.c.id == bindparam("row_id")).values(expires_at=bindparam("end"))
_STAMP = (
    update(api_key)
    .where(api_key.c.id == bindparam("row_id"))
    .values(modified=bindparam("at"), modified_by=bindparam("by"))
)
_REVOKE = (
    update(api_key)
    .where(api_key.c.id == bindparam("row_id"), api_key.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


class SqlApiKeys:
    """API keys in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, source: str, key_id: str) -> StoredKey | None:
        if not (is_storable(source) and is_storable(key_id)):
            return None
        row = self._connection.execute(FIND_KEY, {"source_name": source, "key_id_text": key_id}).one()
        return decode_key(row[len(POSITION_COLUMNS) :])

    def find_any(self, key_id: str) -> list[StoredKey]:
        return self._list(_FIND_ANY, {"key_id_text": key_id}) if is_storable(key_id) else []

    def find_primary(self, source: str, record: str) -> StoredKey | None:
        if not (is_storable(source) and is_storable(record)):
            return None
        keys = self._list(_FIND_PRIMARY, {"source_name": source, "owner": record})
        return keys[0] if keys else None

    def list_some(self, wanted: KeyFilter, now: int) -> list[StoredKey]:
        statement = _EVERY.order_by(*_IN_ORDER)
        if wanted.source is not None:
            statement = statement.where(api_key.c.source == bindparam("source_name"))
        if wanted.record is not None:
            statement = statement.where(_OF_OWNER)
        if not wanted.include_ended:
            statement = statement.where(_NOT_ENDED)
        if not (is_storable(wanted.source or "") and is_storable(wanted.record or "")):
            return []
        return self._list(statement, {"source_name": wanted.source, "owner": wanted.record, "now": now})

    def add(self, key: NewKey, now_us: int) -> int:
        values = {
            "source": key.source,
            "key_id": key.key_id,
            "user_id": key.user_id,
            "record_id": key.record_id,
            "label": key.label,
            "is_primary": key.primary,
            "scopes": encode_scopes(key.limits.scopes),
            "networks": encode_networks(key.limits.networks),
            "limit_per_minute": key.limits.per_minute,
            "expires_at": key.limits.expires_at,
            "creation": now_us,
            "created_by": key.created_by,
            "modified": now_us,
            "modified_by": key.created_by,
        }
        taken = f"There is a key {key.key_id} of {key.source} already"
        return add_row(self._connection, api_key, values, unique="key_id source", taken=taken)

    def replace_secret(
        self, key_row_id: int, digest: Digest, previous_until: int | None, stamp: Stamp | None = None
    ) -> None:
        statement = _REPLACE_NOW if previous_until is None else _REPLACE_LATER
        values = {"new_pepper": digest.pepper, "new_hash": digest.value, "until": previous_until}
        change_row(self._connection, statement, {"row_id": key_row_id, **values})
        self._stamp(key_row_id, stamp)

    def end_at(self, key_row_id: int, expires_at: int) -> None:
        change_row(self._connection, _END_AT, {"row_id": key_row_id, "end": expires_at})

    def relabel(self, key_row_id: int, label: str, stamp: Stamp) -> None:
        change_row(self._connection, _RELABEL, {"row_id": key_row_id, "new_label": label})
        self._stamp(key_row_id, stamp)

    def revoke(self, key_row_id: int, now: int, stamp: Stamp | None = None) -> None:
        if self._connection.execute(_REVOKE, {"row_id": key_row_id, "now": now}).rowcount:
            self._stamp(key_row_id, stamp)

    def _stamp(self, key_row_id: int, stamp: Stamp | None) -> None:
        if stamp is not None:
            self._connection.execute(_STAMP, {"row_id": key_row_id, "by": stamp.by, "at": stamp.time})

    def _list(self, statement: Select[Any], parameters: Mapping[str, Any]) -> list[StoredKey]:
        keys = [decode_key(row) for row in self._connection.execute(statement, parameters)]
        return [key for key in keys if key is not None]


def decode_key(row: Sequence[Any]) -> StoredKey | None:
    """Read a key; None for the stand-in, and for a key whose owner's row is gone, which opens nothing.

    The stand-in is made into a key like any other, and only then dropped: see `FIND_KEY`.
    """
    owner = None if row[_WIDTH] is None else decode_user(row[_WIDTH:])
    (id_, key_id, source, label, primary, scopes, networks, per_minute, expires_at, pepper, value) = row[:11]
    (old_pepper, old_value, old_until, creation, created_by, revoked_at, modified) = row[11 : _WIDTH - 3]
    record_id, record, record_enabled = row[_WIDTH - 3 : _WIDTH]
    if record is None and owner is not None:
        record, record_enabled = owner.name, True
    key = StoredKey(
        id_,
        key_id,
        source,
        KeyOwner(record, bool(record_enabled), owner, record_id),
        label,
        bool(primary),
        Limits(decode_scopes(scopes or "[]"), decode_networks(networks or "[]"), per_minute, expires_at),
        decode_digest(pepper, value),
        None if old_value is None else decode_digest(old_pepper, old_value),
        old_until,
        creation,
        created_by,
        revoked_at,
        modified or 0,
    )
    return None if id_ is None or record is None else key
