import base64
import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey, import_key

from latchgate.core.clients import SigningAlgorithm
from latchgate.core.tokens import Secret
from latchgate.oauth.id_tokens import IdTokenClaims, IdTokenHint, read_id_token_hint, sign_id_token
from latchgate.oauth.signing_keys import GeneratedKey, generate_signing_key
from unit.oauth.jwts import Signer, as_shared_secret, encode_part, forge

NOW = 1_800_000_000
_ISSUER = "https://latchgate.example"
_RSA = generate_signing_key(SigningAlgorithm.RS256, "rsa-1")
_ELLIPTIC = generate_signing_key(SigningAlgorithm.ES256, "ec-1")
_KEYS = (_RSA.public_jwk, _ELLIPTIC.public_jwk)
_PRIVATE_RSA = RSAKey.import_key(json.loads(_RSA.signing_key.private_jwk.text))
_PRIVATE_ELLIPTIC = ECKey.import_key(json.loads(_ELLIPTIC.signing_key.private_jwk.text))
_FOREIGN = RSAKey.generate_key(2_048)
_ACCESS_TOKEN = Secret("lga_token")
_CLAIMS = IdTokenClaims(
    issuer=_ISSUER,
    subject="ada@example.com",
    client_id="client0001",
    issued_at=NOW,
    expires_at=NOW + 3600,
    auth_time=NOW - 60,
    nonce="n-0S6",
    further={"name": "Ada Lovelace", "roles": ["Guest"]},
)
_HEADER = {"typ": "JWT", "alg": "RS256", "kid": "rsa-1"}
_BODY = {"iss": _ISSUER, "sub": "ada@example.com", "aud": "client0001"}
_HINT = IdTokenHint("ada@example.com", frozenset({"client0001"}))


def _claims_of(text: str, generated: GeneratedKey) -> dict[str, object]:
    """Verify as a client does."""
    return jwt.decode(text, import_key(json.loads(generated.public_jwk)), [generated.signing_key.algorithm]).claims


@pytest.mark.parametrize("generated", [_RSA, _ELLIPTIC], ids=["RS256", "ES256"])
def test_a_client_can_verify_it(generated: GeneratedKey) -> None:
    """An ID token says who, for whom, until when, and which access token it belongs to."""
    text = sign_id_token(_CLAIMS, _ACCESS_TOKEN, generated.signing_key)

    half = hashlib.sha256(b"lga_token").digest()[:16]
    assert _claims_of(text, generated) == {
        "iss": _ISSUER,
        "sub": "ada@example.com",
        "aud": "client0001",
        "iat": NOW,
        "exp": NOW + 3600,
        "auth_time": NOW - 60,
        "nonce": "n-0S6",
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        "name": "Ada Lovelace",
        "roles": ["Guest"],
    }
    header = json.loads(base64.urlsafe_b64decode(text.partition(".")[0] + "=="))
    assert header == {"typ": "JWT", "alg": generated.signing_key.algorithm.value, "kid": generated.signing_key.kid}


def test_what_is_said_of_a_user_replaces_nothing() -> None:
    """A claim about the user cannot stand in for one of the protocol, not even for a nonce that was not sent."""
    replaced = dict.fromkeys(("iss", "sub", "aud", "iat", "exp", "auth_time", "at_hash", "nonce"), "forged")

    claims = _claims_of(
        sign_id_token(replace(_CLAIMS, nonce="", further=replaced), _ACCESS_TOKEN, _RSA.signing_key), _RSA
    )

    assert "forged" not in claims.values()
    assert "nonce" not in claims


@pytest.mark.parametrize("generated", [_RSA, _ELLIPTIC], ids=["RS256", "ES256"])
def test_ours_comes_back_as_a_hint(generated: GeneratedKey) -> None:
    """What we signed is known again, whether or not it has expired."""
    text = sign_id_token(replace(_CLAIMS, expires_at=1), _ACCESS_TOKEN, generated.signing_key)

    assert read_id_token_hint(text, _KEYS, _ISSUER) == _HINT


def test_several_clients_may_be_named() -> None:
    """The audience may be a list."""
    text = forge(_HEADER, {**_BODY, "aud": ["client0001", "client0002"]}, _PRIVATE_RSA, "RS256")

    assert read_id_token_hint(text, _KEYS, _ISSUER) == IdTokenHint(
        "ada@example.com", frozenset({"client0001", "client0002"})
    )


_SHARED = as_shared_secret(_PRIVATE_RSA)
_OWN_JWK = {**_FOREIGN.as_dict(private=False), "kid": "rsa-1"}


@pytest.mark.parametrize(
    ("header", "claims", "signer", "algorithm"),
    [
        pytest.param({**_HEADER, "alg": "none"}, _BODY, None, "none", id="no signature"),
        pytest.param({**_HEADER, "alg": "HS256"}, _BODY, _SHARED, "HS256", id="the public key as a secret"),
        pytest.param(_HEADER, _BODY, _SHARED, "HS256", id="the public key as a secret, called RS256"),
        pytest.param(_HEADER, _BODY, _FOREIGN, "RS256", id="a foreign key by our name"),
        pytest.param({**_HEADER, "jwk": _OWN_JWK}, _BODY, _FOREIGN, "RS256", id="a key that comes along"),
        pytest.param({**_HEADER, "jku": "https://evil.example"}, _BODY, _PRIVATE_RSA, "RS256", id="an address of keys"),
        pytest.param({**_HEADER, "crit": ["x"], "x": 1}, _BODY, _PRIVATE_RSA, "RS256", id="an unknown extension"),
        pytest.param({**_HEADER, "crit": []}, _BODY, _PRIVATE_RSA, "RS256", id="no extension"),
        pytest.param({**_HEADER, "b64": True}, _BODY, _PRIVATE_RSA, "RS256", id="an unencoded payload"),
        pytest.param({**_HEADER, "alg": "PS256"}, _BODY, _PRIVATE_RSA, "PS256", id="another algorithm of our key"),
        pytest.param({**_HEADER, "alg": "RS512"}, _BODY, _PRIVATE_RSA, "RS512", id="another hash"),
        pytest.param({**_HEADER, "kid": "ec-1"}, _BODY, _PRIVATE_RSA, "RS256", id="the name of another key"),
        pytest.param({**_HEADER, "kid": "old"}, _BODY, _PRIVATE_RSA, "RS256", id="a key that was deleted"),
        pytest.param({**_HEADER, "kid": 1}, _BODY, _PRIVATE_RSA, "RS256", id="a name that is none"),
        pytest.param({"typ": "JWT", "alg": "RS256"}, _BODY, _PRIVATE_RSA, "RS256", id="no name"),
        pytest.param({"alg": "RS256", "kid": "rsa-1"}, _BODY, _PRIVATE_RSA, "RS256", id="no type"),
        pytest.param({**_HEADER, "typ": "at+jwt"}, _BODY, _PRIVATE_RSA, "RS256", id="a token of another type"),
        pytest.param({**_HEADER, "typ": ["JWT"]}, _BODY, _PRIVATE_RSA, "RS256", id="a type that is none"),
        pytest.param({**_HEADER, "alg": ["RS256"]}, _BODY, _PRIVATE_RSA, "RS256", id="an algorithm that is none"),
        pytest.param({"typ": "JWT", "kid": "rsa-1"}, _BODY, _PRIVATE_RSA, "RS256", id="no algorithm"),
        pytest.param(["alg", "b64"], _BODY, _PRIVATE_RSA, "RS256", id="a header that is a list"),
        pytest.param(
            '{"typ":"JWT","alg":"RS256","kid":"rsa-1","kid":"rsa-1"}', _BODY, _PRIVATE_RSA, "RS256", id="a member twice"
        ),
        pytest.param(_HEADER, {**_BODY, "iss": "https://evil.example"}, _PRIVATE_RSA, "RS256", id="another issuer"),
        pytest.param(_HEADER, {**_BODY, "sub": 1}, _PRIVATE_RSA, "RS256", id="a subject that is none"),
        pytest.param(_HEADER, {**_BODY, "aud": ["a", 1]}, _PRIVATE_RSA, "RS256", id="a client that is none"),
        pytest.param(_HEADER, {"iss": _ISSUER, "sub": "a"}, _PRIVATE_RSA, "RS256", id="no client"),
        pytest.param(_HEADER, [_ISSUER], _PRIVATE_RSA, "RS256", id="claims that are a list"),
        pytest.param(_HEADER, {**_BODY, "x": "x" * 20_000}, _PRIVATE_RSA, "RS256", id="too long"),
    ],
)
def test_what_is_no_hint(header: object, claims: object, signer: Signer, algorithm: str) -> None:
    """Only our own signature, by our key's own algorithm, makes an ID token ours."""
    assert read_id_token_hint(forge(header, claims, signer, algorithm), _KEYS, _ISSUER) is None


def test_a_changed_token_is_none_of_ours() -> None:
    """The signature covers header and claims, and ends with it."""
    header, claims, signature = sign_id_token(_CLAIMS, _ACCESS_TOKEN, _RSA.signing_key).split(".")
    changed = encode_part({**_BODY, "sub": "eve@example.com"})

    for text in (
        f"{header}.{changed}.{signature}",
        f"{encode_part({**_HEADER, 'x': 1})}.{claims}.{signature}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature}=",
        f"{header}.{claims}.{signature}.",
        f"{header}.{claims}.{signature}\n",
        f"{header}.{claims}.{signature[:-2]}",
        f"{header}.{claims}.A",
        f"{header}.{encode_part('{' * 9_000)}.{signature}",
        f"{header}.{encode_part('[' * 9_000)}.{signature}",
        f"{header}.{encode_part(json.dumps(_BODY).replace('1', '1' * 5_000))}.{signature}",
        f"{header}.{base64.urlsafe_b64encode(json.dumps(_BODY).encode('utf-16')).rstrip(b'=').decode()}.{signature}",
        f"{header}.{encode_part(chr(0xD800))}.{signature}",
    ):
        assert read_id_token_hint(text, _KEYS, _ISSUER) is None


@given(st.text(st.characters()) | st.lists(st.text(alphabet="eyJ{}AQ-_="), min_size=3, max_size=5).map(".".join))
def test_any_text_can_be_a_hint(text: str) -> None:
    """Whatever comes, nothing is raised and nothing is believed."""
    assert read_id_token_hint(text, _KEYS, _ISSUER) is None


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists),
    st.sampled_from([*_BODY]),
)
def test_any_signed_claims_can_be_read(value: object, claim: str) -> None:
    """Whatever a signed token says, nothing is raised."""
    text = forge({**_HEADER, "alg": "ES256", "kid": "ec-1"}, {**_BODY, claim: value}, _PRIVATE_ELLIPTIC, "ES256")

    assert isinstance(read_id_token_hint(text, _KEYS, _ISSUER), IdTokenHint | None)


def test_its_nonce_is_not_shown() -> None:
    """A nonce binds a token to a browser, and is seen by nobody else."""
    assert "n-0S6" not in repr(_CLAIMS)
