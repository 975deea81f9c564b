import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe, jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from latchgate.core.tokens import Secret
from latchgate.oauth.assertions import (
    ASSERTION_ALGORITHMS,
    VerifiedAssertion,
    unverified_client_id,
    verify_assertion,
)
from latchgate.oauth.client_keys import ClientKeys, parse_client_keys
from unit.oauth.jwts import Signer, as_shared_secret, encode_part, forge, without

NOW = 1_800_000_000
_US = "https://latchgate.example"
_TOKEN_ADDRESS = f"{_US}/api/method/frappe.integrations.oauth2.get_token"
_AUDIENCES = frozenset({_US, _TOKEN_ADDRESS})
_CLIENT = "client0001"
_RSA = RSAKey.generate_key(2_048)
_OTHER_RSA = RSAKey.generate_key(2_048)
_P256 = ECKey.generate_key("P-256")
_P384 = ECKey.generate_key("P-384")
_P521 = ECKey.generate_key("P-521")
_ED25519 = OKPKey.generate_key("Ed25519")
_CLAIMS = {"iss": _CLIENT, "sub": _CLIENT, "aud": _US, "exp": NOW + 300, "iat": NOW, "jti": "j-1"}
_GOOD = VerifiedAssertion("j-1", NOW + 300)


def _keys(*keys: Key, **members: object) -> ClientKeys:
    """Register the public halves, each with further members."""
    read = parse_client_keys(json.dumps({"keys": [{**key.as_dict(private=False), **members} for key in keys]}))
    assert isinstance(read, ClientKeys)
    return read


_ALL = _keys(_RSA, _P256, _P384, _P521, _ED25519)


def _verify(text: str, keys: ClientKeys = _ALL) -> VerifiedAssertion | str:
    return verify_assertion(Secret(text), _CLIENT, keys, _AUDIENCES, NOW)


def _claiming(**claims: object) -> str:
    return forge({"alg": "ES256"}, {**_CLAIMS, **claims}, _P256, "ES256")


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        *((f"{family}{bits}", _RSA) for family in ("RS", "PS") for bits in (256, 384, 512)),
        ("ES256", _P256),
        ("ES384", _P384),
        ("ES512", _P521),
        ("Ed25519", _ED25519),
    ],
)
def test_a_client_signs_by_any_algorithm_for_its_key(algorithm: str, key: Key) -> None:
    """What a library of the client's signs is verified, with the client's keys alone or among others."""
    text = jwt.encode({"alg": algorithm}, dict(_CLAIMS), key, [algorithm])

    assert algorithm in ASSERTION_ALGORITHMS
    assert _verify(text) == _GOOD
    assert _verify(text, _keys(key)) == _GOOD
    assert _verify(text, _keys(key, alg=algorithm)) == _GOOD
    assert isinstance(_verify(text, _keys(_OTHER_RSA, ECKey.generate_key("P-256"))), str)


def test_ed25519_goes_by_its_former_name_too() -> None:
    """`EdDSA` is what most libraries still write, in tokens and in keys."""
    text = forge({"alg": "EdDSA"}, _CLAIMS, _ED25519, "Ed25519")

    for keys in (_ALL, _keys(_ED25519, alg="EdDSA"), _keys(_ED25519, alg="Ed25519")):
        assert _verify(text, keys) == _GOOD


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": _TOKEN_ADDRESS},
        {"aud": [_US]},
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
    assert isinstance(_verify(_claiming(**claims)), VerifiedAssertion)


def test_a_fraction_of_a_second_counts() -> None:
    """Times may have fractions; what must be remembered is remembered long enough."""
    assert _verify(_claiming(exp=NOW + 299.5, iat=NOW - 0.5)) == _GOOD


def test_times_need_not_be_said_but_the_end() -> None:
    """`iat` and `nbf` are optional (RFC 7523, section 3)."""
    assert _verify(forge({"alg": "ES256"}, without(_CLAIMS, "iat"), _P256, "ES256")) == _GOOD


@pytest.mark.parametrize("kind", ["JWT", "jwt", "application/jwt", "client-authentication+jwt"])
def test_its_type_may_be_said(kind: str) -> None:
    """A type is that of a token in general or that of such a token."""
    assert _verify(forge({"alg": "ES256", "typ": kind}, _CLAIMS, _P256, "ES256")) == _GOOD


def test_the_name_picks_the_key() -> None:
    """A key that is named must have signed; keys without a name are tried for any."""
    keys = parse_client_keys(
        json.dumps(
            {
                "keys": [
                    {**_RSA.as_dict(private=False), "kid": "a"},
                    {**_OTHER_RSA.as_dict(private=False), "kid": "b"},
                    _P256.as_dict(private=False),
                ]
            }
        )
    )
    assert isinstance(keys, ClientKeys)

    def verdict(kid: str, signer: Key, algorithm: str) -> VerifiedAssertion | str:
        return _verify(forge({"alg": algorithm, "kid": kid}, _CLAIMS, signer, algorithm), keys)

    assert verdict("a", _RSA, "RS256") == _GOOD
    assert verdict("b", _OTHER_RSA, "RS256") == _GOOD
    assert verdict("c", _P256, "ES256") == _GOOD
    for kid, signer in (("b", _RSA), ("a", _OTHER_RSA), ("c", _RSA), ("", _RSA), ("A", _RSA)):
        assert verdict(kid, signer, "RS256") == "no key of the client's signed it"


_OWN_JWK = _OTHER_RSA.as_dict(private=False)


@pytest.mark.parametrize(
    ("header", "signer", "algorithm", "told"),
    [
        pytest.param({"alg": "none"}, None, "", "not a signed", id="no signature"),
        pytest.param({"alg": "none"}, b"x", "", "alg", id="none, with a signature"),
        pytest.param({"alg": "None"}, b"x", "", "alg", id="none, in other letters"),
        pytest.param({"alg": "HS256"}, as_shared_secret(_RSA), "", "alg", id="the public key as a secret"),
        pytest.param({"alg": "RS256"}, as_shared_secret(_RSA), "", "no key", id="the same, called RS256"),
        pytest.param({"alg": "ES256K"}, _P256, "ES256", "alg", id="a curve of coins"),
        pytest.param({"alg": "Ed448"}, _ED25519, "Ed25519", "alg", id="another Edwards curve"),
        pytest.param({}, _P256, "ES256", "alg", id="no algorithm"),
        pytest.param({"alg": {}}, _P256, "ES256", "alg", id="an algorithm that is none"),
        pytest.param({"alg": "RS256"}, _P256, "ES256", "no key", id="RS256 with an EC key"),
        pytest.param({"alg": "ES256"}, _RSA, "RS256", "no key", id="ES256 with an RSA key"),
        pytest.param({"alg": "RS256"}, _RSA, "PS256", "no key", id="another padding"),
        pytest.param({"alg": "RS512"}, _RSA, "RS256", "no key", id="another hash"),
        pytest.param({"alg": "RS256"}, _OTHER_RSA, "RS256", "no key", id="a foreign key"),
        pytest.param({"alg": "RS256", "jwk": _OWN_JWK}, _OTHER_RSA, "RS256", "jwk", id="a key that comes along"),
        pytest.param({"alg": "ES256", "jku": "https://e.example"}, _P256, "ES256", "jku", id="an address of keys"),
        pytest.param({"alg": "ES256", "x5u": "https://e.example"}, _P256, "ES256", "x5u", id="one of certificates"),
        pytest.param({"alg": "ES256", "x5c": ["MIIB"]}, _P256, "ES256", "x5c", id="certificates"),
        pytest.param({"alg": "ES256", "crit": ["exp"], "exp": 1}, _P256, "ES256", "crit", id="an unknown extension"),
        pytest.param({"alg": "ES256", "crit": ["b64"], "b64": False}, _P256, "ES256", "crit", id="RFC 7797"),
        pytest.param({"alg": "ES256", "b64": False}, _P256, "ES256", "b64", id="RFC 7797, not critical"),
        pytest.param({"alg": "ES256", "kid": None}, _P256, "ES256", "kid", id="a name that is none"),
        pytest.param({"alg": "ES256", "typ": "at+jwt"}, _P256, "ES256", "typ", id="an access token"),
        pytest.param({"alg": "ES256", "typ": "dpop+jwt"}, _P256, "ES256", "typ", id="a DPoP proof"),
        pytest.param('{"alg":"ES256","alg":"ES256"}', _P256, "ES256", "not a signed", id="a member twice"),
        pytest.param(["alg", "b64"], _P256, "ES256", "not a signed", id="a list"),
        pytest.param("{", _P256, "ES256", "not a signed", id="no JSON"),
    ],
)
def test_how_it_may_not_be_signed(header: object, signer: Signer, algorithm: str, told: str) -> None:
    """Only a registered key signs, by an algorithm for that key, and nothing in the header changes what that means."""
    refusal = _verify(forge(header, _CLAIMS, signer, algorithm))

    assert isinstance(refusal, str)
    assert told in refusal


def test_a_key_is_used_by_its_own_algorithm_alone() -> None:
    """A key that was registered for PS256 verifies nothing that is signed by RS256."""
    text = forge({"alg": "RS256"}, _CLAIMS, _RSA, "RS256")

    assert _verify(text, _keys(_RSA, alg="RS256")) == _GOOD
    assert _verify(text, _keys(_RSA, alg="PS256")) == "no key of the client's signed it"


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"iss": "client0002"}, "iss and sub"),
        ({"sub": "client0002"}, "iss and sub"),
        ({"iss": None}, "iss and sub"),
        ({"iss": [_CLIENT]}, "iss and sub"),
        ({"aud": None}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": "https://other.example"}, "aud"),
        ({"aud": _US + "/"}, "aud"),
        ({"aud": [_US, "https://other.example"]}, "aud"),
        ({"aud": [_US, _TOKEN_ADDRESS]}, "aud"),
        ({"aud": [[_US]]}, "aud"),
        ({"aud": {_US: 1}}, "aud"),
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
    refusal = _verify(_claiming(**claims))

    assert isinstance(refusal, str)
    assert told in refusal


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "jti"])
def test_what_an_assertion_must_say(claim: str) -> None:
    """None of the five may be left out."""
    refusal = _verify(forge({"alg": "ES256"}, without(_CLAIMS, claim), _P256, "ES256"))

    assert isinstance(refusal, str)
    assert claim in refusal


@pytest.mark.parametrize(
    "claims",
    [
        json.dumps(_CLAIMS).replace(str(NOW + 300), "NaN"),
        json.dumps(_CLAIMS).replace(str(NOW + 300), "Infinity"),
        json.dumps(_CLAIMS).replace(str(NOW + 300), "1e400"),
        json.dumps(_CLAIMS).replace(str(NOW + 300), "9" * 5_000),
        json.dumps(_CLAIMS).replace('"iss"', '"sub": "client0002", "iss"'),
        json.dumps(_CLAIMS).replace('"iss"', '"further": {"a": 1, "a": 2}, "iss"'),
        json.dumps([_CLAIMS]),
        "[" * 7_000,
        '{"a":' * 1_400,
        "",
    ],
    ids=lambda claims: claims[-40:],
)
def test_claims_that_are_no_json_object(claims: str) -> None:
    """Numbers that are none, members that come twice and depths without end are refused, whoever signed them."""
    assert isinstance(_verify(forge({"alg": "ES256"}, claims, _P256, "ES256")), str)


def test_an_encrypted_token_is_none() -> None:
    """What is encrypted to a key of the client's, which everybody can do, proves nothing."""
    key = RSAKey.import_key(_RSA.as_dict(private=False))
    protected = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}

    encrypted = jwe.encrypt_compact(protected, json.dumps(_CLAIMS), key, list(protected.values()))

    assert _verify(encrypted) == "the assertion is not a signed JSON Web Token"


def test_other_forms_are_none() -> None:
    """Only three parts in base64url are read, and no more than 10,000 characters."""
    header, claims, signature = _claiming().split(".")

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
        _claiming(further="x" * 10_000),
        "x" * 1_000_000,
        "." * 1_000_000,
    ):
        assert _verify(text) == "the assertion is not a signed JSON Web Token"
        assert unverified_client_id(Secret(text)) is None


def test_a_changed_assertion_is_refused() -> None:
    """Claims and signature belong together."""
    header, _, signature = _claiming().split(".")

    changed = f"{header}.{encode_part({**_CLAIMS, 'jti': 'j-2'})}.{signature}"

    assert _verify(changed) == "no key of the client's signed it"


def test_another_client_cannot_use_it() -> None:
    """A client with the same keys is still another client."""
    refusal = verify_assertion(Secret(_claiming()), "client0002", _ALL, _AUDIENCES, NOW)

    assert refusal == "iss and sub are not both the client's id"


def test_without_names_of_ours_nothing_is_for_us() -> None:
    """An audience is needed on our side too."""
    assert isinstance(verify_assertion(Secret(_claiming()), _CLIENT, _ALL, frozenset(), NOW), str)
    assert isinstance(_verify(_claiming(), replace(_ALL, keys=())), str)


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (_CLIENT, _CLIENT),
        ("", None),
        ("a b", None),
        ("ü", None),
        ("\ud800", None),
        ("a\x00", None),
        ("x" * 141, None),
        (1, None),
        (None, None),
        ([_CLIENT], None),
    ],
)
def test_whose_it_claims_to_be(subject: object, found: str | None) -> None:
    """The subject is read to find the keys, before anything is proved, if it can be a client's id at all."""
    assert unverified_client_id(Secret(forge({"alg": "none"}, {"sub": subject}, b"x", ""))) == found


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(st.characters()) | st.lists(st.text(alphabet="eyJ{}AQ-_="), min_size=3, max_size=5).map(".".join))
def test_any_text_can_be_an_assertion(text: str) -> None:
    """Whatever comes, nothing is raised and nothing is believed."""
    assert isinstance(_verify(text), str)
    assert unverified_client_id(Secret(text)) is None


@given(st.dictionaries(st.sampled_from([*_CLAIMS, "nbf", "x"]), _JSON))
def test_any_claims_can_be_signed(claims: dict[str, object]) -> None:
    """Whatever a client signs, nothing is raised; what is accepted is fresh and has a name that can be stored."""
    verdict = _verify(_claiming(**claims))

    if isinstance(verdict, VerifiedAssertion):
        assert NOW < verdict.expires_at <= NOW + 661
        assert verdict.jti.encode()


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x"]), _JSON))
def test_any_header_can_be_signed(header: dict[str, object]) -> None:
    """Whatever stands in a header, nothing is raised."""
    assert isinstance(_verify(forge({"alg": "ES256", **header}, _CLAIMS, _P256, "ES256")), VerifiedAssertion | str)
