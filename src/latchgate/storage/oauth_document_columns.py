"""What the fields of OAuth clients, access tokens and consents are in the tables."""

from typing import Any

from sqlalchemy import ColumnElement, Table, case, func, select

from latchgate.storage.account_tables import user
from latchgate.storage.document_sources import DocumentSource, as_check, as_time, common_columns, constant, owner_is
from latchgate.storage.encodings import decode_scopes, decode_texts
from latchgate.storage.oauth_tables import oauth_client, oauth_consent, oauth_family, oauth_token

__all__ = ["CLIENT", "CONSENT", "TOKEN"]


def _by_spaces(text: str) -> str:
    # A scope on a document type may hold spaces itself.
    return " ".join(scope.replace(" ", "%20") for scope in sorted(decode_scopes(text)))


def _uris(text: str) -> str:
    return " ".join(decode_texts(text))


def _first(text: str) -> str:
    return next(iter(decode_texts(text)), "")


def _texts(text: str) -> list[str]:
    return list(decode_texts(text))


def _earliest(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    # The engines' own functions for it differ, also in what they make of NULL.
    return case((one.is_(None), other), (other.is_(None), one), (one <= other, one), else_=other)


def _of(table: Table, wanted: ColumnElement[Any], key: ColumnElement[Any], reference: ColumnElement[Any]) -> Any:  # noqa: ANN401  # a scalar of any type
    # As for API keys: looked up for the rows that are given alone.
    return select(wanted).where(key == reference).correlate(table).scalar_subquery()


CLIENT = DocumentSource(
    oauth_client,
    {
        "name": oauth_client.c.client_id,
        **common_columns(oauth_client),
        "client_id": oauth_client.c.client_id,
        "app_name": oauth_client.c.app_name,
        "user": _of(oauth_client, user.c.name, user.c.id, oauth_client.c.user_id),
        "token_endpoint_auth_method": oauth_client.c.auth_method,
        "skip_authorization": as_check(oauth_client.c.skip_authorization),
        "require_pkce": as_check(oauth_client.c.require_pkce),
        "id_token_signed_response_alg": oauth_client.c.id_token_alg,
        "client_uri": oauth_client.c.client_uri,
        "registered": as_check(oauth_client.c.registered),
        "former_secret_until": as_time(oauth_client.c.previous_until),
        "revoked": as_time(oauth_client.c.revoked_at),
    },
    owned_by=oauth_client.c.owner,
    is_own=owner_is(oauth_client),
    further={
        "scopes": oauth_client.c.scopes,
        "redirect_uris": oauth_client.c.redirect_uris,
        "default_redirect_uri": oauth_client.c.redirect_uris,
        "post_logout_redirect_uris": oauth_client.c.post_logout_redirect_uris,
        "grant_types": oauth_client.c.grant_types,
        "jwks": oauth_client.c.jwks,
        "allowed_roles": oauth_client.c.allowed_roles,
        "resources": oauth_client.c.resources,
        "status": case((oauth_client.c.revoked_at.is_not(None), "revoked"), else_="active"),
    },
    decode={
        "scopes": _by_spaces,
        "redirect_uris": _uris,
        "default_redirect_uri": _first,
        "post_logout_redirect_uris": _uris,
        "grant_types": _texts,
        "allowed_roles": _texts,
        "resources": _uris,
    },
)

_TOKEN_USER = _of(oauth_token, user.c.name, user.c.id, oauth_token.c.user_id)
_USER_ENABLED = _of(oauth_token, user.c.enabled, user.c.id, oauth_token.c.user_id)
_FAMILY_END = _of(oauth_token, oauth_family.c.revoked_at, oauth_family.c.id, oauth_token.c.family_id)
_CLIENT_END = _of(oauth_token, oauth_client.c.revoked_at, oauth_client.c.id, oauth_token.c.client_row_id)
_TOKEN_END = _earliest(oauth_token.c.revoked_at, _earliest(_FAMILY_END, _CLIENT_END))
_ISSUED = as_time(oauth_token.c.issued_at)
TOKEN = DocumentSource(
    oauth_token,
    {
        "name": oauth_token.c.public_id,
        "owner": _TOKEN_USER,
        "creation": _ISSUED,
        "modified": func.coalesce(as_time(_TOKEN_END), _ISSUED),
        "modified_by": _TOKEN_USER,
        "docstatus": constant(0),
        "idx": constant(0),
        "user": _TOKEN_USER,
        "client": oauth_token.c.client,
        "issued": _ISSUED,
        "expires": as_time(oauth_token.c.expires_at),
        "revoked": as_time(_TOKEN_END),
    },
    owned_by=_TOKEN_USER,
    is_own=lambda own: oauth_token.c.user_id == own.user_id,
    owned_by_id=oauth_token.c.user_id,
    further={
        "scopes": oauth_token.c.scopes,
        "audience": oauth_token.c.audience,
        # Whether its time is over, only a clock can tell.
        "status": case(
            (_TOKEN_END.is_not(None), "revoked"), (_USER_ENABLED.is_(False), "user disabled"), else_="active"
        ),
    },
    decode={"scopes": _by_spaces, "audience": _texts},
)

_GIVER = _of(oauth_consent, user.c.name, user.c.id, oauth_consent.c.user_id)
_CONSENT_CLIENT = _of(oauth_consent, oauth_client.c.client_id, oauth_client.c.id, oauth_consent.c.client_row_id)
CONSENT = DocumentSource(
    oauth_consent,
    {
        "name": oauth_consent.c.public_id,
        "owner": _GIVER,
        "creation": oauth_consent.c.creation,
        "modified": oauth_consent.c.modified,
        "modified_by": _GIVER,
        "docstatus": constant(0),
        "idx": constant(0),
        "user": _GIVER,
        "client": _CONSENT_CLIENT,
        "app_name": _of(oauth_consent, oauth_client.c.app_name, oauth_client.c.id, oauth_consent.c.client_row_id),
    },
    owned_by=_GIVER,
    is_own=lambda own: oauth_consent.c.user_id == own.user_id,
    owned_by_id=oauth_consent.c.user_id,
    further={"scopes": oauth_consent.c.scopes, "audience": oauth_consent.c.audience},
    decode={"scopes": _by_spaces, "audience": _texts},
)
