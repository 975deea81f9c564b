"""Rows to store, whole but for what a test cares about: `fields` replaces any of them."""

from dataclasses import replace
from typing import Any

from latchgate.core.access_rules import AccessRule
from latchgate.core.api_keys import Limits
from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm
from latchgate.core.token_families import Approval
from latchgate.core.tokens import Digest
from latchgate.core.users import UserType
from latchgate.services.oauth_ports import ClientFields, NewClient, NewCode, NewDeviceCode
from latchgate.services.port_values import NewKey, NewRecord, NewSession, NewToken, NewUser

ALL_SCOPES = frozenset({"all"})
APPROVAL = Approval(frozenset({"openid", "User:read"}), frozenset({"https://api.example.com"}), 900)


def new_user(name: str = "ann@example.com", **fields: Any) -> NewUser:  # noqa: ANN401
    """Describe an enabled website user without password or limits."""
    return replace(NewUser(name, "Ann", "Lee", UserType.WEBSITE, True, None, (), 0, 0), **fields)


def user_key(user_id: int, key_id: str = "key-1", **fields: Any) -> NewKey:  # noqa: ANN401
    """Describe an unlimited, secondary key of a user."""
    return replace(NewKey(key_id, "User", user_id, None, "label", False, Limits(ALL_SCOPES), "Administrator"), **fields)


def record_key(source: str, record_id: int, key_id: str = "key-1", **fields: Any) -> NewKey:  # noqa: ANN401
    """Describe an unlimited, secondary key of a source's record."""
    return replace(user_key(0, key_id), source=source, user_id=None, record_id=record_id, **fields)


def new_record(source: str, name: str, user_id: int | None, *, enabled: bool = True) -> NewRecord:
    """Describe a record of a source that Administrator made."""
    return NewRecord(source, name, user_id, enabled, "Administrator")


def new_token(user_id: int, lookup: bytes = b"lookup", **fields: Any) -> NewToken:  # noqa: ANN401
    """Describe an access token that was issued at 1,000 and ends at 2,000."""
    token = NewToken(f"public-{lookup.hex()}", lookup, user_id, "client", ALL_SCOPES, 1_000, 2_000, None)
    return replace(token, **fields)


def client_fields(**fields: Any) -> ClientFields:  # noqa: ANN401
    """Describe a confidential client for the code flow that runs as nobody."""
    chosen = ClientFields(
        app_name="Calendar",
        auth_method=AuthMethod.BASIC,
        jwks="",
        redirect_uris=("https://b.example.com/back", "https://a.example.com/back"),
        post_logout_redirect_uris=(),
        grant_types=frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}),
        scopes=frozenset({"openid", "User:read"}),
        resources=(),
        user_id=None,
        allowed_roles=frozenset(),
        skip_authorization=False,
        require_pkce=True,
        id_token_alg=SigningAlgorithm.RS256,
        client_uri="",
    )
    return replace(chosen, **fields)


def new_client(client_id: str = "client-1", **fields: Any) -> NewClient:  # noqa: ANN401
    """Describe a client that Administrator made."""
    return NewClient(client_id, client_fields(**fields), False, "Administrator")


def new_code(client_row_id: int, user_id: int, lookup: bytes = b"code", **fields: Any) -> NewCode:  # noqa: ANN401
    """Describe an authorization code that was issued at 1,000 and ends at 1,060."""
    approval = replace(APPROVAL, nonce="nonce")
    code = NewCode(lookup, client_row_id, user_id, "https://a.example.com/", True, "challenge", approval, 1_000, 1_060)
    return replace(code, **fields)


def new_device_code(client_row_id: int, lookup: bytes = b"device", **fields: Any) -> NewDeviceCode:  # noqa: ANN401
    """Describe a device that began to wait at 1,000, until 1,600."""
    code = NewDeviceCode(lookup, b"user-" + lookup, client_row_id, APPROVAL.scopes, APPROVAL.audience, 1_000, 1_600, 5)
    return replace(code, **fields)


def new_session(user_id: int, digest: bytes = b"session") -> NewSession:
    """Describe a session."""
    return NewSession(digest, f"public-{digest.hex()}", user_id, "192.0.2.1", "agent")


def new_rule(path: str = "/api/*", **fields: Any) -> AccessRule:  # noqa: ANN401
    """Describe the first rule, of any host, for those with one of two roles and a scope."""
    rule = AccessRule(0, "", 1, path=path, methods=frozenset({"GET", "POST"}), roles=frozenset({"Editor", "Reader"}))
    return replace(rule, scopes=frozenset({"orders.read"}), **fields)


def digest(text: str, pepper: int = 1) -> Digest:
    """Make a digest that is its text, to be told apart by eye."""
    return Digest(pepper, text.encode())
