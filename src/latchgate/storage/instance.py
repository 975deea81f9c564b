"""Facts about the database as a whole."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from latchgate.storage.instance_tables import fact

__all__ = ["SqlInstance"]

_FIND = select(fact.c.value).where(fact.c.name == bindparam("wanted"))
_FIND_SOME = select(fact.c.name, fact.c.value).where(fact.c.name.in_(bindparam("names", expanding=True)))
_FORGET = delete(fact).where(fact.c.name == bindparam("wanted"))
_CHANGE = update(fact).where(fact.c.name == bindparam("wanted")).values(value=bindparam("stated"))


class SqlInstance:
    """Facts in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_fact(self, name: str) -> str | None:
        return self._connection.scalar(_FIND, {"wanted": name})

    def find_facts(self, names: Sequence[str]) -> dict[str, str]:
        return {row.name: row.value for row in self._connection.execute(_FIND_SOME, {"names": list(names)})}

    def set_fact(self, name: str, value: str) -> None:
        if self._connection.execute(_CHANGE, {"wanted": name, "stated": value}).rowcount == 0:
            self._connection.execute(insert(fact), {"name": name, "value": value})

    def forget_fact(self, name: str) -> bool:
        return bool(self._connection.execute(_FORGET, {"wanted": name}).rowcount)
