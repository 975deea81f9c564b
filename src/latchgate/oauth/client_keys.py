"""The public keys of a client that signs. Source: RFC 7517; RFC 7518, section 6; RFC 8037, section 2."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.oauth.signed_tokens import ALGORITHMS, parse_json_object

if TYPE_CHECKING:
    from latchgate.oauth.signatures import Key

__all__ = ["ClientKeys", "parse_client_keys"]

_LENGTH_MAX = 20_000
_KEYS_MAX = 20
_KID_LENGTH_MAX = 255
_RSA_BITS_MIN = 2_048
# Above it a signature costs more to verify than a stranger should be able to make us spend; so does a huge exponent.
_RSA_BITS_MAX = 8_192
_EXPONENT_MAX = 2**32
# What a key is made of, by its type and curve; other members are dropped, addresses of certificates among them.
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_CURVES = {"EC": ("P-256", "P-384", "P-521"), "OKP": ("Ed25519",)}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """The keys of a client, checked."""

    text: str
    """What is stored: a JSON Web Key Set of public members alone; it is read again as these keys."""
    keys: tuple["Key", ...] = field(repr=False)


def parse_client_keys(text: str) -> ClientKeys | str:
    """Read a JSON Web Key Set of 1 to 20 public keys: RSA of 2,048 to 8,192 bits, P-256, P-384, P-521 or Ed25519.

    Returns:
        The keys, or a sentence that says what is wrong with which.
    """
    if len(text) > _LENGTH_MAX:
        return f"the key set is longer than {_LENGTH_MAX} characters"
    document = parse_json_object(text)
    jwks = document.get("keys") if document else None
    if not isinstance(jwks, list) or not 1 <= len(jwks) <= _KEYS_MAX:
        return f'not a JSON Web Key Set: use {{"keys": [...]}} with 1 to {_KEYS_MAX} public keys, no member twice'
    keys = []
    for number, jwk in enumerate(jwks, 1):
        key = _parse_key(jwk)
        if isinstance(key, str):
            return f"key {number} {key}"
        keys.append(key)
    names = [key.kid for key in keys if key.kid is not None]
    if len(set(names)) < len(names):
        return "two keys have one kid: give each its own"
    return ClientKeys(json.dumps({"keys": [key.as_dict() for key in keys]}), tuple(keys))


def _parse_key(jwk: object) -> "Key | str":
    if not isinstance(jwk, dict):
        return "is not an object"
    problem = _problem(jwk)
    if problem:
        return problem
    members = {name: jwk[name] for name in ("kty", "kid", *_MEMBERS[jwk["kty"]]) if name in jwk}
    algorithm = jwk.get("alg")
    if algorithm is not None and jwk["kty"] != "OKP":
        # Ed25519 has one algorithm, by two names; for the others it is a choice, which binds whoever signs.
        members["alg"] = algorithm
    with ONE_AT_A_TIME:
        from latchgate.oauth import signatures
    try:
        to_int = signatures.base64_to_int
        if jwk["kty"] == "RSA" and not _is_sound(to_int(jwk["n"]), to_int(jwk["e"])):
            return f"has too few or too many bits: use {_RSA_BITS_MIN} to {_RSA_BITS_MAX} and the exponent 65537"
        key = signatures.import_key(members)
        if algorithm is not None:
            signatures.check_key(algorithm, key)
    except (signatures.JoseError, KeyError, TypeError, ValueError):
        return "is not what RFC 7518 asks of its type, curve and alg"
    return key


def _problem(jwk: dict[str, Any]) -> str | None:
    """Say what of a key can be judged before any of its numbers is read."""
    kind, kid, operations = jwk.get("kty"), jwk.get("kid", "-"), jwk.get("key_ops", ["verify"])
    if not isinstance(kind, str) or kind not in _MEMBERS:
        return "is no public key: its kty must be RSA, EC or OKP"
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        return "has private members: use another key and send its public half, for this one is known now"
    if kind in _CURVES and jwk.get("crv") not in _CURVES[kind]:
        return f"is on another curve than {', '.join(_CURVES[kind])}"
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return "is not for signatures: its use must be sig, and its key_ops, if there are any, hold verify"
    if not isinstance(kid, str) or not kid.isprintable() or not 1 <= len(kid) <= _KID_LENGTH_MAX:
        return f"has a kid that is not a text of 1 to {_KID_LENGTH_MAX} printable characters"
    if jwk.get("alg") is not None and jwk["alg"] not in ALGORITHMS:
        return f"has another alg than {', '.join(ALGORITHMS)}"
    return None


def _is_sound(modulus: int, exponent: int) -> bool:
    return _RSA_BITS_MIN <= modulus.bit_length() <= _RSA_BITS_MAX and exponent <= _EXPONENT_MAX
