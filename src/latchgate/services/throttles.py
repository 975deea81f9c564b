"""Counters that slow down guessing and hold keys to their limits.

On the library `limits`, with storages of our own: their memory is bounded, since whoever is counted here chooses what
is counted. Its `Storage` is the port: one in this process, below, or one that all workers of a host share
(storage/shared_counters.py).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from latchgate.core.addresses import throttle_unit
from latchgate.services.ports import Clock

__all__ = ["BoundedStorage", "SignInLimits", "ThrottleRules", "Throttles"]

COUNTERS_MAX = 100_000
_MINUTE_SECONDS = 60
_USER_CODES = RateLimitItemPerSecond(20, 600, namespace="user_code")
"""Each code is shown for minutes, and one in 25,600,000,000: twenty tries find none."""


_REGISTRATIONS = RateLimitItemPerSecond(20, 3600, namespace="registration")
"""Nobody writes twenty applications an hour, and each is a row that stays."""

_DEVICES = RateLimitItemPerSecond(100, 600, namespace="device")
"""Each is a row that stays for a day; a house with more devices that begin at once waits some minutes."""


class BoundedStorage(Storage):
    """Counters in memory, at most `counters_max`; beyond that the one that was started first is forgotten."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock, counters_max: int = COUNTERS_MAX) -> None:
        super().__init__()
        self._clock = clock
        self._counters_max = counters_max
        self._counters: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """No exception of its own: memory does not fail by itself."""
        return MemoryError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window that begins with its first count and lasts `expiry` seconds."""
        now = self._clock.now()
        with self._lock:
            count, until = self._counters.get(key, (0, 0))
            if until <= now:
                self._counters.pop(key, None)
                count, until = 0, now + expiry
            self._counters[key] = count + amount, until
            while len(self._counters) > self._counters_max:
                self._counters.popitem(last=False)
        return count + amount

    def get(self, key: str) -> int:
        """Tell the count of the present window."""
        count, until = self._counters.get(key, (0, 0))
        return count if until > self._clock.now() else 0

    def get_expiry(self, key: str) -> float:
        """Tell when the present window ends, in Unix seconds."""
        _, until = self._counters.get(key, (0, 0))
        return max(until, self._clock.now())

    def check(self) -> bool:
        """Tell that memory is there."""
        return True

    def reset(self) -> int:
        """Forget every counter; tell how many there were."""
        with self._lock:
            count = len(self._counters)
            self._counters.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._lock:
            self._counters.pop(key, None)


@dataclass(frozen=True, slots=True)
class SignInLimits:
    """How many failed sign-ins are answered as such in a window; beyond, they are answered with "too many"."""

    per_user: int
    """For one user from one address."""
    per_address: int
    """From one address, whoever the user."""
    window_seconds: int


@dataclass(frozen=True, slots=True)
class ThrottleRules:
    """How many failures are answered as such; beyond, they are answered with "too many"."""

    sign_ins_per_user: int
    """Wrong passwords for one user from one address, in a window."""
    sign_ins_per_address: int
    """Wrong passwords from one address, in a window."""
    sign_in_window_seconds: int
    credentials_per_minute: int
    """Wrong keys and tokens from one address."""


class Throttles:
    """All counters of the service. Each method that counts tells 0, or after how many seconds to come back."""

    def __init__(
        self,
        clock: Clock,
        rules: ThrottleRules,
        storage_of: Callable[[str], Storage] | None = None,
        find_limits: Callable[[], SignInLimits] | None = None,
    ) -> None:
        """Begin to count.

        Args:
            clock: For the windows.
            rules: What is counted until when.
            storage_of: Where each kind is counted; without it, in this process alone.
            find_limits: What counts for sign-ins, asked at each attempt; without it, the rules. A limit that has
                become another counts anew.
        """
        self._clock = clock
        storage_of = storage_of or (lambda _kind: BoundedStorage(clock))
        given = SignInLimits(rules.sign_ins_per_user, rules.sign_ins_per_address, rules.sign_in_window_seconds)
        self._find_limits = find_limits or (lambda: given)
        self._latest = given
        self._credentials = RateLimitItemPerSecond(rules.credentials_per_minute, _MINUTE_SECONDS, namespace="key")
        # Apart, so that nobody pushes out the counters of one kind with those of another.
        self._guesses = FixedWindowRateLimiter(storage_of("guesses"))
        self._sign_ins = FixedWindowRateLimiter(storage_of("sign_ins"))
        self._wrong_passwords = FixedWindowRateLimiter(storage_of("wrong_passwords"))
        self._uses = FixedWindowRateLimiter(storage_of("uses"))
        self._user_codes = FixedWindowRateLimiter(storage_of("user_codes"))
        self._devices = FixedWindowRateLimiter(storage_of("devices"))
        self._registrations = FixedWindowRateLimiter(storage_of("registrations"))

    def count_use(self, credential: str, per_minute: int) -> int:
        """Count a request with a key that is limited to so many a minute."""
        return self._hit(self._uses, RateLimitItemPerSecond(per_minute, _MINUTE_SECONDS), credential)

    def count_wrong_credential(self, address: str) -> int:
        """Count a wrong key, secret or token from an address (IPv6: from its /64)."""
        return self._hit(self._guesses, self._credentials, throttle_unit(address))

    def count_sign_in(self, user: str, address: str) -> int:
        """Count an attempt to sign in, before any work: of many at once no more get through than of many in turn."""
        return self._hit(self._sign_ins, _per_user(self._limits()), user, throttle_unit(address))

    def count_code(self, user: str, address: str) -> int:
        """Count a code that is tried after a right password, as `count_sign_in`.

        Apart from the passwords, of which the right one counts until a code was right: else it would be a failure.
        """
        return self._hit(self._sign_ins, _codes_per_user(self._limits()), user, throttle_unit(address))

    def forget_sign_ins(self, user: str, address: str) -> None:
        """Forget the attempts of a user who then signed in."""
        limits = self._limits()
        for item in (_per_user(limits), _codes_per_user(limits)):
            self._sign_ins.clear(item, user, throttle_unit(address))

    def count_wrong_password(self, address: str) -> int:
        """Count a wrong password from an address, whoever was named."""
        return self._hit(self._wrong_passwords, _per_address(self._limits()), throttle_unit(address))

    def count_user_code(self, user: str) -> int:
        """Count a device's code that a user typed. Source: RFC 8628, section 5.1."""
        return self._hit(self._user_codes, _USER_CODES, user)

    def count_registration(self, address: str) -> int:
        """Count a client that registers itself without a credential. Source: RFC 7591, section 5."""
        return self._hit(self._registrations, _REGISTRATIONS, throttle_unit(address))

    def count_device(self, address: str) -> int:
        """Count a device that begins to wait by a client that proves nothing. Source: RFC 8628, section 5."""
        return self._hit(self._devices, _DEVICES, throttle_unit(address))

    def has_failed_often(self, address: str) -> bool:
        """Whether an address has had its share of wrong passwords in this window, by the limits of the last attempt.

        It decides who waits for whom, and so asks nothing that would have to be waited for itself.
        """
        return not self._wrong_passwords.test(_per_address(self._latest), throttle_unit(address))

    def _limits(self) -> SignInLimits:
        self._latest = self._find_limits()
        return self._latest

    def _hit(self, limiter: FixedWindowRateLimiter, item: RateLimitItem, *identifiers: str) -> int:
        if limiter.hit(item, *identifiers):
            return 0
        return max(1, int(limiter.get_window_stats(item, *identifiers).reset_time) - self._clock.now())


def _per_user(limits: SignInLimits) -> RateLimitItem:
    return RateLimitItemPerSecond(limits.per_user, limits.window_seconds, namespace="user")


def _codes_per_user(limits: SignInLimits) -> RateLimitItem:
    return RateLimitItemPerSecond(limits.per_user, limits.window_seconds, namespace="code")


def _per_address(limits: SignInLimits) -> RateLimitItem:
    return RateLimitItemPerSecond(limits.per_address, limits.window_seconds, namespace="address")
