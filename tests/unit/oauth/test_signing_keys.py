import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey, import_key

from latchgate.core.clients import SigningAlgorithm
from latchgate.oauth.signing_keys import generate_signing_key, key_set

_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.mark.parametrize("algorithm", SigningAlgorithm)
def test_both_halves_belong_together(algorithm: SigningAlgorithm) -> None:
    """What the private half signs is verified by the public one, which says its name, use and algorithm."""
    generated = generate_signing_key(algorithm, "key-1")
    public = json.loads(generated.public_jwk)

    signed = jws.serialize_compact(
        {"alg": algorithm}, b"x", import_key(json.loads(generated.signing_key.private_jwk.text))
    )

    assert jws.deserialize_compact(signed, import_key(public), [algorithm]).payload == b"x"
    assert (public["kid"], public["use"], public["alg"]) == ("key-1", "sig", algorithm.value)
    assert (generated.signing_key.kid, generated.signing_key.algorithm) == ("key-1", algorithm)
    assert _PRIVATE_MEMBERS.isdisjoint(public)


def test_keys_are_as_strong_as_their_algorithms_ask() -> None:
    """RSA keys have 2,048 bits (RFC 7518, section 3.3), elliptic ones lie on P-256 (section 3.4)."""
    rsa = import_key(json.loads(generate_signing_key(SigningAlgorithm.RS256, "a").public_jwk))
    elliptic = import_key(json.loads(generate_signing_key(SigningAlgorithm.ES256, "b").public_jwk))

    assert isinstance(rsa, RSAKey)
    assert rsa.public_key.key_size == 2_048
    assert isinstance(elliptic, ECKey)
    assert elliptic.curve_name == "P-256"


def test_no_two_keys_are_alike() -> None:
    """Each key is new, even under one name."""
    one, other = (generate_signing_key(SigningAlgorithm.ES256, "a") for _ in range(2))

    assert one.public_jwk != other.public_jwk


@pytest.mark.parametrize("algorithm", SigningAlgorithm)
def test_the_private_half_is_not_shown(algorithm: SigningAlgorithm) -> None:
    """However a generated key is printed, its private half is not seen."""
    generated = generate_signing_key(algorithm, "a")

    assert json.loads(generated.signing_key.private_jwk.text)["d"] not in repr(generated)


def test_a_key_set_has_public_members_alone() -> None:
    """Even if private halves are put into it, none comes out."""
    generated = [generate_signing_key(algorithm, algorithm.value) for algorithm in SigningAlgorithm]

    document = key_set([key.public_jwk for key in generated])

    assert document == {"keys": [json.loads(key.public_jwk) for key in generated]}
    assert key_set([key.signing_key.private_jwk.text for key in generated]) == document
    assert key_set([]) == {"keys": []}
