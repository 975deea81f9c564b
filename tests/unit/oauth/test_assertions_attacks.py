import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import RSAKey

from latchgate.core.tokens import Secret
from latchgate.oauth.assertions import VerifiedAssertion, unverified_client_id, verify_assertion
from unit.oauth.jwts import Signer, as_shared_secret, encode_part, forge, without
from unit.oauth.signing_client import (
    ALL_KEYS,
    AUDIENCES,
    CLAIMS,
    CLIENT,
    ED25519,
    GOOD,
    NOW,
    OTHER_RSA,
    P256,
    RSA,
    TOKEN_ADDRESS,
    US,
    claiming,
    register,
    verify,
)

_OWN_JWK = OTHER_RSA.as_dict(private=False)


@pytest.mark.parametrize(
    ("header", "signer", "algorithm", "told"),
    [
        pytest.param({"alg": "none"}, None, "", "not a signed", id="no signature"),
        pytest.param({"alg": "none"}, b"x", "", "alg", id="none, with a signature"),
        pytest.param({"alg": "None"}, b"x", "", "alg", id="none, in other letters"),
        pytest.param({"alg": "HS256"}, as_shared_secret(RSA), "", "alg", id="the public key as a secret"),
        pytest.param({"alg": "RS256"}, as_shared_secret(RSA), "", "no key", id="the same, called RS256"),
        pytest.param({"alg": "ES256K"}, P256, "ES256", "alg", id="a curve of coins"),
        pytest.param({"alg": "Ed448"}, ED25519, "Ed25519", "alg", id="another Edwards curve"),
        pytest.param({}, P256, "ES256", "alg", id="no algorithm"),
        pytest.param({"alg": {}}, P256, "ES256", "alg", id="an algorithm that is none"),
        pytest.param({"alg": "RS256"}, P256, "ES256", "no key", id="RS256 with an EC key"),
        pytest.param({"alg": "ES256"}, RSA, "RS256", "no key", id="ES256 with an RSA key"),
        pytest.param({"alg": "RS256"}, RSA, "PS256", "no key", id="another padding"),
        pytest.param({"alg": "RS512"}, RSA, "RS256", "no key", id="another hash"),
        pytest.param({"alg": "RS256"}, OTHER_RSA, "RS256", "no key", id="a foreign key"),
        pytest.param({"alg": "RS256", "jwk": _OWN_JWK}, OTHER_RSA, "RS256", "jwk", id="a key that comes along"),
        pytest.param({"alg": "ES256", "jku": "https://e.example"}, P256, "ES256", "jku", id="an address of keys"),
        pytest.param({"alg": "ES256", "x5u": "https://e.example"}, P256, "ES256", "x5u", id="one of certificates"),
        pytest.param({"alg": "ES256", "x5c": ["MIIB"]}, P256, "ES256", "x5c", id="certificates"),
        pytest.param({"alg": "ES256", "crit": ["exp"], "exp": 1}, P256, "ES256", "crit", id="an unknown extension"),
        pytest.param({"alg": "ES256", "crit": ["b64"], "b64": False}, P256, "ES256", "crit", id="RFC 7797"),
        pytest.param({"alg": "ES256", "b64": False}, P256, "ES256", "b64", id="RFC 7797, not critical"),
        pytest.param({"alg": "ES256", "kid": None}, P256, "ES256", "kid", id="a name that is none"),
        pytest.param({"alg": "ES256", "typ": "at+jwt"}, P256, "ES256", "typ", id="an access token"),
        pytest.param({"alg": "ES256", "typ": "dpop+jwt"}, P256, "ES256", "typ", id="a DPoP proof"),
        pytest.param('{"alg":"ES256","alg":"ES256"}', P256, "ES256", "not a signed", id="a member twice"),
        pytest.param(["alg", "b64"], P256, "ES256", "not a signed", id="a list"),
        pytest.param("{", P256, "ES256", "not a signed", id="no JSON"),
    ],
)
def test_how_it_may_not_be_signed(header: object, signer: Signer, algorithm: str, told: str) -> None:
    """Only a registered key signs, by an algorithm for that key, and nothing in the header changes what that means."""
    refusal = verify(forge(header, CLAIMS, signer, algorithm))

    assert isinstance(refusal, str)
    assert told in refusal


def test_a_key_is_used_by_its_own_algorithm_alone() -> None:
    """A key that was registered for PS256 verifies nothing that is signed by RS256."""
    text = forge({"alg": "RS256"}, CLAIMS, RSA, "RS256")

    assert verify(text, register(RSA, alg="RS256")) == GOOD
    assert verify(text, register(RSA, alg="PS256")) == "no key of the client's signed it"


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"iss": "client0002"}, "iss and sub"),
        ({"sub": "client0002"}, "iss and sub"),
        ({"iss": None}, "iss and sub"),
        ({"iss": [CLIENT]}, "iss and sub"),
        ({"aud": None}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": "https://other.example"}, "aud"),
        ({"aud": US + "/"}, "aud"),
        ({"aud": [US, "https://other.example"]}, "aud"),
        ({"aud": [US, TOKEN_ADDRESS]}, "aud"),
        ({"aud": [[US]]}, "aud"),
        ({"aud": {US: 1}}, "aud"),
        ({"jti": None}, "jti"),
        ({"jti": 1}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": "j" * 256}, "jti"),
        ({"jti": "a\x00b"}, "jti"),
        ({"jti": "\ud800"}, "jti"),
        ({"exp": None}, "exp is not"),
        ({"exp": True}, "exp is not"),
        ({"exp": str(NOW + 300)}, "exp is not"),
        ({"exp": -1}, "exp is not"),
        ({"exp": 10**400}, "exp is not"),
        ({"exp": 2**53}, "exp is not"),
        ({"exp": [NOW + 300]}, "exp is not"),
        ({"exp": 0}, "expired"),
        ({"exp": NOW}, "expired"),
        ({"exp": NOW - 0.5}, "expired"),
        ({"exp": NOW + 661}, "ahead"),
        ({"exp": NOW + 660.5}, "ahead"),
        ({"exp": 2**53 - 1}, "ahead"),
        ({"nbf": NOW + 61}, "nbf"),
        ({"nbf": None}, "nbf"),
        ({"nbf": "0"}, "nbf"),
        ({"iat": NOW + 61}, "iat"),
        ({"iat": False}, "iat"),
    ],
)
def test_what_an_assertion_may_not_say(claims: dict[str, object], told: str) -> None:
    """From another, for another, without an end, for too long, not yet: each is refused."""
    refusal = verify(claiming(**claims))

    assert isinstance(refusal, str)
    assert told in refusal


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "jti"])
def test_what_an_assertion_must_say(claim: str) -> None:
    """None of the five may be left out."""
    refusal = verify(forge({"alg": "ES256"}, without(CLAIMS, claim), P256, "ES256"))

    assert isinstance(refusal, str)
    assert claim in refusal


@pytest.mark.parametrize(
    "claims",
    [
        json.dumps(CLAIMS).replace(str(NOW + 300), "NaN"),
        json.dumps(CLAIMS).replace(str(NOW + 300), "Infinity"),
        json.dumps(CLAIMS).replace(str(NOW + 300), "1e400"),
        json.dumps(CLAIMS).replace(str(NOW + 300), "9" * 5_000),
        json.dumps(CLAIMS).replace('"iss"', '"sub": "client0002", "iss"'),
        json.dumps(CLAIMS).replace('"iss"', '"further": {"a": 1, "a": 2}, "iss"'),
        json.dumps([CLAIMS]),
        "[" * 7_000,
        '{"a":' * 1_400,
        "",
    ],
    ids=lambda claims: claims[-40:],
)
def test_claims_that_are_no_json_object(claims: str) -> None:
    """Numbers that are none, members that come twice and depths without end are refused, whoever signed them."""
    assert isinstance(verify(forge({"alg": "ES256"}, claims, P256, "ES256")), str)


def test_an_encrypted_token_is_none() -> None:
    """What is encrypted to a key of the client's, which everybody can do, proves nothing."""
    key = RSAKey.import_key(RSA.as_dict(private=False))
    protected = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}

    encrypted = jwe.encrypt_compact(protected, json.dumps(CLAIMS), key, list(protected.values()))

    assert verify(encrypted) == "the assertion is not a signed JSON Web Token"


def test_other_forms_are_none() -> None:
    """Only three parts in base64url are read, and no more than 10,000 characters."""
    header, claims, signature = claiming().split(".")

    for text in (
        "",
        "..",
        f"{header}.{claims}",
        f"{header}.{claims}.",
        f"{header}..{signature}",
        f"{header}.{claims}.{signature}.",
        f"{header}.{claims}.{signature}==",
        f"{header}.{claims}.{signature}\n",
        f" {header}.{claims}.{signature}",
        json.dumps({"protected": header, "payload": claims, "signature": signature}),
        claiming(further="x" * 10_000),
        "x" * 1_000_000,
        "." * 1_000_000,
    ):
        assert verify(text) == "the assertion is not a signed JSON Web Token"
        assert unverified_client_id(Secret(text)) is None


def test_a_changed_assertion_is_refused() -> None:
    """Claims and signature belong together."""
    header, _, signature = claiming().split(".")

    changed = f"{header}.{encode_part({**CLAIMS, 'jti': 'j-2'})}.{signature}"

    assert verify(changed) == "no key of the client's signed it"


def test_another_client_cannot_use_it() -> None:
    """A client with the same keys is still another client."""
    refusal = verify_assertion(Secret(claiming()), "client0002", ALL_KEYS, AUDIENCES, NOW)

    assert refusal == "iss and sub are not both the client's id"


def test_without_names_of_ours_nothing_is_for_us() -> None:
    """An audience is needed on our side too."""
    assert isinstance(verify_assertion(Secret(claiming()), CLIENT, ALL_KEYS, frozenset(), NOW), str)
    assert isinstance(verify(claiming(), replace(ALL_KEYS, keys=())), str)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(st.characters()) | st.lists(st.text(alphabet="eyJ{}AQ-_="), min_size=3, max_size=5).map(".".join))
def test_any_text_can_be_an_assertion(text: str) -> None:
    """Whatever comes, nothing is raised and nothing is believed."""
    assert isinstance(verify(text), str)
    assert unverified_client_id(Secret(text)) is None


@given(st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "x"]), _JSON))
def test_any_claims_can_be_signed(claims: dict[str, object]) -> None:
    """Whatever a client signs, nothing is raised; what is accepted is fresh and has a name that can be stored."""
    verdict = verify(claiming(**claims))

    if isinstance(verdict, VerifiedAssertion):
        assert NOW < verdict.expires_at <= NOW + 661
        assert verdict.jti.encode()


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x"]), _JSON))
def test_any_header_can_be_signed(header: dict[str, object]) -> None:
    """Whatever stands in a header, nothing is raised."""
    assert isinstance(verify(forge({"alg": "ES256", **header}, CLAIMS, P256, "ES256")), VerifiedAssertion | str)
