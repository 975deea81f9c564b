"""What users allowed clients once and for all, of a transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from latchgate.core.token_families import Approval, StoredConsent
from latchgate.storage.account_tables import user
from latchgate.storage.encodings import decode_scopes, encode_scopes, is_storable
from latchgate.storage.oauth_tables import oauth_client, oauth_consent
from latchgate.storage.rows import add_row

__all__ = ["SqlConsents"]

_ALL = select(
    oauth_consent.c.id,
    oauth_consent.c.public_id,
    user.c.name,
    oauth_consent.c.user_id,
    oauth_consent.c.client_row_id,
    oauth_client.c.client_id,
    oauth_client.c.app_name,
    oauth_consent.c.scopes,
    oauth_consent.c.audience,
    oauth_consent.c.creation,
    oauth_consent.c.modified,
).select_from(
    oauth_consent.join(user, user.c.id == oauth_consent.c.user_id).join(
        oauth_client, oauth_client.c.id == oauth_consent.c.client_row_id
    )
)
_FIND = _ALL.where(oauth_consent.c.user_id == bindparam("giver"), oauth_consent.c.client_row_id == bindparam("client"))
_FIND_PUBLIC = _ALL.where(oauth_consent.c.public_id == bindparam("wanted"))
_LIST_OF = _ALL.where(oauth_consent.c.user_id == bindparam("giver")).order_by(
    oauth_client.c.app_name, oauth_client.c.client_id
)
_REPLACE = (
    update(oauth_consent)
    .where(oauth_consent.c.id == bindparam("row_id"))
    .values(scopes=bindparam("new_scopes"), audience=bindparam("new_audience"), modified=bindparam("at"))
)
_DELETE = delete(oauth_consent).where(oauth_consent.c.id == bindparam("row_id"))


class SqlConsents:
    """Consents in SQL, one for each user and client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, user_id: int, client_row_id: int) -> StoredConsent | None:
        row = self._connection.execute(_FIND, {"giver": user_id, "client": client_row_id}).one_or_none()
        return None if row is None else _decode(row)

    def find_public(self, public_id: str) -> StoredConsent | None:
        if not is_storable(public_id):
            return None
        row = self._connection.execute(_FIND_PUBLIC, {"wanted": public_id}).one_or_none()
        return None if row is None else _decode(row)

    def list_of(self, user_id: int) -> list[StoredConsent]:
        return [_decode(row) for row in self._connection.execute(_LIST_OF, {"giver": user_id})]

    def put(self, public_id: str, user_id: int, client_row_id: int, approval: Approval, now_us: int) -> None:
        given = self.find(user_id, client_row_id)
        if given is not None:
            new = {"new_scopes": encode_scopes(approval.scopes), "new_audience": encode_scopes(approval.audience)}
            self._connection.execute(_REPLACE, {"row_id": given.id, "at": now_us, **new})
            return
        values = {
            "public_id": public_id,
            "user_id": user_id,
            "client_row_id": client_row_id,
            "scopes": encode_scopes(approval.scopes),
            "audience": encode_scopes(approval.audience),
            "creation": now_us,
            "modified": now_us,
        }
        add_row(self._connection, oauth_consent, values, unique="public_id", taken="There is such a consent already")

    def delete(self, consent_id: int) -> None:
        self._connection.execute(_DELETE, {"row_id": consent_id})


def _decode(row: Sequence[Any]) -> StoredConsent:
    id_, public_id, name, user_id, client_row_id, client_id, app_name, scopes, audience, creation, modified = row
    return StoredConsent(
        id_,
        public_id,
        name,
        user_id,
        client_row_id,
        client_id,
        app_name,
        decode_scopes(scopes),
        decode_scopes(audience),
        creation,
        modified,
    )
