"""A client that signs, and its keys, with which the tests of assertions begin."""

import json

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from latchgate.core.tokens import Secret
from latchgate.oauth.assertions import VerifiedAssertion, verify_assertion
from latchgate.oauth.client_keys import ClientKeys, parse_client_keys
from unit.oauth.jwts import forge

NOW = 1_800_000_000
US = "https://latchgate.example"
TOKEN_ADDRESS = f"{US}/api/method/frappe.integrations.oauth2.get_token"
AUDIENCES = frozenset({US, TOKEN_ADDRESS})
CLIENT = "client0001"
RSA = RSAKey.generate_key(2_048)
OTHER_RSA = RSAKey.generate_key(2_048)
P256 = ECKey.generate_key("P-256")
P384 = ECKey.generate_key("P-384")
P521 = ECKey.generate_key("P-521")
ED25519 = OKPKey.generate_key("Ed25519")
CLAIMS = {"iss": CLIENT, "sub": CLIENT, "aud": US, "exp": NOW + 300, "iat": NOW, "jti": "j-1"}
GOOD = VerifiedAssertion("j-1", NOW + 300)


def register(*keys: Key, **members: object) -> ClientKeys:
    """Register the public halves, each with further members."""
    read = parse_client_keys(json.dumps({"keys": [{**key.as_dict(private=False), **members} for key in keys]}))
    assert isinstance(read, ClientKeys)
    return read


ALL_KEYS = register(RSA, P256, P384, P521, ED25519)


def verify(text: str, keys: ClientKeys = ALL_KEYS) -> VerifiedAssertion | str:
    """Verify what the client sends."""
    return verify_assertion(Secret(text), CLIENT, keys, AUDIENCES, NOW)


def claiming(**claims: object) -> str:
    """Sign as the client does, with some claims replaced."""
    return forge({"alg": "ES256"}, {**CLAIMS, **claims}, P256, "ES256")
