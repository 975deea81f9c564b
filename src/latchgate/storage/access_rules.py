"""The access rules of a transaction, in their order."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, true, update

from latchgate.core.access_rules import AccessRule, RuleSet, parse_rule_name, rule_name
from latchgate.storage.account_tables import access_rule
from latchgate.storage.encodings import decode_scopes, encode_scopes
from latchgate.storage.instance_tables import change_head
from latchgate.storage.rows import POSITION_COLUMNS, change_row

__all__ = ["FIND_RULES", "SqlAccessRules", "decode_rules"]

_COLUMNS = (
    access_rule.c.id,
    access_rule.c.position,
    access_rule.c.host,
    access_rule.c.path,
    access_rule.c.methods,
    access_rule.c.roles,
    access_rule.c.every_role,
    access_rule.c.scopes,
    access_rule.c.allow_guest,
    access_rule.c.allow_foreign_authorization,
    access_rule.c.allow_unusual_path,
)
_ORDER = (access_rule.c.position, access_rule.c.id)
_LIST = select(*_COLUMNS).order_by(*_ORDER)
_FIND = select(*_COLUMNS).where(access_rule.c.id == bindparam("wanted"))
_COUNT = select(func.count()).select_from(access_rule)
_POSITIONS = select(access_rule.c.id, access_rule.c.position)
_ADD = insert(access_rule).returning(access_rule.c.id)
_CHANGE = update(access_rule).where(access_rule.c.id == bindparam("changed_id"))
_PLACE = _CHANGE.values(position=bindparam("place"))
_DELETE = delete(access_rule).where(access_rule.c.id == bindparam("gone"))
FIND_RULES: Select[Any] = (
    select(*POSITION_COLUMNS, *_COLUMNS).select_from(change_head.outerjoin(access_rule, true())).order_by(*_ORDER)
)
"""The rules with the change as of which they are so: one row with none of a rule, if there is none."""


class SqlAccessRules:
    """Access rules in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_all(self) -> list[AccessRule]:
        return [_decode(row) for row in self._connection.execute(_LIST)]

    def find(self, name: str) -> AccessRule | None:
        rule_id = parse_rule_name(name)
        if rule_id is None:
            return None
        row = self._connection.execute(_FIND, {"wanted": rule_id}).one_or_none()
        return None if row is None else _decode(row)

    def count(self) -> int:
        number: int = self._connection.execute(_COUNT).scalar_one()
        return number

    def add(self, rule: AccessRule, by: str, now_us: int) -> int:
        stamp = {"owner": by, "creation": now_us, "modified": now_us, "modified_by": by}
        values = {"position": rule.position, **_encode(rule), **stamp}
        rule_id: int = self._connection.execute(_ADD, values).scalar_one()
        return rule_id

    def change(self, rule: AccessRule, by: str, now_us: int) -> None:
        values = {**_encode(rule), "modified": now_us, "modified_by": by}
        change_row(self._connection, _CHANGE.values(**values), {"changed_id": rule.id})

    def delete(self, rule_id: int) -> None:
        change_row(self._connection, _DELETE, {"gone": rule_id})

    def arrange(self, order: Sequence[int], by: str, now_us: int) -> None:
        stand: dict[int, int] = dict(iter(self._connection.execute(_POSITIONS)))
        if stand.keys() != set(order):
            raise AssertionError("every rule has its place in the order")
        moved = [
            {"changed_id": rule_id, "place": place} for place, rule_id in enumerate(order, 1) if stand[rule_id] != place
        ]
        if moved:
            # Whoever has one of them open is to be told that it stands elsewhere now.
            self._connection.execute(_PLACE.values(modified=now_us, modified_by=by), moved)


def decode_rules(rows: Sequence[Sequence[Any]]) -> RuleSet:
    """Read what FIND_RULES gave, but for the change."""
    return RuleSet(_decode(row) for row in rows if row[0] is not None)


def _encode(rule: AccessRule) -> dict[str, Any]:
    return {
        "host": rule.host,
        "path": rule.path,
        "methods": encode_scopes(rule.methods),
        "roles": encode_scopes(rule.roles),
        "every_role": rule.every_role,
        "scopes": encode_scopes(rule.scopes),
        "allow_guest": rule.allow_guest,
        "allow_foreign_authorization": rule.allow_foreign_authorization,
        "allow_unusual_path": rule.allow_unusual_path,
    }


def _decode(row: Sequence[Any]) -> AccessRule:
    rule_id, position, host, path, methods, roles, every_role, scopes, guest, foreign, unusual = row
    return AccessRule(
        id=rule_id,
        name=rule_name(rule_id),
        position=position,
        host=host,
        path=path,
        methods=decode_scopes(methods),
        roles=decode_scopes(roles),
        every_role=bool(every_role),
        scopes=decode_scopes(scopes),
        allow_guest=bool(guest),
        allow_foreign_authorization=bool(foreign),
        allow_unusual_path=bool(unusual),
    )
