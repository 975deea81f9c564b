"""Identity tokens: what is signed about the caller of one request, for the application that it is passed on to.

They say who asked and what it may do, at that moment; they open nothing here, nor at any other host.

Source: RFC 7519; RFC 8725, sections 3.9 (audience) and 3.11 (type).
"""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.oauth.signing_keys import SigningKey

if TYPE_CHECKING:
    from latchgate.oauth.signatures import Key

__all__ = ["TYPE", "IdentityClaims", "IdentitySigner", "load_signer"]

TYPE = "identity+jwt"
"""Unlike an ID token's, so that neither passes for the other."""


@dataclass(frozen=True, slots=True)
class IdentityClaims:
    """What a token says. Times are Unix seconds."""

    issuer: str
    subject: str
    audience: str
    """The host that was asked for."""
    issued_at: int
    expires_at: int
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    credential: str
    """Its public id."""


@dataclass(frozen=True, slots=True)
class IdentitySigner:
    """A key that is ready to sign."""

    kid: str
    algorithm: str
    key: "Key" = field(repr=False)

    def sign(self, claims: IdentityClaims) -> str:
        """Sign a token, in the compact form."""
        from latchgate.oauth import signatures

        document = {
            "iss": claims.issuer,
            "sub": claims.subject,
            "aud": claims.audience,
            "iat": claims.issued_at,
            "exp": claims.expires_at,
            "roles": claims.roles,
            "scopes": claims.scopes,
            "key": claims.credential,
        }
        header = {"typ": TYPE, "alg": self.algorithm, "kid": self.kid}
        return signatures.sign_with(header, json.dumps(document, separators=(",", ":")), self.key)


def load_signer(key: SigningKey) -> IdentitySigner:
    """Read a key once, for many tokens."""
    with ONE_AT_A_TIME:
        from latchgate.oauth import signatures
    return IdentitySigner(key.kid, key.algorithm.value, signatures.import_key(json.loads(key.private_jwk.text)))
