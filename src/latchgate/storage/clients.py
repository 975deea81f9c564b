"""The OAuth clients of a transaction, and the assertions by which they proved to be themselves."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient
from latchgate.core.tokens import Digest
from latchgate.services.oauth_ports import ClientFields, NewClient
from latchgate.storage.account_tables import user
from latchgate.storage.encodings import (
    decode_digest,
    decode_scopes,
    decode_texts,
    encode_scopes,
    encode_texts,
    is_storable,
)
from latchgate.storage.oauth_tables import oauth_assertion, oauth_client
from latchgate.storage.rows import FORGOTTEN_MAX, add_row, change_row, insert_unless_there
from latchgate.storage.users import USER_COLUMNS, decode_user

__all__ = ["SqlClients"]

_CLIENT_COLUMNS = (
    oauth_client.c.id,
    oauth_client.c.client_id,
    oauth_client.c.app_name,
    oauth_client.c.auth_method,
    oauth_client.c.pepper,
    oauth_client.c.hash,
    oauth_client.c.previous_pepper,
    oauth_client.c.previous_hash,
    oauth_client.c.previous_until,
    oauth_client.c.jwks,
    oauth_client.c.redirect_uris,
    oauth_client.c.post_logout_redirect_uris,
    oauth_client.c.grant_types,
    oauth_client.c.scopes,
    oauth_client.c.resources,
    oauth_client.c.allowed_roles,
    oauth_client.c.skip_authorization,
    oauth_client.c.require_pkce,
    oauth_client.c.id_token_alg,
    oauth_client.c.client_uri,
    oauth_client.c.registered,
    oauth_client.c.creation,
    oauth_client.c.owner,
    oauth_client.c.modified,
    oauth_client.c.modified_by,
    oauth_client.c.revoked_at,
    oauth_client.c.changed,
)
_WIDTH = len(_CLIENT_COLUMNS)
_ALL = select(*_CLIENT_COLUMNS, *USER_COLUMNS).select_from(
    oauth_client.outerjoin(user, user.c.id == oauth_client.c.user_id)
)
_FIND = _ALL.where(oauth_client.c.client_id == bindparam("wanted"))
_FIND_ID = _ALL.where(oauth_client.c.id == bindparam("row_id"))
_LIST = _ALL.order_by(oauth_client.c.app_name, oauth_client.c.client_id)
_LIST_RESOURCES = select(oauth_client.c.resources).where(
    oauth_client.c.revoked_at.is_(None), oauth_client.c.resources != encode_texts(())
)
_CHANGE = (
    update(oauth_client)
    .where(oauth_client.c.id == bindparam("row_id"))
    .values(modified=bindparam("at"), modified_by=bindparam("by"))
)
# The right side of an assignment is the row as it was.
_REPLACE = _CHANGE.values(pepper=bindparam("new_pepper"), hash=bindparam("new_hash"), previous_until=bindparam("until"))
_REPLACE_NOW = _REPLACE.values(previous_pepper=None, previous_hash=None)
_REPLACE_LATER = _REPLACE.values(previous_pepper=oauth_client.c.pepper, previous_hash=oauth_client.c.hash)
_REVOKE = _CHANGE.where(oauth_client.c.revoked_at.is_(None)).values(revoked_at=bindparam("now"))
_DELETE = delete(oauth_client).where(oauth_client.c.id == bindparam("row_id"))

_EXPIRED = oauth_assertion.c.expires_at <= bindparam("now")
_FORGET = delete(oauth_assertion).where(
    or_(
        oauth_assertion.c.id.in_(select(oauth_assertion.c.id).where(_EXPIRED).limit(FORGOTTEN_MAX)),
        # However many others have expired: the same one may come again once it has.
        and_(
            _EXPIRED,
            oauth_assertion.c.client_row_id == bindparam("client"),
            oauth_assertion.c.digest == bindparam("used"),
        ),
    )
)


class SqlClients:
    """OAuth clients in SQL; deleting one takes all that was issued to it, by the tables' references."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, client_id: str) -> StoredClient | None:
        if not is_storable(client_id):
            return None
        row = self._connection.execute(_FIND, {"wanted": client_id}).one_or_none()
        return None if row is None else _decode(row)

    def find_id(self, row_id: int) -> StoredClient | None:
        row = self._connection.execute(_FIND_ID, {"row_id": row_id}).one_or_none()
        return None if row is None else _decode(row)

    def list_all(self) -> list[StoredClient]:
        return [_decode(row) for row in self._connection.execute(_LIST)]

    def list_resources(self) -> frozenset[str]:
        listed = self._connection.scalars(_LIST_RESOURCES)
        return frozenset(resource for resources in listed for resource in decode_texts(resources))

    def add(self, new: NewClient, now_us: int) -> int:
        values = {
            **_values(new.fields),
            "client_id": new.client_id,
            "registered": new.registered,
            "owner": new.owner,
            "creation": now_us,
            "modified": now_us,
            "changed": now_us,
            "modified_by": new.owner,
        }
        taken = f"There is a client {new.client_id} already"
        return add_row(self._connection, oauth_client, values, unique="client_id", taken=taken)

    def change(self, row_id: int, fields: ClientFields, by: str, now_us: int) -> None:
        statement = _CHANGE.values(**_values(fields), changed=bindparam("at"))
        change_row(self._connection, statement, {"row_id": row_id, "by": by, "at": now_us})

    def replace_secret(self, row_id: int, digest: Digest, previous_until: int | None, by: str, now_us: int) -> None:
        statement = _REPLACE_NOW if previous_until is None else _REPLACE_LATER
        values = {"new_pepper": digest.pepper, "new_hash": digest.value, "until": previous_until}
        change_row(self._connection, statement, {"row_id": row_id, "by": by, "at": now_us, **values})

    def revoke(self, row_id: int, now: int, by: str, now_us: int) -> None:
        self._connection.execute(_REVOKE, {"row_id": row_id, "now": now, "by": by, "at": now_us})

    def delete(self, row_id: int) -> None:
        self._connection.execute(_DELETE, {"row_id": row_id})

    def use_assertion(self, row_id: int, digest: bytes, expires_at: int, now: int) -> bool:
        self._connection.execute(_FORGET, {"now": now, "client": row_id, "used": digest})
        use = insert_unless_there(self._connection, oauth_assertion, "client_row_id digest")
        values = {"client_row_id": row_id, "digest": digest, "expires_at": expires_at}
        # As in roles.py: what comes back tells whether a row was added.
        return self._connection.scalar(use.returning(oauth_assertion.c.id), values) is not None


def _values(fields: ClientFields) -> dict[str, Any]:
    return {
        "app_name": fields.app_name,
        "auth_method": fields.auth_method.value,
        "jwks": fields.jwks,
        "redirect_uris": encode_texts(fields.redirect_uris),
        "post_logout_redirect_uris": encode_texts(fields.post_logout_redirect_uris),
        "grant_types": encode_scopes(fields.grant_types),
        "scopes": encode_scopes(fields.scopes),
        "resources": encode_texts(fields.resources),
        "user_id": fields.user_id,
        "allowed_roles": encode_scopes(fields.allowed_roles),
        "skip_authorization": fields.skip_authorization,
        "require_pkce": fields.require_pkce,
        "id_token_alg": fields.id_token_alg.value,
        "client_uri": fields.client_uri,
    }


def _decode(row: Sequence[Any]) -> StoredClient:
    (id_, client_id, app_name, method, pepper, value, old_pepper, old_value, old_until) = row[:9]
    (jwks, redirects, logouts, grants, scopes, resources, roles, skip, pkce, alg, uri, registered) = row[9:21]
    (creation, owner, modified, modified_by, revoked_at, changed) = row[21:_WIDTH]
    return StoredClient(
        id_,
        client_id,
        app_name,
        AuthMethod(method),
        None if value is None else decode_digest(pepper, value),
        None if old_value is None else decode_digest(old_pepper, old_value),
        old_until,
        jwks,
        decode_texts(redirects),
        decode_texts(logouts),
        frozenset(map(GrantType, decode_scopes(grants))),
        decode_scopes(scopes),
        decode_texts(resources),
        None if row[_WIDTH] is None else decode_user(row[_WIDTH:]),
        decode_scopes(roles),
        skip,
        pkce,
        SigningAlgorithm(alg),
        uri,
        registered,
        creation,
        owner,
        modified,
        modified_by,
        revoked_at,
        changed,
    )
