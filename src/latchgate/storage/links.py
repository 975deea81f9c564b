"""The one-time links of a transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, insert, select

from latchgate.storage.sign_in_tables import link

__all__ = ["SqlLinks"]


class SqlLinks:
    """One-time links in SQL; a used one is gone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, digest: bytes, purpose: str, user_id: int, expires_at: int) -> None:
        self._connection.execute(delete(link).where(link.c.purpose == purpose, link.c.user_id == user_id))
        values = {"digest": digest, "purpose": purpose, "user_id": user_id, "expires_at": expires_at}
        self._connection.execute(insert(link), values)

    def find(self, digests: Sequence[bytes], purpose: str, now: int) -> int | None:
        alive = and_(link.c.digest.in_(digests), link.c.purpose == purpose, link.c.expires_at > now)
        return self._connection.scalar(select(link.c.user_id).where(alive))

    def end_all(self, user_id: int) -> None:
        self._connection.execute(delete(link).where(link.c.user_id == user_id))

    def use(self, digests: Sequence[bytes], purpose: str, now: int) -> int | None:
        user_id = self.find(digests, purpose, now)
        if user_id is not None:
            self._connection.execute(delete(link).where(link.c.digest.in_(digests)))
        return user_id
