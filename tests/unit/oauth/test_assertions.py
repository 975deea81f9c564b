import json

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key

from latchgate.core.tokens import Secret
from latchgate.oauth.assertions import ASSERTION_ALGORITHMS, VerifiedAssertion, unverified_client_id
from latchgate.oauth.client_keys import ClientKeys, parse_client_keys
from unit.oauth.jwts import forge, without
from unit.oauth.signing_client import (
    ALL_KEYS,
    CLAIMS,
    CLIENT,
    ED25519,
    GOOD,
    NOW,
    OTHER_RSA,
    P256,
    P384,
    P521,
    RSA,
    TOKEN_ADDRESS,
    US,
    claiming,
    register,
    verify,
)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        *((f"{family}{bits}", RSA) for family in ("RS", "PS") for bits in (256, 384, 512)),
        ("ES256", P256),
        ("ES384", P384),
        ("ES512", P521),
        ("Ed25519", ED25519),
    ],
)
def test_a_client_signs_by_any_algorithm_for_its_key(algorithm: str, key: Key) -> None:
    """What a library of the client's signs is verified, with the client's keys alone or among others."""
    text = jwt.encode({"alg": algorithm}, dict(CLAIMS), key, [algorithm])

    assert algorithm in ASSERTION_ALGORITHMS
    assert verify(text) == GOOD
    assert verify(text, register(key)) == GOOD
    assert verify(text, register(key, alg=algorithm)) == GOOD
    assert isinstance(verify(text, register(OTHER_RSA, ECKey.generate_key("P-256"))), str)


def test_ed25519_goes_by_its_former_name_too() -> None:
    """`EdDSA` is what most libraries still write, in tokens and in keys."""
    text = forge({"alg": "EdDSA"}, CLAIMS, ED25519, "Ed25519")

    for keys in (ALL_KEYS, register(ED25519, alg="EdDSA"), register(ED25519, alg="Ed25519")):
        assert verify(text, keys) == GOOD


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": TOKEN_ADDRESS},
        {"aud": [US]},
        {"exp": NOW + 1},
        {"exp": NOW + 660},
        {"nbf": NOW + 60, "iat": NOW + 60},
        {"nbf": 0},
        {"jti": "j" * 255},
        {"jti": "ü"},
        {"further": {"a": [1]}},
    ],
)
def test_what_an_assertion_may_say(claims: dict[str, object]) -> None:
    """An assertion for us, of ten minutes at most, by a clock that is a minute ahead at most."""
    assert isinstance(verify(claiming(**claims)), VerifiedAssertion)


def test_a_fraction_of_a_second_counts() -> None:
    """Times may have fractions; what must be remembered is remembered long enough."""
    assert verify(claiming(exp=NOW + 299.5, iat=NOW - 0.5)) == GOOD


def test_times_need_not_be_said_but_the_end() -> None:
    """`iat` and `nbf` are optional (RFC 7523, section 3)."""
    assert verify(forge({"alg": "ES256"}, without(CLAIMS, "iat"), P256, "ES256")) == GOOD


@pytest.mark.parametrize("kind", ["JWT", "jwt", "application/jwt", "client-authentication+jwt"])
def test_its_type_may_be_said(kind: str) -> None:
    """A type is that of a token in general or that of such a token."""
    assert verify(forge({"alg": "ES256", "typ": kind}, CLAIMS, P256, "ES256")) == GOOD


def test_the_name_picks_the_key() -> None:
    """A key that is named must have signed; keys without a name are tried for any."""
    keys = parse_client_keys(
        json.dumps(
            {
                "keys": [
                    {**RSA.as_dict(private=False), "kid": "a"},
                    {**OTHER_RSA.as_dict(private=False), "kid": "b"},
                    P256.as_dict(private=False),
                ]
            }
        )
    )
    assert isinstance(keys, ClientKeys)

    def verdict(kid: str, signer: Key, algorithm: str) -> VerifiedAssertion | str:
        return verify(forge({"alg": algorithm, "kid": kid}, CLAIMS, signer, algorithm), keys)

    assert verdict("a", RSA, "RS256") == GOOD
    assert verdict("b", OTHER_RSA, "RS256") == GOOD
    assert verdict("c", P256, "ES256") == GOOD
    for kid, signer in (("b", RSA), ("a", OTHER_RSA), ("c", RSA), ("", RSA), ("A", RSA)):
        assert verdict(kid, signer, "RS256") == "no key of the client's signed it"


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (CLIENT, CLIENT),
        ("", None),
        ("a b", None),
        ("ü", None),
        ("\ud800", None),
        ("a\x00", None),
        ("x" * 141, None),
        (1, None),
        (None, None),
        ([CLIENT], None),
    ],
)
def test_whose_it_claims_to_be(subject: object, found: str | None) -> None:
    """The subject is read to find the keys, before anything is proved, if it can be a client's id at all."""
    assert unverified_client_id(Secret(forge({"alg": "none"}, {"sub": subject}, b"x", ""))) == found
