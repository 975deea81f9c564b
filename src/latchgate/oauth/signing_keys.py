"""The keys that ID tokens are signed with, and the document by which clients verify them.

Source: RFC 7517; RFC 7518, sections 3.3, 3.4 and 6; OpenID Connect Core, section 10.1.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from latchgate.core.clients import SigningAlgorithm
from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.core.tokens import Secret

__all__ = ["GeneratedKey", "SigningKey", "generate_signing_key", "key_set"]

# RFC 7518, sections 6.2.1 and 6.3.1, and what says how the key is used; nothing else of a key is anybody's business.
_PUBLIC_MEMBERS = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key to sign with."""

    kid: str
    algorithm: SigningAlgorithm
    private_jwk: Secret
    """As a JSON Web Key in JSON."""


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """Both halves of a new key."""

    signing_key: SigningKey
    public_jwk: str
    """As a JSON Web Key in JSON."""


def generate_signing_key(algorithm: SigningAlgorithm, kid: str) -> GeneratedKey:
    """Generate a key of that algorithm: RSA with 2,048 bits, or P-256.

    Args:
        algorithm: What it signs with.
        kid: What tells it from the others, for good.
    """
    with ONE_AT_A_TIME:
        from latchgate.oauth import signatures
    key = signatures.generate_key(algorithm)
    named = {"kid": kid, "use": "sig", "alg": algorithm.value}
    private_jwk = Secret(json.dumps({**key.as_dict(private=True), **named}))
    public_jwk = json.dumps({**key.as_dict(private=False), **named})
    return GeneratedKey(SigningKey(kid, algorithm, private_jwk), public_jwk)


def key_set(public_jwks: Iterable[str]) -> dict[str, Any]:
    """Put keys together as a JSON Web Key Set; of each only public members pass, whatever it was given.

    Source: RFC 7517, section 5.
    """
    keys = [json.loads(jwk) for jwk in public_jwks]
    return {"keys": [{member: key[member] for member in _PUBLIC_MEMBERS if member in key} for key in keys]}
