import base64
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from latchgate.oauth.client_keys import ClientKeys, parse_client_keys
from unit.oauth.jwts import without

_RSA = dict(RSAKey.generate_key(2_048, private=False).as_dict())
_P256 = dict(ECKey.generate_key("P-256", private=False).as_dict())
_P521 = dict(ECKey.generate_key("P-521", private=False).as_dict())
_ED25519 = dict(OKPKey.generate_key("Ed25519", private=False).as_dict())


def _set_of(*jwks: object) -> str:
    return json.dumps({"keys": jwks})


def _number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "jwk",
    [
        _RSA,
        _P256,
        _P521,
        _ED25519,
        {**_RSA, "kid": "k" * 255, "use": "sig", "alg": "PS512", "key_ops": ["verify"]},
        {**_RSA, "alg": None},
        {**_P256, "alg": "ES256"},
        {**_ED25519, "alg": "EdDSA"},
        {**_ED25519, "alg": "Ed25519"},
        {**_RSA, "x5c": ["MIIB"], "x5u": "http://169.254.169.254/", "further": 1},
    ],
)
def test_a_public_key_is_read(jwk: dict[str, object]) -> None:
    """Each kind that is accepted is kept as it is, with its name and without what nobody needs."""
    keys = parse_client_keys(_set_of(jwk))

    assert isinstance(keys, ClientKeys)
    kept = json.loads(keys.text)["keys"][0]
    assert kept == {name: jwk[name] for name in kept}
    assert {"kty", "kid", "n", "e", "crv", "x", "y"} & set(jwk) <= set(kept)
    assert {"x5c", "x5u", "further", "key_ops"}.isdisjoint(kept)
    assert "MIIB" not in repr(keys)


def test_what_is_stored_is_read_again() -> None:
    """The text of a client's keys gives the same keys."""
    keys = parse_client_keys(_set_of({**_RSA, "kid": "a", "alg": "RS256"}, {**_P256, "kid": "b"}, _ED25519, _P521))

    assert isinstance(keys, ClientKeys)
    assert parse_client_keys(keys.text) == keys


_SMALL = 2**1023 + 1
_TWICE = _set_of(_P256).replace('"kty"', '"kty": "RSA", "kty"')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a JSON Web Key Set"),
        ("[]", "not a JSON Web Key Set"),
        ("{}", "not a JSON Web Key Set"),
        ("null", "not a JSON Web Key Set"),
        ('{"keys": 1}', "not a JSON Web Key Set"),
        ('{"keys": NaN}', "not a JSON Web Key Set"),
        (_set_of(), "not a JSON Web Key Set"),
        (_set_of(*[_P256] * 21), "not a JSON Web Key Set"),
        (json.dumps(_P256), "not a JSON Web Key Set"),
        ("[" * 19_000, "not a JSON Web Key Set"),
        (_TWICE, "not a JSON Web Key Set"),
        (" " * 20_001, "longer than 20000"),
        (_set_of(_P256, 1), "key 2 is not an object"),
        (_set_of({**_P256, "kid": "a"}, {**_P521, "kid": "a"}), "two keys have one kid"),
    ],
)
def test_what_is_no_key_set(text: str, told: str) -> None:
    """A text that is no set of 1 to 20 keys with names of their own is refused by a sentence."""
    problem = parse_client_keys(text)

    assert isinstance(problem, str)
    assert told in problem


@pytest.mark.parametrize(
    ("jwk", "told"),
    [
        pytest.param({}, "no public key", id="empty"),
        pytest.param({**_RSA, "kty": ["RSA"]}, "no public key", id="type is none"),
        pytest.param({**_RSA, "kty": "rsa"}, "no public key", id="unknown type"),
        pytest.param(dict(OctKey.generate_key(256).as_dict(private=True)), "no public key", id="shared secret"),
        pytest.param(dict(ECKey.generate_key("P-256").as_dict(private=True)), "private members", id="private EC"),
        pytest.param(dict(RSAKey.generate_key(2_048).as_dict(private=True)), "private members", id="private RSA"),
        pytest.param({**_RSA, "k": "x"}, "private members", id="a secret beside"),
        pytest.param(dict(OKPKey.generate_key("X25519", private=False).as_dict()), "another curve", id="X25519"),
        pytest.param(dict(OKPKey.generate_key("Ed448", private=False).as_dict()), "another curve", id="Ed448"),
        pytest.param(dict(ECKey.generate_key("secp256k1", private=False).as_dict()), "another curve", id="secp256k1"),
        pytest.param({**_P256, "crv": ["P-256"]}, "another curve", id="curve is none"),
        pytest.param({**_RSA, "use": "enc"}, "not for signatures", id="for encryption"),
        pytest.param({**_RSA, "use": ["sig"]}, "not for signatures", id="use is none"),
        pytest.param({**_RSA, "key_ops": ["encrypt"]}, "not for signatures", id="other operations"),
        pytest.param({**_RSA, "key_ops": "verify"}, "not for signatures", id="operations are none"),
        pytest.param({**_RSA, "kid": 1}, "kid", id="name is a number"),
        pytest.param({**_RSA, "kid": ""}, "kid", id="name is empty"),
        pytest.param({**_RSA, "kid": "k" * 256}, "kid", id="name too long"),
        pytest.param({**_RSA, "kid": "a\x00b"}, "kid", id="control characters"),
        pytest.param({**_RSA, "kid": "\ud800"}, "kid", id="half a surrogate pair"),
        pytest.param({**_RSA, "alg": "HS256"}, "another alg", id="HS256"),
        pytest.param({**_RSA, "alg": "none"}, "another alg", id="none"),
        pytest.param({**_RSA, "alg": "RSA-OAEP"}, "another alg", id="encryption"),
        pytest.param({**_RSA, "alg": ["RS256"]}, "another alg", id="alg is none"),
        pytest.param({**_RSA, "alg": "ES256"}, "asks of its type", id="alg of another type"),
        pytest.param({**_P256, "alg": "ES384"}, "asks of its type", id="alg of another curve"),
        pytest.param({**_ED25519, "alg": "RS256"}, "asks of its type", id="RSA on Ed25519"),
        pytest.param({**_RSA, "n": _number(_SMALL)}, "bits", id="1024 bits"),
        pytest.param({**_RSA, "n": _number(2**8192 + 1)}, "bits", id="8193 bits"),
        pytest.param({**_RSA, "e": _number(2**32 + 1)}, "bits", id="huge exponent"),
        pytest.param({**_RSA, "e": "AQ"}, "asks of its type", id="exponent 1"),
        pytest.param({**_RSA, "e": "AA"}, "asks of its type", id="exponent 0"),
        pytest.param({**_RSA, "n": ""}, "asks of its type", id="empty modulus"),
        pytest.param({**_RSA, "n": None}, "asks of its type", id="no modulus"),
        pytest.param({**_RSA, "n": "\ud800"}, "asks of its type", id="modulus is no text"),
        pytest.param({**_RSA, "e": 65537}, "asks of its type", id="exponent is a number"),
        pytest.param(without(_RSA, "n"), "asks of its type", id="modulus missing"),
        pytest.param({**_P256, "x": _P256["y"]}, "asks of its type", id="not on the curve"),
        pytest.param({**_P256, "crv": "P-384"}, "asks of its type", id="point of another curve"),
        pytest.param(without(_P256, "y"), "asks of its type", id="half a point"),
        pytest.param({**_ED25519, "x": "AA"}, "asks of its type", id="too short"),
    ],
)
def test_what_is_no_key(jwk: Mapping[str, object], told: str) -> None:
    """Private halves, shared secrets, weak keys, slow keys and keys for something else are refused by a sentence."""
    problem = parse_client_keys(_set_of(jwk))

    assert isinstance(problem, str)
    assert problem.startswith("key 1 ")
    assert told in problem


_VALUES = st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.lists(st.text(), max_size=2)


@given(
    st.sampled_from([_RSA, _P256, _ED25519]),
    st.sampled_from(["kty", "kid", "use", "alg", "key_ops", "n", "e", "crv", "x", "y", "x5c"]),
    _VALUES | st.sampled_from([*_RSA.values(), *_P256.values(), *_ED25519.values()]),
)
def test_any_member_may_be_anything(jwk: dict[str, object], name: str, value: object) -> None:
    """Whatever a key says of itself, nothing is raised, and what was read is read again."""
    keys = parse_client_keys(_set_of({**jwk, name: value}))

    assert isinstance(keys, str) or parse_client_keys(keys.text) == keys
