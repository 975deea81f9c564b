"""The access tokens of a transaction. `find` is asked at every request that bears one: one statement."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, true, update

from latchgate.core.access_tokens import StoredToken
from latchgate.core.scopes import scopes_within
from latchgate.core.tokens import Digest
from latchgate.services.port_values import NewToken
from latchgate.storage.account_tables import user
from latchgate.storage.encodings import decode_digest, decode_scopes, encode_scopes
from latchgate.storage.instance_tables import change_head
from latchgate.storage.oauth_tables import oauth_client, oauth_family, oauth_token
from latchgate.storage.rows import POSITION_COLUMNS, add_row, any_lookup, change_row, lookup_parameters
from latchgate.storage.users import USER_COLUMNS, decode_user

__all__ = ["SqlAccessTokens", "decode_token", "find_token"]

_TOKEN_COLUMNS = (
    oauth_token.c.id,
    oauth_token.c.public_id,
    oauth_token.c.client,
    oauth_token.c.scopes,
    oauth_token.c.pepper,
    oauth_token.c.hash,
    oauth_token.c.issued_at,
    oauth_token.c.expires_at,
    oauth_token.c.audience,
    oauth_token.c.client_row_id,
    oauth_token.c.family_id,
    oauth_client.c.allowed_roles,
    oauth_token.c.revoked_at,
    oauth_family.c.revoked_at,
    oauth_client.c.revoked_at,
)
_WIDTH = len(_TOKEN_COLUMNS)
_ALL = select(*POSITION_COLUMNS, *_TOKEN_COLUMNS, *USER_COLUMNS).select_from(
    change_head.join(oauth_token, true())
    .join(user, user.c.id == oauth_token.c.user_id)
    .outerjoin(oauth_family, oauth_family.c.id == oauth_token.c.family_id)
    .outerjoin(oauth_client, oauth_client.c.id == oauth_token.c.client_row_id)
)
_FIND_PUBLIC = _ALL.where(oauth_token.c.public_id == bindparam("wanted"))
_SET_DIGEST = (
    update(oauth_token)
    .where(oauth_token.c.id == bindparam("row_id"))
    .values(pepper=bindparam("new_pepper"), hash=bindparam("new_hash"))
)
_LIVE = update(oauth_token).where(oauth_token.c.revoked_at.is_(None)).values(revoked_at=bindparam("now"))
_REVOKE = _LIVE.where(oauth_token.c.id == bindparam("row_id"))
_REVOKE_ISSUED = _LIVE.where(oauth_token.c.client_row_id == bindparam("issued_to"), oauth_token.c.family_id.is_(None))
_REVOKE_ISSUED_OF = _REVOKE_ISSUED.where(oauth_token.c.user_id == bindparam("owner"))

_LIST_LIVE = select(oauth_token.c.id, oauth_token.c.scopes).where(
    oauth_token.c.client_row_id == bindparam("issued_to"),
    oauth_token.c.revoked_at.is_(None),
    oauth_token.c.expires_at > bindparam("now"),
)


class SqlAccessTokens:
    """Access tokens in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, lookups: Sequence[bytes]) -> StoredToken | None:
        row = self._connection.execute(find_token(len(lookups)), lookup_parameters(lookups)).first()
        return None if row is None else decode_token(row[len(POSITION_COLUMNS) :])

    def find_public(self, public_id: str) -> StoredToken | None:
        row = self._connection.execute(_FIND_PUBLIC, {"wanted": public_id}).first()
        return None if row is None else decode_token(row[len(POSITION_COLUMNS) :])

    def add(self, token: NewToken) -> int:
        values = {
            "public_id": token.public_id,
            "lookup": token.lookup,
            "user_id": token.user_id,
            "client": token.client,
            "scopes": encode_scopes(token.scopes),
            "issued_at": token.issued_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
            "audience": encode_scopes(token.audience),
            "client_row_id": token.client_row_id,
            "family_id": token.family_id,
        }
        taken = "There is such an access token already"
        return add_row(self._connection, oauth_token, values, unique="lookup", taken=taken)

    def set_digest(self, token_id: int, digest: Digest) -> None:
        values = {"row_id": token_id, "new_pepper": digest.pepper, "new_hash": digest.value}
        change_row(self._connection, _SET_DIGEST, values)

    def revoke(self, token_id: int, now: int) -> None:
        self._connection.execute(_REVOKE, {"row_id": token_id, "now": now})

    def revoke_issued(self, client_row_id: int, now: int, *, user_id: int | None = None) -> int:
        values = {"issued_to": client_row_id, "now": now}
        if user_id is None:
            return self._connection.execute(_REVOKE_ISSUED, values).rowcount
        return self._connection.execute(_REVOKE_ISSUED_OF, values | {"owner": user_id}).rowcount

    def revoke_beyond(self, client_row_id: int, scopes: frozenset[str], now: int) -> int:
        live = self._connection.execute(_LIST_LIVE, {"issued_to": client_row_id, "now": now})
        beyond = [row_id for row_id, held in live if not scopes_within(decode_scopes(held), scopes)]
        for row_id in beyond:
            self.revoke(row_id, now)
        return len(beyond)


@cache
def find_token(count: int) -> Select[Any]:
    """Write the statement that looks a token up by one of so many values, see `lookup_parameters`."""
    return _ALL.where(any_lookup(oauth_token.c.lookup, count))


def decode_token(row: Sequence[Any]) -> StoredToken:
    """Read a token with its user."""
    id_, public_id, client, scopes, pepper, value, issued_at, expires_at, *issued = row[:_WIDTH]
    audience, client_row_id, family_id, client_roles, *ends = issued
    return StoredToken(
        id_,
        public_id,
        decode_user(row[_WIDTH:]),
        client,
        decode_scopes(scopes),
        decode_digest(pepper, value),
        issued_at,
        expires_at,
        min((end for end in ends if end is not None), default=None),
        decode_scopes(audience),
        client_row_id,
        family_id,
        # None of a token that was imported.
        frozenset() if client_roles is None else decode_scopes(client_roles),
    )
