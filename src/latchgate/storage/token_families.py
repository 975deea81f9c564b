"""The families of tokens of a transaction: the approvals they began with, their codes and their refresh tokens."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    distinct,
    exists,
    func,
    or_,
    select,
    update,
)

from latchgate.core.token_families import Approval, StoredCode, StoredFamily, StoredRefreshToken
from latchgate.core.tokens import Digest
from latchgate.services.oauth_ports import NewCode
from latchgate.storage.account_tables import user
from latchgate.storage.encodings import decode_digest, decode_scopes, encode_scopes
from latchgate.storage.oauth_tables import (
    oauth_client,
    oauth_code,
    oauth_device_code,
    oauth_family,
    oauth_refresh_token,
    oauth_token,
)
from latchgate.storage.rows import add_row, any_lookup, change_row, delete_some, lookup_parameters
from latchgate.storage.users import USER_COLUMNS, decode_user

__all__ = ["CODES_KEPT_SECONDS", "SqlTokenFamilies"]

CODES_KEPT_SECONDS = 24 * 3600
"""How long a code stays after its end, so that a second use is recognised."""
_TOKENS_KEPT_SECONDS = 7 * 24 * 3600
_LISTED_MAX = 1_000

_FAMILY_COLUMNS = (
    oauth_family.c.id,
    oauth_family.c.public_id,
    oauth_family.c.client_row_id,
    oauth_client.c.client_id,
    oauth_family.c.scopes,
    oauth_family.c.audience,
    oauth_family.c.auth_time,
    oauth_family.c.created_at,
    oauth_family.c.revoked_at,
)
_FAMILY_WIDTH = len(_FAMILY_COLUMNS)
_FAMILIES = oauth_family.join(oauth_client, oauth_client.c.id == oauth_family.c.client_row_id).join(
    user, user.c.id == oauth_family.c.user_id
)
_FIND_FAMILY = (
    select(*_FAMILY_COLUMNS, *USER_COLUMNS).select_from(_FAMILIES).where(oauth_family.c.id == bindparam("row_id"))
)
_LIVE = update(oauth_family).where(oauth_family.c.revoked_at.is_(None)).values(revoked_at=bindparam("now"))
_REVOKE = _LIVE.where(oauth_family.c.id == bindparam("row_id"))

_CODE_COLUMNS = (
    oauth_code.c.id,
    oauth_code.c.client_row_id,
    oauth_code.c.redirect_uri,
    oauth_code.c.redirect_uri_given,
    oauth_code.c.code_challenge,
    oauth_code.c.scopes,
    oauth_code.c.audience,
    oauth_code.c.auth_time,
    oauth_code.c.nonce,
    oauth_code.c.issued_at,
    oauth_code.c.expires_at,
    oauth_code.c.used_at,
    oauth_code.c.family_id,
)
_CODE_WIDTH = len(_CODE_COLUMNS)
_CODES = select(*_CODE_COLUMNS, *USER_COLUMNS).join_from(oauth_code, user, user.c.id == oauth_code.c.user_id)
_USE_CODE = (
    update(oauth_code)
    .where(oauth_code.c.id == bindparam("row_id"), oauth_code.c.used_at.is_(None))
    .values(used_at=bindparam("now"), family_id=bindparam("family"))
)
_FORGET_CODES = delete_some(oauth_code, oauth_code.c.expires_at <= bindparam("horizon"))

_REFRESH_COLUMNS = (
    oauth_refresh_token.c.id,
    oauth_refresh_token.c.pepper,
    oauth_refresh_token.c.hash,
    oauth_refresh_token.c.issued_at,
    oauth_refresh_token.c.expires_at,
    oauth_refresh_token.c.used_at,
)
_REFRESH_WIDTH = len(_REFRESH_COLUMNS)
_REFRESH_TOKENS = select(*_REFRESH_COLUMNS, *_FAMILY_COLUMNS, *USER_COLUMNS).select_from(
    _FAMILIES.join(oauth_refresh_token, oauth_refresh_token.c.family_id == oauth_family.c.id)
)
_SET_DIGEST = (
    update(oauth_refresh_token)
    .where(oauth_refresh_token.c.id == bindparam("row_id"))
    .values(pepper=bindparam("new_pepper"), hash=bindparam("new_hash"))
)
_USE_REFRESH_TOKEN = (
    update(oauth_refresh_token)
    .where(oauth_refresh_token.c.id == bindparam("row_id"), oauth_refresh_token.c.used_at.is_(None))
    .values(used_at=bindparam("now"))
)

_ENDED_FAMILIES = select(oauth_family.c.id).where(oauth_family.c.revoked_at <= bindparam("horizon"))
_FORGET_REFRESH_TOKENS = delete_some(
    oauth_refresh_token,
    or_(
        oauth_refresh_token.c.expires_at <= bindparam("horizon"),
        oauth_refresh_token.c.used_at <= bindparam("horizon"),
        oauth_refresh_token.c.family_id.in_(_ENDED_FAMILIES),
    ),
)
_FORGET_ACCESS_TOKENS = delete_some(
    oauth_token,
    and_(
        # What was imported is not ours to forget.
        oauth_token.c.client_row_id.is_not(None),
        or_(
            oauth_token.c.expires_at <= bindparam("horizon"),
            oauth_token.c.revoked_at <= bindparam("horizon"),
            oauth_token.c.family_id.in_(_ENDED_FAMILIES),
        ),
    ),
)
_FORGET_TOKENS = (
    _FORGET_REFRESH_TOKENS.returning(oauth_refresh_token.c.family_id),
    _FORGET_ACCESS_TOKENS.returning(oauth_token.c.family_id),
)
_NOT_ENDED = and_(
    oauth_family.c.revoked_at.is_(None),
    oauth_client.c.revoked_at.is_(None),
    or_(
        exists().where(
            oauth_refresh_token.c.family_id == oauth_family.c.id,
            oauth_refresh_token.c.used_at.is_(None),
            oauth_refresh_token.c.expires_at > bindparam("now"),
        ),
        exists().where(
            oauth_token.c.family_id == oauth_family.c.id,
            oauth_token.c.revoked_at.is_(None),
            oauth_token.c.expires_at > bindparam("now"),
        ),
    ),
)
_LIST_LIVE = (
    select(*_FAMILY_COLUMNS, *USER_COLUMNS)
    .select_from(_FAMILIES)
    .where(oauth_family.c.user_id == bindparam("owner"), _NOT_ENDED)
    .order_by(oauth_family.c.created_at.desc(), oauth_family.c.id.desc())
    .limit(_LISTED_MAX)
)
_COUNT_USERS = (
    select(func.count(distinct(oauth_family.c.user_id)))
    .select_from(_FAMILIES)
    .where(oauth_family.c.client_row_id == bindparam("client"), _NOT_ENDED)
)
_WITHOUT_TOKENS = and_(
    ~exists().where(oauth_refresh_token.c.family_id == oauth_family.c.id),
    ~exists().where(oauth_token.c.family_id == oauth_family.c.id),
)


class SqlTokenFamilies:
    """Families of tokens in SQL; with a user or a client theirs are gone, by the tables' references."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_family(self, public_id: str, client_row_id: int, user_id: int, approval: Approval, now: int) -> int:
        values = {
            "public_id": public_id,
            "client_row_id": client_row_id,
            "user_id": user_id,
            "created_at": now,
            **_approval_values(approval),
        }
        taken = "There is such a family of tokens already"
        return add_row(self._connection, oauth_family, values, unique="public_id", taken=taken)

    def find_family(self, family_id: int) -> StoredFamily | None:
        row = self._connection.execute(_FIND_FAMILY, {"row_id": family_id}).one_or_none()
        return None if row is None else _decode_family(row)

    def revoke_family(self, family_id: int, now: int) -> None:
        self._connection.execute(_REVOKE, {"row_id": family_id, "now": now})

    def revoke_families(self, now: int, *, user_id: int, client_row_id: int | None = None) -> int:
        values = {"now": now, "owner": user_id} | ({} if client_row_id is None else {"client": client_row_id})
        for table in (oauth_code, oauth_device_code):
            self._connection.execute(_void(table, with_client=client_row_id is not None), values)
        return self._connection.execute(_revoke(with_client=client_row_id is not None), values).rowcount

    def list_live(self, user_id: int, now: int) -> list[StoredFamily]:
        rows = self._connection.execute(_LIST_LIVE, {"owner": user_id, "now": now})
        return [_decode_family(row) for row in rows]

    def count_users(self, client_row_id: int, now: int) -> int:
        values = {"client": client_row_id, "now": now}
        return self._connection.scalars(_COUNT_USERS, values).one()

    def add_code(self, new: NewCode) -> int:
        self._connection.execute(_FORGET_CODES, {"horizon": new.issued_at - CODES_KEPT_SECONDS})
        values = {
            "lookup": new.lookup,
            "client_row_id": new.client_row_id,
            "user_id": new.user_id,
            "redirect_uri": new.redirect_uri,
            "redirect_uri_given": new.redirect_uri_given,
            "code_challenge": new.code_challenge,
            "nonce": new.approval.nonce,
            "issued_at": new.issued_at,
            "expires_at": new.expires_at,
            **_approval_values(new.approval),
        }
        taken = "There is such an authorization code already"
        return add_row(self._connection, oauth_code, values, unique="lookup", taken=taken)

    def find_code(self, lookups: Sequence[bytes]) -> StoredCode | None:
        row = self._connection.execute(_find_code(len(lookups)), lookup_parameters(lookups)).first()
        return None if row is None else _decode_code(row)

    def use_code(self, code_id: int, family_id: int, now: int) -> None:
        self._connection.execute(_USE_CODE, {"row_id": code_id, "family": family_id, "now": now})

    def add_refresh_token(self, lookup: bytes, family_id: int, issued_at: int, expires_at: int) -> int:
        values = {"lookup": lookup, "family_id": family_id, "issued_at": issued_at, "expires_at": expires_at}
        taken = "There is such a refresh token already"
        return add_row(self._connection, oauth_refresh_token, values, unique="lookup", taken=taken)

    def set_refresh_digest(self, token_id: int, digest: Digest) -> None:
        values = {"row_id": token_id, "new_pepper": digest.pepper, "new_hash": digest.value}
        change_row(self._connection, _SET_DIGEST, values)

    def find_refresh_token(self, lookups: Sequence[bytes]) -> StoredRefreshToken | None:
        row = self._connection.execute(_find_refresh_token(len(lookups)), lookup_parameters(lookups)).first()
        return None if row is None else _decode_refresh_token(row)

    def use_refresh_token(self, token_id: int, now: int) -> None:
        self._connection.execute(_USE_REFRESH_TOKEN, {"row_id": token_id, "now": now})

    def forget_expired(self, now: int) -> None:
        horizon = {"horizon": now - _TOKENS_KEPT_SECONDS}
        families = {family for forget in _FORGET_TOKENS for family in self._connection.scalars(forget, horizon)}
        # Those that lost a token now: to look at all families each time would take ever longer.
        emptied = delete(oauth_family).where(oauth_family.c.id.in_(families), _WITHOUT_TOKENS)
        self._connection.execute(emptied)


@cache
def _revoke(*, with_client: bool) -> Update:
    return _of_user(_LIVE, oauth_family, with_client=with_client)


@cache
def _void(table: Table, *, with_client: bool) -> Update:
    # A used code opens nothing; it is kept as long as the others.
    unused = update(table).where(table.c.used_at.is_(None)).values(used_at=bindparam("now"))
    return _of_user(unused, table, with_client=with_client)


def _of_user(change: Update, table: Table, *, with_client: bool) -> Update:
    change = change.where(table.c.user_id == bindparam("owner"))
    return change.where(table.c.client_row_id == bindparam("client")) if with_client else change


@cache
def _find_code(count: int) -> Select[Any]:
    return _CODES.where(any_lookup(oauth_code.c.lookup, count))


@cache
def _find_refresh_token(count: int) -> Select[Any]:
    return _REFRESH_TOKENS.where(any_lookup(oauth_refresh_token.c.lookup, count))


def _approval_values(approval: Approval) -> dict[str, Any]:
    return {
        "scopes": encode_scopes(approval.scopes),
        "audience": encode_scopes(approval.audience),
        "auth_time": approval.auth_time,
    }


def _decode_family(row: Sequence[Any]) -> StoredFamily:
    id_, public_id, client_row_id, client_id, scopes, audience, auth_time, created_at, revoked_at = row[:_FAMILY_WIDTH]
    approval = Approval(decode_scopes(scopes), decode_scopes(audience), auth_time)
    stored_user = decode_user(row[_FAMILY_WIDTH:])
    return StoredFamily(id_, public_id, client_row_id, client_id, stored_user, approval, created_at, revoked_at)


def _decode_code(row: Sequence[Any]) -> StoredCode:
    id_, client_row_id, redirect_uri, given, challenge, scopes, audience, auth_time, nonce = row[:9]
    return StoredCode(
        id_,
        client_row_id,
        decode_user(row[_CODE_WIDTH:]),
        redirect_uri,
        given,
        challenge,
        Approval(decode_scopes(scopes), decode_scopes(audience), auth_time, nonce),
        *row[9:_CODE_WIDTH],
    )


def _decode_refresh_token(row: Sequence[Any]) -> StoredRefreshToken:
    id_, pepper, value, issued_at, expires_at, used_at = row[:_REFRESH_WIDTH]
    family = _decode_family(row[_REFRESH_WIDTH:])
    return StoredRefreshToken(id_, family, decode_digest(pepper, value), issued_at, expires_at, used_at)
