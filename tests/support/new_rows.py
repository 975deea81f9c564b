"""Rows to store, whole but for what a test cares about: `fields` replaces any of them."""

from dataclasses import replace
from typing import Any

from latchgate.core.api_keys import Limits
from latchgate.core.tokens import Digest
from latchgate.core.users import UserType
from latchgate.services.port_values import NewKey, NewRecord, NewSession, NewToken, NewUser

ALL_SCOPES = frozenset({"all"})


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


def new_session(user_id: int, digest: bytes = b"session") -> NewSession:
    """Describe a session."""
    return NewSession(digest, f"public-{digest.hex()}", user_id, "192.0.2.1", "agent")


def digest(text: str, pepper: int = 1) -> Digest:
    """Make a digest that is its text, to be told apart by eye."""
    return Digest(pepper, text.encode())
