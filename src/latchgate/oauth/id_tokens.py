"""ID tokens: signed for clients, and read again when one comes back as a hint.

Source: OpenID Connect Core 1.0, sections 2 and 3.1.3; OpenID Connect RP-Initiated Logout 1.0, section 2.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.core.tokens import Secret
from latchgate.oauth.signed_tokens import UnverifiedToken, parse_signed_token, signature_holds, token_fault
from latchgate.oauth.signing_keys import SigningKey

if TYPE_CHECKING:
    from latchgate.oauth.signatures import Key

__all__ = ["IdTokenClaims", "IdTokenHint", "read_id_token_hint", "sign_id_token"]

_LENGTH_MAX = 20_000
_TYPES = frozenset({"jwt"})


@dataclass(frozen=True, slots=True)
class IdTokenClaims:
    """What an ID token says. Times are Unix seconds."""

    issuer: str
    subject: str
    client_id: str
    issued_at: int
    expires_at: int
    auth_time: int
    """When the user signed in."""
    nonce: str = field(default="", repr=False)
    """Of the authorization request; empty if it had none."""
    further: Mapping[str, object] = field(default_factory=dict)
    """Claims about the user; none of them replaces one of those above."""


@dataclass(frozen=True, slots=True)
class IdTokenHint:
    """What an ID token of ours says of whom it is about, and which clients it was for."""

    subject: str
    client_ids: frozenset[str]


def sign_id_token(claims: IdTokenClaims, access_token: Secret, key: SigningKey) -> str:
    """Sign an ID token that goes with an access token.

    Source: OpenID Connect Core, sections 2 and 3.1.3.6.
    """
    document: dict[str, object] = {
        **claims.further,
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.client_id,
        "iat": claims.issued_at,
        "exp": claims.expires_at,
        "auth_time": claims.auth_time,
        "at_hash": _half_hash(access_token),
    }
    # The request's alone: a claim about the user must not pass for it.
    document.pop("nonce", None)
    if claims.nonce:
        document["nonce"] = claims.nonce
    header = {"typ": "JWT", "alg": key.algorithm.value, "kid": key.kid}
    with ONE_AT_A_TIME:
        from latchgate.oauth import signatures
    return signatures.sign(header, json.dumps(document, separators=(",", ":")), key.private_jwk.text)


def read_id_token_hint(text: str, public_jwks: Iterable[str], issuer: str) -> IdTokenHint | None:
    """Read an ID token that came back; None for any text that is none of ours. It may have expired long ago.

    Args:
        text: Whatever was sent.
        public_jwks: The keys of ours, retired ones too, as JSON Web Keys in JSON.
        issuer: Who we are.
    Source: OpenID Connect Core, section 3.1.2.1 (`id_token_hint`).
    """
    token = parse_signed_token(text, _LENGTH_MAX)
    if token is None or token_fault(token, _TYPES):
        return None
    key = _find_key(token, public_jwks)
    if key is None or not signature_holds(token, key) or token.claims.get("iss") != issuer:
        return None
    subject, audience = token.claims.get("sub"), token.claims.get("aud")
    client_ids: list[object] = audience if isinstance(audience, list) else [audience]
    names = frozenset(client_id for client_id in client_ids if isinstance(client_id, str))
    return IdTokenHint(subject, names) if isinstance(subject, str) and len(names) == len(client_ids) else None


def _find_key(token: UnverifiedToken, public_jwks: Iterable[str]) -> "Key | None":
    with ONE_AT_A_TIME:
        from latchgate.oauth import signatures
    # Each of our keys has a name and one algorithm, which the key itself is asked for when it verifies.
    for jwk in map(json.loads, public_jwks):
        if jwk["kid"] == token.header.get("kid"):
            return signatures.import_key(jwk)
    return None


def _half_hash(access_token: Secret) -> str:
    # By the hash of the signature's algorithm, which is SHA-256 for RS256 as for ES256.
    digest = hashlib.sha256(access_token.text.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
