"""Tokens that tests make by hand, the impossible ones too, which no library would write."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from joserfc.jwa import JWS_ALGORITHMS
from joserfc.jwk import Key, RSAKey

_BY_NAME = {model.name: model for model in JWS_ALGORITHMS}

Signer = Key | bytes | None
"""A private key, a shared secret (HMAC-SHA-256), or nothing at all."""


def encode_part(value: object) -> str:
    """Write a part of a token: a text as it stands, all else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()


def forge(header: object, claims: object, signer: Signer, algorithm: str) -> str:
    """Sign whatever header and claims by an algorithm, which the header need not name."""
    signed = f"{encode_part(header)}.{encode_part(claims)}"
    match signer:
        case None:
            signature = b""
        case bytes():
            signature = hmac.digest(signer, signed.encode(), hashlib.sha256)
        case _:
            signature = _BY_NAME[algorithm].sign(signed.encode(), signer)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the header and the claims of a token, as everybody can read them."""
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in text.split("."))
    return json.loads(header), json.loads(claims)


def as_shared_secret(key: RSAKey) -> bytes:
    """Take a public key, which everybody has, for a secret."""
    return key.as_pem(private=False)


def without(members: Mapping[str, object], *names: str) -> dict[str, object]:
    """Leave members out."""
    return {name: value for name, value in members.items() if name not in names}
