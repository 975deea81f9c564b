"""What the fields of each document type are in the tables, as integers and texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Table,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
)

from latchgate.core.permissions import Own
from latchgate.sql.questions import Columns, Comparable, RowsOf
from latchgate.storage.schema import (
    activity_log,
    api_key,
    authorization_source,
    permission,
    role,
    source_record,
    user,
    user_role,
)
from latchgate.storage.users import GRANTED

__all__ = ["SOURCES", "DocumentSource", "record_source"]

_SECOND_US = 1_000_000
_COMMON = ("owner", "creation", "modified", "modified_by")


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """Where the records of a type are."""

    table: Table
    columns: Columns
    """What records can be compared by."""
    owned_by: ColumnElement[Any]
    """The name of the user whose record it is."""
    is_own: Callable[[Own], ColumnElement[bool]]
    owned_by_id: ColumnElement[Any] | None = None
    name_tie: ColumnElement[Any] | None = None
    """What tells two records of one name apart, where names are not unique and an index goes on with it."""
    among: ColumnElement[bool] | None = None
    """Which rows of the table are records of the type; None for all."""
    further: Columns = field(default_factory=dict)
    """What a record holds beside, as it lies in the tables."""
    rows: Mapping[str, RowsOf] = field(default_factory=dict)
    """The child tables that records can be compared by."""

    @property
    def comparable(self) -> Comparable:
        """All that records can be compared by."""
        return {**self.columns, **self.rows}

    @property
    def everything(self) -> Columns:
        """All that a record holds."""
        return {**self.columns, **self.further}


# Whole numbers are wide, however narrow they lie: a caller may compare with any.
def _one(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(cast(column, Integer), BigInteger)


def _wide(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(column, BigInteger)


def _microseconds(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column * _SECOND_US


def _constant(value: int) -> ColumnElement[Any]:
    return literal(value, BigInteger)


def _common(table: Table) -> dict[str, ColumnElement[Any]]:
    return {name: table.c[name] for name in _COMMON} | {"docstatus": _constant(0), "idx": _constant(0)}


def _owner_is(table: Table) -> Callable[[Own], ColumnElement[bool]]:
    return lambda own: table.c.owner == own.user


_PRIMARY = (
    select(api_key.c.key_id)
    .where(api_key.c.user_id == user.c.id, api_key.c.is_primary.is_(True), api_key.c.revoked_at.is_(None))
    .correlate(user)
    .scalar_subquery()
)
_KEY_COUNT = (
    select(func.count())
    .select_from(api_key)
    .where(api_key.c.user_id == user.c.id, api_key.c.revoked_at.is_(None))
    .correlate(user)
    .scalar_subquery()
)
_GRANTED_ROLES = user_role.join(role, role.c.id == user_role.c.role_id)
_USER = DocumentSource(
    user,
    {
        "name": user.c.name,
        **_common(user),
        "email": user.c.name,
        "first_name": user.c.first_name,
        "last_name": user.c.last_name,
        "full_name": case(
            (and_(user.c.first_name == "", user.c.last_name == ""), user.c.name),
            else_=func.trim(user.c.first_name + " " + user.c.last_name),
        ),
        "user_type": user.c.user_type,
        "enabled": _one(user.c.enabled),
        "login_after": _wide(user.c.login_after),
        "login_before": _wide(user.c.login_before),
        "api_key": _PRIMARY,
        "key_count": _wide(_KEY_COUNT),
        "can_sign_in": _one(user.c.password_hash.is_not(None)),
    },
    owned_by=user.c.name,
    is_own=lambda own: user.c.id == own.user_id,
    owned_by_id=user.c.id,
    further={"restrict_ip": user.c.restrict_ip, "roles": GRANTED},
    rows={
        "roles": RowsOf(
            role.c.name, exists().select_from(_GRANTED_ROLES).where(user_role.c.user_id == user.c.id).correlate(user)
        )
    },
)
_ROLE = DocumentSource(
    role,
    {
        "name": role.c.name,
        **_common(role),
        "role_name": role.c.name,
        "disabled": _constant(0),
        "desk_access": _constant(1),
    },
    owned_by=role.c.owner,
    is_own=_owner_is(role),
)
_ROLE_NAME = select(role.c.name).where(role.c.id == permission.c.role_id).correlate(permission).scalar_subquery()
_PERMISSION = DocumentSource(
    permission,
    {
        "name": permission.c.doctype + ":" + _ROLE_NAME + case((permission.c.if_owner, ":own"), else_=""),
        **_common(permission),
        "role": _ROLE_NAME,
        "document_type": permission.c.doctype,
        "if_owner": _one(permission.c.if_owner),
        "read": _one(permission.c.can_read),
        "write": _one(permission.c.can_write),
        "create": _one(permission.c.can_create),
        "delete": _one(permission.c.can_delete),
    },
    owned_by=permission.c.owner,
    is_own=_owner_is(permission),
)
# Looked up for the rows that are given alone: joined, a page of names would cost a row of three tables each.
_RECORD_USER = (
    select(source_record.c.user_id)
    .where(source_record.c.id == api_key.c.record_id)
    .correlate(api_key)
    .scalar_subquery()
)
_RUNS_AS = func.coalesce(api_key.c.user_id, _RECORD_USER)
_RUNS_AS_NAME = select(user.c.name).where(user.c.id == _RUNS_AS).correlate(api_key).scalar_subquery()
_RECORD_NAME = (
    select(source_record.c.name).where(source_record.c.id == api_key.c.record_id).correlate(api_key).scalar_subquery()
)
_RUNNER_ENABLED = select(user.c.enabled).where(user.c.id == _RUNS_AS).correlate(api_key).scalar_subquery()
_RECORD_ENABLED = (
    select(source_record.c.enabled)
    .where(source_record.c.id == api_key.c.record_id)
    .correlate(api_key)
    .scalar_subquery()
)
# Whether its time is over, only a clock can tell.
_STATUS = case(
    (api_key.c.revoked_at.is_not(None), "revoked"),
    (_RUNS_AS.is_(None), "no user"),
    (_RUNNER_ENABLED.is_(False), "user disabled"),
    (_RECORD_ENABLED.is_(False), "record disabled"),
    else_="active",
)
_OWNER_NAME = select(user.c.name).where(user.c.id == api_key.c.user_id).correlate(api_key).scalar_subquery()
_API_KEY = DocumentSource(
    api_key,
    {
        "name": api_key.c.key_id,
        **{name: api_key.c[name] for name in ("creation", "modified", "modified_by")},
        "owner": api_key.c.created_by,
        "docstatus": _constant(0),
        "idx": _constant(0),
        "api_key": api_key.c.key_id,
        "source": api_key.c.source,
        "record": func.coalesce(_RECORD_NAME, _OWNER_NAME),
        "user": _RUNS_AS_NAME,
        "label": api_key.c.label,
        "is_primary": _one(api_key.c.is_primary),
        "limit_per_minute": _wide(api_key.c.limit_per_minute),
        "expires": _microseconds(api_key.c.expires_at),
        "revoked": _microseconds(api_key.c.revoked_at),
        "former_secret_until": _microseconds(api_key.c.previous_until),
    },
    owned_by=_RUNS_AS_NAME,
    is_own=lambda own: or_(
        api_key.c.user_id == own.user_id,
        and_(
            api_key.c.record_id.is_not(None),
            api_key.c.record_id.in_(select(source_record.c.id).where(source_record.c.user_id == own.user_id)),
        ),
    ),
    owned_by_id=_RUNS_AS,
    name_tie=api_key.c.source,
    further={
        "scopes": api_key.c.scopes,
        "allowed_networks": api_key.c.networks,
        "status": _STATUS,
        # The request log knows.
        "last_used": null(),
        "last_used_from": null(),
    },
)
_SOURCE = DocumentSource(
    authorization_source,
    {
        "name": authorization_source.c.name,
        **_common(authorization_source),
        "source_name": authorization_source.c.name,
    },
    owned_by=authorization_source.c.owner,
    is_own=_owner_is(authorization_source),
)
_ACTIVITY = DocumentSource(
    activity_log,
    {
        "name": activity_log.c.id,
        "owner": activity_log.c.user,
        "creation": activity_log.c.time,
        "modified": activity_log.c.time,
        "modified_by": activity_log.c.user,
        "docstatus": _constant(0),
        "idx": _constant(0),
        "time": activity_log.c.time,
        "user": activity_log.c.user,
        "operation": activity_log.c.operation,
        "subject": activity_log.c.subject,
        "detail": activity_log.c.detail,
        "ip_address": activity_log.c.ip_address,
    },
    owned_by=activity_log.c.user,
    is_own=lambda own: activity_log.c.user_id == own.user_id,
    owned_by_id=activity_log.c.user_id,
)
SOURCES: Mapping[str, DocumentSource] = {
    "User": _USER,
    "Role": _ROLE,
    "Role Permission": _PERMISSION,
    "API Key": _API_KEY,
    "Authorization Source": _SOURCE,
    "Activity Log": _ACTIVITY,
}
"""The types that are always there; `record_source` gives those of an Authorization Source's records."""


def record_source(source: str) -> DocumentSource:
    """Tell where the records of an authorization source are."""
    named = select(user.c.name).where(user.c.id == source_record.c.user_id).correlate(source_record).scalar_subquery()
    return DocumentSource(
        source_record,
        {
            "name": source_record.c.name,
            **_common(source_record),
            "record_name": source_record.c.name,
            "user": named,
            "enabled": _one(source_record.c.enabled),
        },
        owned_by=source_record.c.owner,
        is_own=_owner_is(source_record),
        among=source_record.c.source == source,
    )
