"""The keys that ID tokens are signed with, of a transaction; their private halves lie encrypted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from latchgate.core.clients import SigningAlgorithm
from latchgate.core.tokens import Sealed
from latchgate.services.oauth_ports import NewSigningKey, StoredSigningKey
from latchgate.storage.oauth_tables import oauth_signing_key
from latchgate.storage.rows import add_row

__all__ = ["SqlSigningKeys"]

_LIST = select(
    oauth_signing_key.c.id,
    oauth_signing_key.c.kid,
    oauth_signing_key.c.algorithm,
    oauth_signing_key.c.public_jwk,
    oauth_signing_key.c.pepper,
    oauth_signing_key.c.sealed,
    oauth_signing_key.c.created_at,
    oauth_signing_key.c.retired_at,
).order_by(oauth_signing_key.c.created_at.desc(), oauth_signing_key.c.id.desc())
_RETIRE = (
    update(oauth_signing_key)
    .where(oauth_signing_key.c.id == bindparam("row_id"), oauth_signing_key.c.retired_at.is_(None))
    .values(retired_at=bindparam("now"))
)
_DELETE = delete(oauth_signing_key).where(oauth_signing_key.c.id == bindparam("row_id"))


class SqlSigningKeys:
    """Signing keys in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_all(self) -> list[StoredSigningKey]:
        return [_decode(row) for row in self._connection.execute(_LIST)]

    def add(self, new: NewSigningKey) -> int:
        values = {
            "kid": new.kid,
            "algorithm": new.algorithm.value,
            "public_jwk": new.public_jwk,
            "pepper": new.sealed.pepper,
            "sealed": new.sealed.value,
            "created_at": new.created_at,
        }
        taken = f"There is a signing key {new.kid} already"
        return add_row(self._connection, oauth_signing_key, values, unique="kid", taken=taken)

    def retire(self, row_id: int, now: int) -> None:
        self._connection.execute(_RETIRE, {"row_id": row_id, "now": now})

    def delete(self, row_id: int) -> None:
        self._connection.execute(_DELETE, {"row_id": row_id})


def _decode(row: Sequence[Any]) -> StoredSigningKey:
    id_, kid, algorithm, public_jwk, pepper, sealed, created_at, retired_at = row
    return StoredSigningKey(
        id_, kid, SigningAlgorithm(algorithm), public_jwk, Sealed(pepper, sealed), created_at, retired_at
    )
