"""What must be read again is stored encrypted, bound to what it belongs to."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.tokens import NONCE_BYTES, Peppers, Purpose, Sealed, derive_pepper
from unit.core.examples import NEW_PEPPER, OLD_PEPPER, PEPPERS

_NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
_CONTEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SEALED = PEPPERS.seal(Purpose.SIGNING_KEY, b"private", bytes(NONCE_BYTES), "kid")


@given(plain=st.binary(), nonce=_NONCES, context=_CONTEXTS, purpose=st.sampled_from(Purpose))
def test_what_was_sealed_opens(plain: bytes, nonce: bytes, context: str, purpose: Purpose) -> None:
    """Under the newest pepper; the bytes themselves are not to be seen in it."""
    sealed = PEPPERS.seal(purpose, plain, nonce, context)

    assert PEPPERS.unseal(purpose, sealed, context) == plain
    assert sealed.pepper == NEW_PEPPER.number
    assert len(plain) < 8 or plain not in sealed.value[NONCE_BYTES:]


@given(context=_CONTEXTS, purpose=st.sampled_from(Purpose))
def test_it_opens_for_what_it_belongs_to_alone(context: str, purpose: Purpose) -> None:
    """In another row, or for another purpose, it is nothing."""
    opened = PEPPERS.unseal(purpose, _SEALED, context)

    assert (opened is not None) is (context == "kid" and purpose is Purpose.SIGNING_KEY)


@given(value=st.binary())
def test_junk_does_not_open(value: bytes) -> None:
    """Nor does it raise, however short."""
    assert PEPPERS.unseal(Purpose.SIGNING_KEY, Sealed(2, value), "kid") is None


@given(at=st.integers(0, len(_SEALED.value) - 1), bit=st.integers(0, 7))
def test_what_was_changed_does_not_open(at: int, bit: int) -> None:
    """Not by one bit."""
    value = bytearray(_SEALED.value)
    value[at] ^= 1 << bit

    assert PEPPERS.unseal(Purpose.SIGNING_KEY, replace(_SEALED, value=bytes(value)), "kid") is None


@pytest.mark.parametrize(
    ("peppers", "opens"),
    [
        (Peppers([NEW_PEPPER]), True),
        (Peppers([OLD_PEPPER]), False),
        (Peppers([derive_pepper(2, b"\x01" * 32)]), False),
        (Peppers([OLD_PEPPER, NEW_PEPPER, derive_pepper(3, b"\x03" * 32)]), True),
    ],
)
def test_which_key_file_opens_it(peppers: Peppers, *, opens: bool) -> None:
    """One that holds the pepper, however many others it holds."""
    assert (peppers.unseal(Purpose.SIGNING_KEY, _SEALED, "kid") == b"private") is opens
