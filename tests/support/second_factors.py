"""A device that makes codes, and how a user gets one."""

from dataclasses import dataclass

from pyotp import TOTP

from latchgate.core.second_factors import KEY_BYTES, write_key
from latchgate.services.enrolments import Confirmed, Enrolments
from latchgate.services.ports import Store

__all__ = ["Device", "give_device", "wrong_code"]

_STEP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Device:
    """An authenticator app with one key, by a clock that somebody tells it."""

    key: str
    recovery_codes: tuple[str, ...] = ()

    def code(self, now: int, steps: int = 0) -> str:
        """Show the code of a moment, or of so many steps later."""
        return TOTP(self.key).at(now + steps * _STEP_SECONDS)


def give_device(store: Store, enrolments: Enrolments, user: str) -> Device:
    """Set a second factor up for a user, of which no code was used yet."""
    key, codes = enrolments.entropy.random_bytes(KEY_BYTES), enrolments.make_codes()
    with store.write() as tx:
        found = tx.users.find(user)
        assert found is not None
        enrolments.store_in(tx, found, Confirmed(key, 0), codes)
    return Device(write_key(key), tuple(code.text for code in codes))


def wrong_code(device: Device, now: int) -> str:
    """Give a code that is of no step near a moment."""
    right = {device.code(now, steps) for steps in range(-2, 3)}
    return next(code for code in map("{:06}".format, range(10)) if code not in right)
