"""JSON Web Tokens that somebody else sends: how they are read before anything is verified, and what verifies them.

Parsing is stricter than the library's, so that no text means two things; the signatures themselves are joserfc's.

Source: RFC 7515, sections 4, 5.2 and 7.1; RFC 7519, section 7.2; RFC 8725.
"""

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from latchgate.core.late_loading import ONE_AT_A_TIME

if TYPE_CHECKING:
    from latchgate.oauth.signatures import Key

__all__ = [
    "ALGORITHMS",
    "UnverifiedToken",
    "parse_json_object",
    "parse_signed_token",
    "read_time",
    "signature_holds",
    "token_fault",
]

# Asymmetric ones alone: a public key must never serve as a shared secret, nor may there be no signature at all.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
    *("Ed25519", "EdDSA"),
)
"""What a token may be signed with, by the names of its `alg`."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Extensions that must be understood (none are), an unencoded payload, and keys that come with what they are to verify.
_REFUSED_HEADERS = ("crit", "b64", "jwk", "jku", "x5u", "x5c")


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token as it was sent; nothing in it is to be believed yet."""

    header: dict[str, Any]
    claims: dict[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    """What the signature is over."""
    signature: bytes = field(repr=False)


def parse_json_object(text: str) -> dict[str, Any] | None:
    """Read a JSON object, strictly: no member comes twice, and there is no NaN; None for any other text."""
    try:
        value = json.loads(text, object_pairs_hook=_each_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def parse_signed_token(text: str, length_max: int) -> UnverifiedToken | None:
    """Read a token of the compact form with three parts; None for any other text, encrypted ones too.

    Args:
        text: Whatever was sent.
        length_max: Characters; longer ones are not looked at.
    """
    if len(text) > length_max or not _COMPACT.fullmatch(text):
        return None
    signed, _, signature = text.encode().rpartition(b".")
    header_part, _, claims_part = signed.partition(b".")
    with ONE_AT_A_TIME:
        from latchgate.oauth import signatures
    try:
        # As UTF-8 and nothing else (RFC 7515, section 2): given bytes, json would guess.
        header = parse_json_object(signatures.urlsafe_b64decode(header_part).decode())
        claims = parse_json_object(signatures.urlsafe_b64decode(claims_part).decode())
        raw_signature = signatures.urlsafe_b64decode(signature)
    except ValueError:
        return None
    if header is None or claims is None:
        return None
    return UnverifiedToken(header, claims, signed, raw_signature)


def token_fault(token: UnverifiedToken, types: frozenset[str]) -> str | None:
    """Say what in a token's header rules it out whatever its signature; None if nothing does.

    Args:
        token: As it was sent.
        types: The values of `typ` that are accepted, in lower case; "" for none at all.
    """
    refused = [name for name in _REFUSED_HEADERS if name in token.header]
    if refused:
        return f"the header {refused[0]} is not accepted"
    algorithm = token.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        return f"alg is not accepted: use one of {', '.join(ALGORITHMS)}"
    if not isinstance(token.header.get("kid", ""), str):
        return "kid is not a text"
    # A token of one kind must not pass for one of another (RFC 8725, section 3.11).
    kind = token.header.get("typ", "")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        return "typ is not that of such a token"
    return None


def signature_holds(token: UnverifiedToken, key: "Key") -> bool:
    """Whether the token was signed with the private half of that key, by an algorithm that is the key's.

    Only for a token without a fault: its `alg` is one of ALGORITHMS.

    Source: RFC 7515, section 5.2; RFC 8725, section 3.1.
    """
    with ONE_AT_A_TIME:
        from latchgate.oauth import signatures
    return signatures.verify(token.header["alg"], token.signed, token.signature, key)


def read_time(value: object) -> float | None:
    """Read a NumericDate, Unix seconds; None if it is no number that a time can be. Source: RFC 7519, section 2."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Neither infinity nor what is no number lies between these, nor an integer that a float would round.
    return value if 0 <= value < 2**53 else None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        # Whoever reads the first and whoever reads the last would see two different tokens.
        raise ValueError("a member comes twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
