import hashlib
import hmac
import string

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.tokens import (
    PEPPER_BYTES,
    Digest,
    Pepper,
    Peppers,
    Purpose,
    TokenKind,
    derive_pepper,
    entropy_bytes,
    has_our_prefix,
    issue_token,
    verify_checksum,
)
from unit.core.examples import NEW_PEPPER, OLD_PEPPER, PEPPERS

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_KINDS = [kind for kind in TokenKind if kind is not TokenKind.KEY_ID]
_EXAMPLE = issue_token(TokenKind.KEY_SECRET, bytes(range(1, 25)))
_ANY_TEXT = st.text(st.characters())
_PARTS = st.lists(_ANY_TEXT, max_size=4)


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 62 + _BASE62.index(digit)
    return number


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        (TokenKind.KEY_ID, "lgk_000000000000000000H3ZJv"),
        (TokenKind.KEY_SECRET, "lgs_000000000000000000000000000000000272z03"),
    ],
)
def test_the_format_is_for_good(kind: TokenKind, token: str) -> None:
    """Tokens handed out once are read for ever: these two were written down when the format was made."""
    assert issue_token(kind, bytes(entropy_bytes(kind))) == token
    assert verify_checksum(token)


@pytest.mark.parametrize("kind", TokenKind)
@given(data=st.data())
def test_a_token_holds_all_of_its_randomness(kind: TokenKind, data: st.DataObject) -> None:
    """Prefix, a body of constant length that is the random number in base62, and a checksum that fits."""
    entropy = data.draw(st.binary(min_size=entropy_bytes(kind), max_size=entropy_bytes(kind)))

    token = issue_token(kind, entropy)

    assert token.startswith(kind.value)
    assert len(token) == (27 if kind is TokenKind.KEY_ID else 43)
    assert _number(token[4:-6]) == int.from_bytes(entropy)
    assert verify_checksum(token)
    assert has_our_prefix(token)


@pytest.mark.parametrize("kind", TokenKind)
def test_the_greatest_number_fits(kind: TokenKind) -> None:
    """No random number is too long for the body."""
    token = issue_token(kind, b"\xff" * entropy_bytes(kind))

    assert _number(token[4:-6]) == 256 ** entropy_bytes(kind) - 1


@pytest.mark.parametrize("kind", _SECRET_KINDS)
def test_secrets_have_190_bits(kind: TokenKind) -> None:
    """Nobody guesses a secret: it has at least 190 random bits."""
    assert entropy_bytes(kind) * 8 >= 190


@pytest.mark.parametrize("length", [0, 23, 25])
def test_wrong_amount_of_randomness(length: int) -> None:
    """Too little randomness is a programmer's error, never a weak token."""
    with pytest.raises(AssertionError):
        issue_token(TokenKind.KEY_SECRET, bytes(length))


def test_checksum_catches_each_single_change() -> None:
    """Each single character of a token changed to any other is noticed."""
    changed = [
        _EXAMPLE[:position] + character + _EXAMPLE[position + 1 :]
        for position in range(len(_EXAMPLE))
        for character in string.printable
        if character != _EXAMPLE[position]
    ]

    assert [token for token in changed if verify_checksum(token)] == []


def test_checksum_catches_each_transposition() -> None:
    """Any two characters of a token that changed places are noticed."""
    places = range(len(_EXAMPLE))
    for one in places:
        for other in places[one + 1 :]:
            characters = list(_EXAMPLE)
            characters[one], characters[other] = characters[other], characters[one]
            assert verify_checksum("".join(characters)) == (_EXAMPLE[one] == _EXAMPLE[other])


def test_checksum_catches_what_is_missing_or_too_much() -> None:
    """A token cut short at either end, or with a character more anywhere, is noticed."""
    places = range(len(_EXAMPLE))
    cut = [_EXAMPLE[:end] for end in places] + [_EXAMPLE[start:] for start in places[1:]]
    longer = [_EXAMPLE[:at] + extra + _EXAMPLE[at:] for at in [*places, len(_EXAMPLE)] for extra in "0Az \x00=\n"]

    assert [token for token in cut + longer if verify_checksum(token)] == []


@pytest.mark.parametrize("text", ["", "lgs", "lgs_", "ap1secret000001", "LGS_" + _EXAMPLE[4:], _EXAMPLE[:-1] + "é"])
def test_no_token_of_ours(text: str) -> None:
    """What has no prefix of ours, or no checksum, has no right one."""
    assert not verify_checksum(text)


@given(_ANY_TEXT)
def test_checksum_of_anything(text: str) -> None:
    """Any text can be asked about, and only what claims to be ours can have a right checksum."""
    for candidate in (text, "lgs_" + text):
        assert has_our_prefix(candidate) or not verify_checksum(candidate)


@given(st.sampled_from(Purpose), _PARTS)
def test_a_digest_is_made_as_documented(purpose: Purpose, parts: list[str]) -> None:
    """A digest is HMAC-SHA-256 of length-prefixed parts under its purpose's key by HKDF: what is stored stays good."""
    # By another's implementation of RFC 5869 than ours.
    key = HKDF(SHA256(), 32, salt=None, info=b"latchgate/" + purpose.value.encode()).derive(bytes(range(32)))
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    message = b"".join(len(part).to_bytes(4) + part for part in encoded)

    assert PEPPERS.digest(purpose, *parts) == Digest(2, hmac.digest(key, message, hashlib.sha256))


@given(_PARTS, _PARTS)
def test_a_digest_matches_its_parts_alone(parts: list[str], others: list[str]) -> None:
    """A digest matches the parts that it was made of, each where it was, and no others."""
    digest = PEPPERS.digest(Purpose.API_KEY, *parts)

    assert PEPPERS.matches(digest, Purpose.API_KEY, *parts)
    assert PEPPERS.matches(digest, Purpose.API_KEY, *others) == (parts == others)


@given(_ANY_TEXT, _ANY_TEXT, _ANY_TEXT)
def test_parts_do_not_run_into_each_other(one: str, two: str, three: str) -> None:
    """What moves from one part into its neighbour makes another digest."""
    digest = PEPPERS.digest(Purpose.API_KEY, one + two, three)

    assert PEPPERS.matches(digest, Purpose.API_KEY, one, two + three) == (two == "")


@given(st.sampled_from(Purpose), st.sampled_from(Purpose), _ANY_TEXT)
def test_no_digest_serves_another_purpose(made_for: Purpose, used_for: Purpose, secret: str) -> None:
    """A digest copied to where another kind of secret is stored matches nothing there."""
    digest = PEPPERS.digest(made_for, secret)

    assert PEPPERS.matches(digest, used_for, secret) == (made_for is used_for)


@given(st.sampled_from(Purpose), _ANY_TEXT)
def test_a_stored_digest_is_no_secret(purpose: Purpose, secret: str) -> None:
    """Whoever reads a digest from the database cannot present it, in whatever spelling."""
    digest = PEPPERS.digest(purpose, secret)

    for spelling in (digest.value.hex(), digest.value.hex().upper(), digest.value.decode("latin-1"), str(digest.value)):
        assert not PEPPERS.matches(digest, purpose, spelling)


@given(st.binary())
def test_junk_in_place_of_a_digest(value: bytes) -> None:
    """A stored value of any length that is no digest of the secret matches nothing."""
    assert not PEPPERS.matches(Digest(2, value), Purpose.API_KEY, "secret")


def test_former_peppers_are_recognised() -> None:
    """What was stored under a former pepper goes on working, and new digests are made with the newest."""
    former = Peppers([OLD_PEPPER]).digest(Purpose.API_KEY, "secret")

    assert PEPPERS.matches(former, Purpose.API_KEY, "secret")
    assert PEPPERS.digest(Purpose.API_KEY, "secret").pepper == NEW_PEPPER.number
    assert Peppers([NEW_PEPPER, OLD_PEPPER]).digest(Purpose.API_KEY, "secret").pepper == NEW_PEPPER.number


@pytest.mark.parametrize("number", [0, 1, 3, -2])
def test_unknown_pepper_matches_nothing(number: int) -> None:
    """A digest under a number that the key file does not hold matches nothing, even if its value would fit another."""
    value = PEPPERS.digest(Purpose.API_KEY, "secret").value

    assert not PEPPERS.matches(Digest(number, value), Purpose.API_KEY, "secret")


def test_another_key_file_matches_nothing() -> None:
    """Without the key file that a digest was made with, the right secret opens nothing."""
    stolen = PEPPERS.digest(Purpose.API_KEY, "secret")

    assert not Peppers([derive_pepper(2, b"x" * PEPPER_BYTES)]).matches(stolen, Purpose.API_KEY, "secret")


def test_candidates_are_the_digests_under_each_pepper() -> None:
    """A secret is looked for under each pepper, the newest first."""
    candidates = PEPPERS.candidates(Purpose.SESSION, "sid")

    expected = [Peppers([pepper]).digest(Purpose.SESSION, "sid").value for pepper in (NEW_PEPPER, OLD_PEPPER)]
    assert candidates == expected


@pytest.mark.parametrize("peppers", [[], [NEW_PEPPER, NEW_PEPPER], [OLD_PEPPER, derive_pepper(1, b"y" * PEPPER_BYTES)]])
def test_no_pepper_or_two_of_one_number(peppers: list[Pepper]) -> None:
    """A key file without peppers, or with two of one number, is a programmer's error."""
    with pytest.raises(AssertionError):
        Peppers(peppers)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_short_pepper(length: int) -> None:
    """A pepper of another length than 32 bytes is a programmer's error."""
    with pytest.raises(AssertionError):
        derive_pepper(1, bytes(length))
