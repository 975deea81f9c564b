from base64 import b64decode

import pytest
from argon2 import Parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from latchgate.core.passwords import (
    PASSWORD_LENGTH_MAX,
    PROFILES,
    SALT_BYTES,
    decoy_hash,
    hash_password,
    needs_rehash,
    password_problem,
    password_verifies,
)
from latchgate.core.tokens import Secret

_CHEAPEST = PROFILES["cheapest"]
_SALT = bytes(range(SALT_BYTES))
_PASSWORD = Secret("Pass-word-42!")
_HASH = hash_password(_PASSWORD, _SALT, _CHEAPEST)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("Pass-word-42!", None),
        ("x" * 8, None),
        ("x" * PASSWORD_LENGTH_MAX, None),
        ("пароль-42", None),
        ("        ", None),
        ("", "at least"),
        ("x" * 7, "at least"),
        ("x" * (PASSWORD_LENGTH_MAX + 1), "at most"),
        ("longname", "name"),
        (" LongName ", "name"),
        ("longname@example.com", "name"),
    ],
)
def test_password_problem(password: str, problem: str | None) -> None:
    """Length is what counts, and that the password is not the user's name."""
    told = password_problem(Secret(password), "longname@example.com")

    assert told is None if problem is None else told is not None and problem in told


@pytest.mark.parametrize("password", ["administrator", "Administrator", "ADMINISTRATOR", " administrator\t"])
def test_the_name_in_any_case(password: str) -> None:
    """No password is the user's name in other letters."""
    assert password_problem(Secret(password), "Administrator") == "must not be the user's name"
    assert password_problem(Secret(password), "Administrator@example.com") == "must not be the user's name"


def test_hashes_are_argon2id() -> None:
    """The hash is Argon2id in PHC form and shows nothing of the password."""
    assert _HASH.startswith("$argon2id$v=19$")
    assert _PASSWORD.text not in _HASH


def test_hashes_are_salted() -> None:
    """Two users with one password have different hashes."""
    assert hash_password(_PASSWORD, bytes(SALT_BYTES), _CHEAPEST) != _HASH


@settings(max_examples=25)
@given(st.text(st.characters()))
def test_only_the_password_verifies(text: str) -> None:
    """A hash is verified by its own password, in any script, and by no other."""
    assert password_verifies(hash_password(Secret(text), _SALT, _CHEAPEST), Secret(text))
    assert password_verifies(_HASH, Secret(text)) == (text == _PASSWORD.text)


@pytest.mark.parametrize("stored", ["", "Pass-word-42!", "$argon2id$", _HASH[:-5], "$argon2id$v=19$ü", "$2b$12$abc"])
def test_an_unreadable_hash_verifies_nothing(stored: str) -> None:
    """What is no hash is never compared as text."""
    assert not password_verifies(stored, _PASSWORD)
    assert not password_verifies(stored, Secret(stored))


def test_needs_rehash() -> None:
    """A hash made under another profile is to be made again at the next sign-in."""
    for profile in PROFILES.values():
        assert profile.salt_len == SALT_BYTES
    assert not needs_rehash(_HASH, _CHEAPEST)
    assert needs_rehash(_HASH, PROFILES["standard"])


def test_standard_profile() -> None:
    """The standard profile is RFC 9106's second recommended option: 64 MiB, three passes."""
    standard = PROFILES["standard"]

    assert (standard.memory_cost, standard.time_cost) == (65536, 3)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_decoy_costs_what_a_real_hash_costs(profile: Parameters) -> None:
    """It is one of that profile, of a password that nobody has."""
    decoy = decoy_hash(profile, _SALT, bytes(profile.hash_len))

    assert not needs_rehash(decoy, profile)
    assert not password_verifies(decoy, _PASSWORD)


def test_a_decoy_is_written_as_a_real_hash_is() -> None:
    """With the same salt and the same digest it is that hash."""
    digest = b64decode(_HASH.rpartition("$")[2] + "==")

    assert decoy_hash(_CHEAPEST, _SALT, digest) == _HASH
