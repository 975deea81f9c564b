"""Codes that change with time, and recovery codes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp import TOTP

from latchgate.core.second_factors import (
    KEY_BYTES,
    RECOVERY_CODE_BYTES,
    RecoveryCode,
    StoredSecondFactor,
    TimeCode,
    count_wrong,
    find_step,
    issue_recovery_code,
    needs_second_factor,
    otpauth_address,
    parse_code,
    wait_seconds,
    write_key,
)
from latchgate.core.tokens import Sealed, Secret
from latchgate.core.users import ADMINISTRATOR, DESK_USER, SYSTEM_MANAGER, UserType
from unit.core.examples import USER

KEY = b"12345678901234567890"
NOW = 1_800_000_000
PRESENT = NOW // 30
DAY = 86_400


def _code(step: int, key: bytes = KEY) -> TimeCode:
    return TimeCode(Secret(TOTP(write_key(key)).generate_otp(step)))


# RFC 6238, appendix B, SHA-1: the last six of eight digits.
@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(now: int, code: str) -> None:
    """For each of its moments."""
    assert find_step(KEY, TimeCode(Secret(code)), now, 0) == now // 30


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_wrong(steps: int, taken: bool) -> None:
    """Either way, and no more."""
    found = find_step(KEY, _code(PRESENT + steps), NOW, 0)

    assert found == (PRESENT + steps if taken else None)


@pytest.mark.parametrize("after", [PRESENT, PRESENT + 1])
def test_a_code_is_good_once(after: int) -> None:
    """Neither the step that was taken last nor one before it is taken again."""
    assert find_step(KEY, _code(PRESENT), NOW, after) is None
    assert find_step(KEY, _code(PRESENT - 1), NOW, after) is None


def test_another_key_makes_other_codes() -> None:
    """A code says whose it is."""
    assert find_step(bytes(KEY_BYTES), _code(PRESENT), NOW, 0) is None


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        ("123456", TimeCode(Secret("123456"))),
        (" 123 456 ", TimeCode(Secret("123456"))),
        ("123-456", TimeCode(Secret("123456"))),
        ("ABCD-efgh-2345-ijkl", RecoveryCode(Secret("abcdefgh2345ijkl"))),
        ("abcdefgh2345ijkl", RecoveryCode(Secret("abcdefgh2345ijkl"))),
        ("12345", None),
        ("1234567", None),
        ("abcdefgh2345ijk1", None),
        ("", None),
        ("١٢٣٤٥٦", None),
        ("123456" + " " * 60, None),
    ],
)
def test_what_is_typed_is_read(typed: str, parsed: object) -> None:
    """As people type it; what can be no code is none."""
    assert parse_code(typed) == parsed


@given(st.text())
def test_reading_never_fails(typed: str) -> None:
    """Whatever is typed."""
    assert parse_code(typed) is None or isinstance(parse_code(typed), TimeCode | RecoveryCode)


@given(st.binary(min_size=RECOVERY_CODE_BYTES, max_size=RECOVERY_CODE_BYTES))
def test_a_recovery_code_is_read_as_it_was_written(entropy: bytes) -> None:
    """In any case, with hyphens and without."""
    written = issue_recovery_code(entropy)

    assert parse_code(written) == parse_code(written.upper().replace("-", " "))
    assert isinstance(parse_code(written), RecoveryCode)


def test_a_key_is_told_to_the_app() -> None:
    """With whose it is, and for which service."""
    address = otpauth_address(KEY, "ann@example.com", "Latchgate auth.example.com")

    assert address.startswith("otpauth://totp/Latchgate%20auth.example.com:ann%40example.com?secret=GEZDGNBV")
    assert "issuer=Latchgate%20auth.example.com" in address


def test_wrong_codes_are_counted_for_a_day() -> None:
    """Twenty of them, then no more are looked at until the day after the first."""
    factor = StoredSecondFactor(1, Sealed(1, b""), 0, 0, 0, NOW)
    for number in range(20):
        assert wait_seconds(factor, NOW + number) == 0
        factor = StoredSecondFactor(1, Sealed(1, b""), 0, *count_wrong(factor, NOW + number), NOW)

    assert wait_seconds(factor, NOW + 100) == DAY - 100
    assert wait_seconds(factor, NOW + DAY) == 0
    assert count_wrong(factor, NOW + DAY) == (1, NOW + DAY)


@pytest.mark.parametrize(
    ("name", "user_type", "roles", "requiring", "enrolled", "needed"),
    [
        ("a@example.com", UserType.SYSTEM, (), (), False, False),
        ("a@example.com", UserType.SYSTEM, (), (), True, True),
        ("a@example.com", UserType.SYSTEM, ("Reader",), ("Reader",), False, True),
        ("a@example.com", UserType.SYSTEM, ("Reader",), ("Writer",), False, False),
        ("a@example.com", UserType.SYSTEM, (), (DESK_USER,), False, True),
        ("a@example.com", UserType.WEBSITE, (), (DESK_USER,), False, False),
        ("a@example.com", UserType.WEBSITE, (), ("All",), False, True),
        (ADMINISTRATOR, UserType.SYSTEM, (), (SYSTEM_MANAGER,), False, True),
    ],
)
def test_who_needs_one(
    name: str, user_type: UserType, roles: tuple[str, ...], requiring: tuple[str, ...], enrolled: bool, needed: bool
) -> None:
    """Who has one, and who has a role that requires one, granted or not."""
    user = replace(USER, name=name, user_type=user_type, roles=frozenset(roles))

    assert needs_second_factor(user, requiring, enrolled=enrolled) is needed
