"""Clients that prove themselves by a signature (`private_key_jwt`).

Source: RFC 7523, sections 2.2 and 3; OpenID Connect Core, section 9.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latchgate.core.tokens import Secret
from latchgate.oauth.client_keys import ClientKeys
from latchgate.oauth.signed_tokens import (
    ALGORITHMS,
    UnverifiedToken,
    parse_signed_token,
    read_time,
    signature_holds,
    token_fault,
)

if TYPE_CHECKING:
    from latchgate.oauth.signatures import Key

__all__ = ["ASSERTION_ALGORITHMS", "ASSERTION_TYPE", "VerifiedAssertion", "unverified_client_id", "verify_assertion"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""The value of `client_assertion_type`. Source: RFC 7523, section 2.2."""
ASSERTION_ALGORITHMS = ALGORITHMS
"""What an assertion may be signed with."""

_LENGTH_MAX = 10_000
_LIFETIME_SECONDS_MAX = 600
# How far a client's clock may be ahead of ours. An end is an end, though: there is none of it there.
_SKEW_SECONDS = 60
_JTI_LENGTH_MAX = 255
_TYPES = frozenset({"", "jwt", "client-authentication+jwt"})
_CLIENT_ID = re.compile(r"[!-~]{1,140}")


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """An assertion that its client made just now; whether it was used before is the store's to say."""

    jti: str
    expires_at: int
    """Unix seconds, rounded up: until then its `jti` must be remembered."""


def unverified_client_id(assertion: Secret) -> str | None:
    """Tell whom an assertion claims to be from, to know whose keys verify it; None if it cannot be told."""
    token = parse_signed_token(assertion.text, _LENGTH_MAX)
    subject = token.claims.get("sub") if token else None
    return subject if isinstance(subject, str) and _CLIENT_ID.fullmatch(subject) else None


def verify_assertion(
    assertion: Secret, client_id: str, keys: ClientKeys, audiences: frozenset[str], now: int
) -> VerifiedAssertion | str:
    """Verify that a client signed an assertion for us, and that it is fresh.

    Args:
        assertion: Whatever was sent.
        client_id: Whose keys they are.
        keys: The client's.
        audiences: By what names we go; it must name one of them and nobody else, who could use it again.
        now: Unix seconds.

    Returns:
        What must be remembered of it, or why it is refused: a sentence for the log.
    Source: RFC 7523, section 3; RFC 8725, section 3.
    """
    token = parse_signed_token(assertion.text, _LENGTH_MAX)
    if token is None:
        return "the assertion is not a signed JSON Web Token"
    fault = token_fault(token, _TYPES)
    if fault:
        return fault
    # The signature first: of what nobody signed there is nothing to be said.
    if not any(signature_holds(token, key) for key in _candidates(token, keys)):
        return "no key of the client's signed it"
    return _judge_claims(token, client_id, audiences) or _judge_times(token, now)


def _candidates(token: UnverifiedToken, keys: ClientKeys) -> "Iterator[Key]":
    """Give the keys that may have signed it: the one it names and those without a name, or all if it names none."""
    kid = token.header.get("kid")
    return (key for key in keys.keys if kid is None or key.kid in {None, kid})


def _judge_claims(token: UnverifiedToken, client_id: str, audiences: frozenset[str]) -> str | None:
    claims = token.claims
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return "iss and sub are not both the client's id"
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if len(named) != 1 or named[0] not in list(audiences):
        return "aud does not name this service alone"
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _JTI_LENGTH_MAX or not jti.isprintable():
        return f"jti is not a text of 1 to {_JTI_LENGTH_MAX} printable characters"
    return None


def _judge_times(token: UnverifiedToken, now: int) -> VerifiedAssertion | str:
    claims = token.claims
    expires_at = read_time(claims.get("exp"))
    if expires_at is None:
        return "exp is not a time in Unix seconds"
    if expires_at <= now:
        return "it has expired"
    if expires_at > now + _LIFETIME_SECONDS_MAX + _SKEW_SECONDS:
        return f"exp is more than {_LIFETIME_SECONDS_MAX} seconds ahead"
    for name in ("nbf", "iat"):
        begins_at = read_time(claims.get(name, now))
        if begins_at is None or begins_at > now + _SKEW_SECONDS:
            return f"{name} is not a time that has come"
    return VerifiedAssertion(claims["jti"], math.ceil(expires_at))
