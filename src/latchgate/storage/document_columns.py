"""What the fields of each document type are in the tables, as integers and texts."""

from collections.abc import Mapping

from sqlalchemy import (
    ColumnElement,
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

from latchgate.core.queries import Scalar
from latchgate.sql.questions import Named, RowsOf
from latchgate.storage.account_tables import (
    access_rule,
    api_key,
    authorization_source,
    permission,
    role,
    source_record,
    user,
    user_role,
)
from latchgate.storage.document_sources import (
    DocumentSource,
    as_check,
    as_number,
    as_time,
    common_columns,
    constant,
    owner_is,
)
from latchgate.storage.encodings import StoredText, decode_networks, decode_roles, decode_scopes
from latchgate.storage.instance_tables import activity_log
from latchgate.storage.oauth_document_columns import CLIENT, CONSENT, TOKEN
from latchgate.storage.sign_in_tables import second_factor
from latchgate.storage.users import GRANTED

__all__ = ["SOURCES", "record_source"]

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
        **common_columns(user),
        "email": user.c.name,
        "first_name": user.c.first_name,
        "last_name": user.c.last_name,
        "full_name": case(
            (and_(user.c.first_name == "", user.c.last_name == ""), user.c.name),
            else_=func.trim(user.c.first_name + " " + user.c.last_name),
        ),
        "user_type": user.c.user_type,
        "enabled": as_check(user.c.enabled),
        "login_after": as_number(user.c.login_after),
        "login_before": as_number(user.c.login_before),
        "api_key": _PRIMARY,
        "key_count": as_number(_KEY_COUNT),
        "can_sign_in": as_check(user.c.password_hash.is_not(None)),
        "has_second_factor": as_check(
            exists().select_from(second_factor).where(second_factor.c.user_id == user.c.id).correlate(user)
        ),
    },
    owned_by=user.c.name,
    is_own=lambda own: user.c.id == own.user_id,
    owned_by_id=user.c.id,
    further={"restrict_ip": user.c.restrict_ip, "roles": GRANTED},
    decode={
        "restrict_ip": lambda text: ", ".join(map(str, decode_networks(text))),
        "roles": lambda lines: sorted(decode_roles(lines)),
    },
    rows={
        "roles": RowsOf(role.c.name, user.c.id, select(user_role.c.user_id).select_from(_GRANTED_ROLES)),
    },
)
_ROLE = DocumentSource(
    role,
    {
        "name": role.c.name,
        **common_columns(role),
        "role_name": role.c.name,
        "disabled": constant(0),
        "desk_access": constant(1),
        "two_factor_auth": as_check(role.c.second_factor_required),
    },
    owned_by=role.c.owner,
    is_own=owner_is(role),
)
_ROLE_NAME = select(role.c.name).where(role.c.id == permission.c.role_id).correlate(permission).scalar_subquery()
_PERMISSION = DocumentSource(
    permission,
    {
        "name": permission.c.doctype + ":" + _ROLE_NAME + case((permission.c.if_owner, ":own"), else_=""),
        **common_columns(permission),
        "role": _ROLE_NAME,
        "document_type": permission.c.doctype,
        "if_owner": as_check(permission.c.if_owner),
        "read": as_check(permission.c.can_read),
        "write": as_check(permission.c.can_write),
        "create": as_check(permission.c.can_create),
        "delete": as_check(permission.c.can_delete),
    },
    owned_by=permission.c.owner,
    is_own=owner_is(permission),
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
_RECORD = func.coalesce(_RECORD_NAME, _OWNER_NAME)


def _of_record(name: Scalar) -> ColumnElement[bool]:
    """Say whose a key is: a user's of that name, or a record's."""
    users = select(user.c.id).where(user.c.name == name)
    return or_(
        api_key.c.user_id.in_(users),
        api_key.c.record_id.in_(select(source_record.c.id).where(source_record.c.name == name)),
    )


def _of_runner(name: Scalar) -> ColumnElement[bool]:
    """Say as whom a key's requests run: its user, or the one whom its record names."""
    users = select(user.c.id).where(user.c.name == name)
    return or_(
        api_key.c.user_id.in_(users),
        api_key.c.record_id.in_(select(source_record.c.id).where(source_record.c.user_id.in_(users))),
    )


_API_KEY = DocumentSource(
    api_key,
    {
        "name": api_key.c.key_id,
        **{name: api_key.c[name] for name in ("creation", "modified", "modified_by")},
        "owner": api_key.c.created_by,
        "docstatus": constant(0),
        "idx": constant(0),
        "api_key": api_key.c.key_id,
        "source": api_key.c.source,
        "record": _RECORD,
        "user": _RUNS_AS_NAME,
        "label": api_key.c.label,
        "is_primary": as_check(api_key.c.is_primary),
        "limit_per_minute": as_number(api_key.c.limit_per_minute),
        "expires": as_time(api_key.c.expires_at),
        "revoked": as_time(api_key.c.revoked_at),
        "former_secret_until": as_time(api_key.c.previous_until),
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
    named={"record": Named(_RECORD, _of_record), "user": Named(_RUNS_AS_NAME, _of_runner)},
    decode={
        "scopes": lambda text: sorted(decode_scopes(text)),
        "allowed_networks": lambda text: list(map(str, decode_networks(text))),
    },
)
_SOURCE = DocumentSource(
    authorization_source,
    {
        "name": authorization_source.c.name,
        **common_columns(authorization_source),
        "source_name": authorization_source.c.name,
    },
    owned_by=authorization_source.c.owner,
    is_own=owner_is(authorization_source),
)
_RULE = DocumentSource(
    access_rule,
    {
        "name": literal("RULE-") + cast(access_rule.c.id, StoredText),
        **common_columns(access_rule),
        "position": access_rule.c.position,
        "host": access_rule.c.host,
        "path": access_rule.c.path,
        "every_role": as_check(access_rule.c.every_role),
        "allow_guest": as_check(access_rule.c.allow_guest),
        "allow_foreign_authorization": as_check(access_rule.c.allow_foreign_authorization),
        "allow_unusual_path": as_check(access_rule.c.allow_unusual_path),
    },
    owned_by=access_rule.c.owner,
    is_own=owner_is(access_rule),
    further={name: access_rule.c[name] for name in ("methods", "roles", "scopes")},
    decode=dict.fromkeys(("methods", "roles", "scopes"), lambda text: sorted(decode_scopes(text))),
)
_ACTIVITY = DocumentSource(
    activity_log,
    {
        "name": activity_log.c.id,
        "owner": activity_log.c.user,
        "creation": activity_log.c.time,
        "modified": activity_log.c.time,
        "modified_by": activity_log.c.user,
        "docstatus": constant(0),
        "idx": constant(0),
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
    decode={"name": str},
)
SOURCES: Mapping[str, DocumentSource] = {
    "User": _USER,
    "Role": _ROLE,
    "Role Permission": _PERMISSION,
    "API Key": _API_KEY,
    "Authorization Source": _SOURCE,
    "Access Rule": _RULE,
    "Activity Log": _ACTIVITY,
    "OAuth Client": CLIENT,
    "OAuth Bearer Token": TOKEN,
    "OAuth Consent": CONSENT,
}
"""The types that are always there; `record_source` gives those of an Authorization Source's records."""


def record_source(source: str) -> DocumentSource:
    """Tell where the records of an authorization source are."""
    named = select(user.c.name).where(user.c.id == source_record.c.user_id).correlate(source_record).scalar_subquery()
    return DocumentSource(
        source_record,
        {
            "name": source_record.c.name,
            **common_columns(source_record),
            "record_name": source_record.c.name,
            "user": named,
            "enabled": as_check(source_record.c.enabled),
        },
        owned_by=source_record.c.owner,
        is_own=owner_is(source_record),
        among=source_record.c.source == source,
    )
