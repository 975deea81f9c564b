"""The devices that wait for their user, of a transaction."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from latchgate.core.token_families import Approval, DeviceState, StoredDeviceCode
from latchgate.services.oauth_ports import NewDeviceCode
from latchgate.storage.account_tables import user
from latchgate.storage.encodings import decode_scopes, encode_scopes
from latchgate.storage.oauth_tables import oauth_client, oauth_device_code
from latchgate.storage.rows import add_row, any_lookup, change_row, delete_some, lookup_parameters
from latchgate.storage.token_families import CODES_KEPT_SECONDS
from latchgate.storage.users import USER_COLUMNS, decode_user

__all__ = ["SqlDeviceCodes"]

_COLUMNS = (
    oauth_device_code.c.id,
    oauth_device_code.c.client_row_id,
    oauth_client.c.client_id,
    oauth_device_code.c.state,
    oauth_device_code.c.scopes,
    oauth_device_code.c.audience,
    oauth_device_code.c.auth_time,
    oauth_device_code.c.issued_at,
    oauth_device_code.c.expires_at,
    oauth_device_code.c.interval_seconds,
    oauth_device_code.c.polled_at,
    oauth_device_code.c.used_at,
)
_WIDTH = len(_COLUMNS)
_ALL = select(*_COLUMNS, *USER_COLUMNS).select_from(
    oauth_device_code.join(oauth_client, oauth_client.c.id == oauth_device_code.c.client_row_id).outerjoin(
        user, user.c.id == oauth_device_code.c.user_id
    )
)
_CHANGE = update(oauth_device_code).where(oauth_device_code.c.id == bindparam("row_id"))
_ANSWER = _CHANGE.values(state=bindparam("answer"), user_id=bindparam("answerer"), auth_time=bindparam("since"))
_POLL = _CHANGE.values(polled_at=bindparam("now"), interval_seconds=bindparam("wait"))
_USE = _CHANGE.where(oauth_device_code.c.used_at.is_(None)).values(used_at=bindparam("now"))
_FORGET = delete_some(oauth_device_code, oauth_device_code.c.expires_at <= bindparam("horizon"))


class SqlDeviceCodes:
    """Device codes in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: NewDeviceCode) -> int:
        self._connection.execute(_FORGET, {"horizon": new.issued_at - CODES_KEPT_SECONDS})
        values = {
            "lookup": new.lookup,
            "user_code_lookup": new.user_code_lookup,
            "client_row_id": new.client_row_id,
            "state": DeviceState.PENDING.value,
            "scopes": encode_scopes(new.scopes),
            "audience": encode_scopes(new.audience),
            "auth_time": 0,
            "issued_at": new.issued_at,
            "expires_at": new.expires_at,
            "interval_seconds": new.interval_seconds,
        }
        taken = "There is such a user code already"
        return add_row(self._connection, oauth_device_code, values, unique="user_code_lookup", taken=taken)

    def find(self, lookups: Sequence[bytes]) -> StoredDeviceCode | None:
        row = self._connection.execute(_find(len(lookups)), lookup_parameters(lookups)).first()
        return None if row is None else _decode(row)

    def find_user_code(self, lookups: Sequence[bytes]) -> StoredDeviceCode | None:
        row = self._connection.execute(_find_user_code(len(lookups)), lookup_parameters(lookups)).first()
        return None if row is None else _decode(row)

    def answer(self, row_id: int, state: DeviceState, user_id: int, auth_time: int) -> None:
        values = {"row_id": row_id, "answer": state.value, "answerer": user_id, "since": auth_time}
        change_row(self._connection, _ANSWER, values)

    def poll(self, row_id: int, now: int, interval_seconds: int) -> None:
        change_row(self._connection, _POLL, {"row_id": row_id, "now": now, "wait": interval_seconds})

    def use(self, row_id: int, now: int) -> None:
        self._connection.execute(_USE, {"row_id": row_id, "now": now})


@cache
def _find(count: int) -> Select[Any]:
    return _ALL.where(any_lookup(oauth_device_code.c.lookup, count))


@cache
def _find_user_code(count: int) -> Select[Any]:
    return _ALL.where(any_lookup(oauth_device_code.c.user_code_lookup, count))


def _decode(row: Sequence[Any]) -> StoredDeviceCode:
    id_, client_row_id, client_id, state, scopes, audience, auth_time = row[:7]
    return StoredDeviceCode(
        id_,
        client_row_id,
        client_id,
        DeviceState(state),
        None if row[_WIDTH] is None else decode_user(row[_WIDTH:]),
        Approval(decode_scopes(scopes), decode_scopes(audience), auth_time),
        *row[7:_WIDTH],
    )
