"""All that joserfc does for us: keys read and made, signatures made and verified; loaded by the first who needs it.

Source: RFC 7515, section 5; RFC 7517; RFC 7518, sections 3 and 6; RFC 8037.
"""

import json
from typing import Any, assert_never

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWS_ALGORITHMS, JWSAlgModel
from joserfc.jwk import ECKey, Key, RSAKey, import_key
from joserfc.util import base64_to_int, urlsafe_b64decode

from latchgate.core.clients import SigningAlgorithm

__all__ = [
    "JoseError",
    "Key",
    "base64_to_int",
    "check_key",
    "generate_key",
    "import_key",
    "sign",
    "sign_with",
    "urlsafe_b64decode",
    "verify",
]

_RSA_BITS = 2_048
_BY_NAME: dict[str, JWSAlgModel] = {model.name: model for model in JWS_ALGORITHMS}
# The former name (RFC 8037) of what RFC 9864 calls Ed25519; Ed448, which it covered too, is not accepted.
_FORMER_NAMES = {"EdDSA": "Ed25519"}


def check_key(algorithm: str, key: Key) -> None:
    """Make sure that type, curve, use and `alg` of a key are those of an algorithm. Raises JoseError, ValueError."""
    _model(algorithm).check_key(key)


def verify(algorithm: str, signed: bytes, signature: bytes, key: Key) -> bool:
    """Whether that key signed it by that algorithm, which is the key's own."""
    model = _model(algorithm)
    try:
        # Before the key is used.
        model.check_key(key)
        return model.verify(signed, signature, key)
    except JoseError:
        return False


def sign(header: dict[str, Any], payload: str, private_jwk: str) -> str:
    """Sign a payload by the algorithm that the header names, in the compact form."""
    return sign_with(header, payload, import_key(json.loads(private_jwk)))


def sign_with(header: dict[str, Any], payload: str, key: Key) -> str:
    """Sign a payload as `sign`, with a key that was read before."""
    return jws.serialize_compact(header, payload, key, [header["alg"]])


def generate_key(algorithm: SigningAlgorithm) -> Key:
    """Generate a key of that algorithm: RSA with 2,048 bits, or P-256."""
    # The randomness is OpenSSL's own: a key cannot be made of bytes that are passed in without writing the search for
    # primes anew, which nobody should.
    match algorithm:
        case SigningAlgorithm.RS256:
            return RSAKey.generate_key(_RSA_BITS)
        case SigningAlgorithm.ES256:
            return ECKey.generate_key("P-256")
        case _:
            assert_never(algorithm)


def _model(algorithm: str) -> JWSAlgModel:
    return _BY_NAME[_FORMER_NAMES.get(algorithm, algorithm)]
