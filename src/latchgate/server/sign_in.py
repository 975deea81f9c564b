"""Signing in over HTTP: the cookies, and the bound on how many passwords are checked at once."""

from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import quote

import anyio
import anyio.to_thread

from latchgate.core.addresses import throttle_unit
from latchgate.core.tokens import Secret
from latchgate.core.users import UserType
from latchgate.errors import BadRequest, RateLimited
from latchgate.server.requests import Call
from latchgate.services.ports import Clock
from latchgate.services.sign_in import STEP_SECONDS, CodeAsked, SignedIn, SignIn, SignInAttempt
from latchgate.services.sign_in_steps import SignInStepService

__all__ = ["Door", "cleared_cookies", "require_same_site"]

_WAITING_PER_ADDRESS_MAX = 10
_WAITING_MAX = 500
_STEP = "sign_in_step"
_NAMES = ("sid", "system_user", "full_name", "user_id", "user_lang")


@dataclass(frozen=True, slots=True)
class Door:
    """Where passwords are checked.

    Argon2 takes 64 MiB and tens of milliseconds by design: a flood of attempts must neither fill the memory nor take
    the threads that other requests need. Each address may have a few attempts waiting; more are told to come back.
    Those of an address that has failed often wait for each other, so that others' are not behind all of them.
    """

    sign_in: SignIn
    steps: SignInStepService
    """What comes between the password and the session, where a second factor is asked for."""
    clock: Clock
    secure: bool
    """Whether cookies may travel over https only."""
    limiter: anyio.CapacityLimiter
    _waiting: Counter[str] = field(default_factory=Counter)
    _turns: dict[str, anyio.Lock] = field(default_factory=dict)

    async def open(self, attempt: SignInAttempt) -> SignedIn | CodeAsked:
        """Sign in; raises as `SignIn.sign_in`, and RateLimited while an address has too many attempts waiting."""
        address = throttle_unit(attempt.ip_address)
        if self._waiting[address] >= _WAITING_PER_ADDRESS_MAX or self._waiting.total() >= _WAITING_MAX:
            raise RateLimited("Too many attempts to sign in at once. Try again.", retry_after_seconds=1)
        self._waiting[address] += 1
        try:
            if not self.sign_in.throttles.has_failed_often(attempt.ip_address):
                return await self._check(attempt)
            async with self._turns.setdefault(address, anyio.Lock()):
                return await self._check(attempt)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
                self._turns.pop(address, None)

    async def _check(self, attempt: SignInAttempt) -> SignedIn | CodeAsked:
        return await anyio.to_thread.run_sync(self.sign_in.sign_in, attempt, limiter=self.limiter)

    def cookies(self, signed_in: SignedIn) -> tuple[str, ...]:
        """Write the cookies of a new session; only `sid` means anything, and only to the gate.

        Source: recorded, area `login`.
        """
        user = signed_in.user
        seconds = signed_in.lasts_seconds
        expires = formatdate(self.clock.now() + seconds, usegmt=True)
        shown = {
            "system_user": "yes" if user.user_type is UserType.SYSTEM else "no",
            "full_name": quote(user.full_name),
            "user_id": quote(user.name),
            "user_lang": "en",
        }
        secure = self._secure
        sid = f"sid={signed_in.sid.text}; Expires={expires}; Max-Age={seconds}; HttpOnly; Path=/; SameSite=Lax{secure}"
        return sid, *(f"{name}={value}; Path=/; SameSite=Lax{secure}" for name, value in shown.items())

    def step_cookie(self, asked: CodeAsked) -> str:
        """Write the cookie that binds a half-way sign-in to the browser that began it."""
        return f"{_STEP}={asked.step.text}; Max-Age={STEP_SECONDS}; {self._step_place}"

    def cleared_step(self) -> str:
        """Write the cookie that ends that one."""
        return f"{_STEP}=; Max-Age=0; {self._step_place}"

    def find_step(self, call: Call) -> Secret | None:
        """Give what the browser holds of a half-way sign-in, unverified."""
        held = call.request.cookies.get(_STEP)
        return Secret(held) if held else None

    @property
    def _step_place(self) -> str:
        # Sent to the sign-in's own pages alone, and never for another site's.
        return f"HttpOnly; Path=/login; SameSite=Strict{self._secure}"

    @property
    def _secure(self) -> str:
        return "; Secure" if self.secure else ""


def cleared_cookies() -> tuple[str, ...]:
    """Write the cookies that end those of a session."""
    return tuple(f"{name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax" for name in _NAMES)


def require_same_site(call: Call) -> None:
    """Refuse a form that another site's page sent: it would sign a visitor in as somebody else. Raises BadRequest.

    Browsers say where a request comes from: by Sec-Fetch-Site to https and to their own machine, by Origin to others.
    Programs say nothing and are let through.
    """
    headers = call.request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None:
        foreign = origin is not None and origin.partition("://")[2] != headers.get("host")
    else:
        # A neighbour under the same domain ("same-site") is another site too.
        foreign = site not in {"same-origin", "none"}
    if foreign:
        raise BadRequest("Signing in from another site's page is refused; open the sign-in page itself.")
