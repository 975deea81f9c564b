"""A second factor at sign-in: codes that change with time, and recovery codes for whoever lost what makes them.

Source: RFC 6238, with the values that every authenticator app takes: SHA-1, six digits, half a minute.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest

from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.core.tokens import Sealed, Secret
from latchgate.core.users import StoredUser, effective_roles

__all__ = [
    "KEY_BYTES",
    "RECOVERY_CODES",
    "RECOVERY_CODE_BYTES",
    "RecoveryCode",
    "StoredSecondFactor",
    "TimeCode",
    "TypedCode",
    "count_wrong",
    "find_step",
    "issue_recovery_code",
    "needs_second_factor",
    "otpauth_address",
    "parse_code",
    "wait_seconds",
    "write_key",
]

KEY_BYTES = 20
"""Source: RFC 4226, section 4, R6: 160 bits."""
RECOVERY_CODES = 10
"""How many are given at once."""
RECOVERY_CODE_BYTES = 10
_STEP_SECONDS = 30
_DRIFT_STEPS = 1
_TIME_CODE = re.compile("[0-9]{6}")
_RECOVERY_CODE = re.compile("[a-z2-7]{16}")
_TYPED_LENGTH_MAX = 60
_WRONG_MAX = 20
_WRONG_WINDOW_SECONDS = 86_400
"""Of a million codes three are right at a time: twenty tries a day find one in half a century, all days together."""


@dataclass(frozen=True, slots=True)
class StoredSecondFactor:
    """A user's second factor as stored. Times are Unix seconds."""

    user_id: int
    sealed: Sealed
    """The key, encrypted."""
    last_step: int
    """The time step of the code that was taken last: neither it nor one before it is taken again."""
    wrong_codes: int
    wrong_since: int
    """When the first of them came; they are forgotten a day later."""
    created_at: int


@dataclass(frozen=True, slots=True)
class TimeCode:
    """What an authenticator app shows."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """What was given once to be kept."""

    secret: Secret


TypedCode = TimeCode | RecoveryCode


def parse_code(typed: str) -> TypedCode | None:
    """Read what somebody typed as a code, with whatever spaces and hyphens; None if it can be none."""
    if len(typed) > _TYPED_LENGTH_MAX:
        return None
    text = "".join(typed.split()).replace("-", "").lower()
    if _TIME_CODE.fullmatch(text):
        return TimeCode(Secret(text))
    return RecoveryCode(Secret(text)) if _RECOVERY_CODE.fullmatch(text) else None


def find_step(key: bytes, code: TimeCode, now: int, after: int) -> int | None:
    """Tell the time step whose code it is: the present one, the one before or the next; None if it is of none.

    Args:
        key: What the app was given.
        code: What it showed.
        now: Unix seconds.
        after: The step of the code that was taken last: its code, and those before, are no more.

    Source: RFC 6238, sections 5.2 (a code once) and 6 (drift).
    """
    with ONE_AT_A_TIME:
        from pyotp import TOTP  # noqa: PLC0415  # no request but a sign-in needs it
    codes, present = TOTP(write_key(key)), now // _STEP_SECONDS
    steps = range(max(0, present - _DRIFT_STEPS), present + _DRIFT_STEPS + 1)
    # All are compared whatever the first says.
    same = [step for step in steps if compare_digest(codes.generate_otp(step), code.secret.text)]
    return next((step for step in same if step > after), None)


def write_key(key: bytes) -> str:
    """Write a key as authenticator apps take it where nothing can be scanned: base32."""
    return base64.b32encode(key).decode()


def otpauth_address(key: bytes, user: str, issuer: str) -> str:
    """Write what a QR code tells an authenticator app: the key, whose, and for which service."""
    with ONE_AT_A_TIME:
        from pyotp import TOTP  # noqa: PLC0415  # as above
    return TOTP(write_key(key)).provisioning_uri(name=user, issuer_name=issuer)


def issue_recovery_code(entropy: bytes) -> str:
    """Write `RECOVERY_CODE_BYTES` random bytes (80 bits) as a code that a person can copy: four times four letters."""
    if len(entropy) != RECOVERY_CODE_BYTES:
        raise AssertionError(f"a recovery code takes {RECOVERY_CODE_BYTES} random bytes")
    text = base64.b32encode(entropy).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def needs_second_factor(user: StoredUser, requiring: Iterable[str], *, enrolled: bool) -> bool:
    """Whether the password alone opens nothing for a user: one who has a second factor, or a role that requires one."""
    return enrolled or not effective_roles(user).isdisjoint(requiring)


def wait_seconds(factor: StoredSecondFactor, now: int) -> int:
    """Tell for how many seconds no more codes of the app are looked at, after too many wrong ones; 0 if they are."""
    if factor.wrong_codes < _WRONG_MAX:
        return 0
    return max(0, factor.wrong_since + _WRONG_WINDOW_SECONDS - now)


def count_wrong(factor: StoredSecondFactor, now: int) -> tuple[int, int]:
    """Count one more wrong code; give how many there are now, and since when."""
    if not factor.wrong_codes or now >= factor.wrong_since + _WRONG_WINDOW_SECONDS:
        return 1, now
    return factor.wrong_codes + 1, factor.wrong_since
