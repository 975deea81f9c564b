"""login and logout, as Frappe's clients call them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import anyio.to_thread

from latchgate.core.credentials import Scheme
from latchgate.core.tokens import Secret
from latchgate.core.users import UserType
from latchgate.errors import SignInFailed
from latchgate.server.replies import Reply
from latchgate.server.requests import Call
from latchgate.server.sign_in import Door, cleared_cookies, require_same_site
from latchgate.services.sign_in import Browser, CodeAsked, SignedIn, SignIn, SignInAttempt

__all__ = ["Login", "Logout", "attempt_of", "browser_of", "end_session"]

_VERIFICATION = {"method": "OTP App", "setup": True}
_SET_UP_FIRST = "A role of yours requires a second factor. Sign in once at the page /login, and set it up there."


@dataclass(frozen=True, slots=True)
class Login:
    """Open a session for `usr` and `pwd`. Source: recorded, area `login`."""

    door: Door

    async def __call__(self, call: Call) -> Reply:
        """Answer with the home page and set the cookies; or ask for the code, where the password is not all.

        Source: frappe/twofactor.py: `tmp_id` and `otp` are sent back together.
        """
        arguments = await call.read_arguments()
        if arguments.get("tmp_id"):
            opened: SignedIn | CodeAsked = await self._finish(call, arguments)
        else:
            opened = await self.door.open(await attempt_of(call))
        match opened:
            case CodeAsked(enrolled=False):
                raise SignInFailed(_SET_UP_FIRST, revealed=True)
            case CodeAsked(step=step):
                return Reply(None, {"verification": _VERIFICATION, "tmp_id": step.text})
            case SignedIn():
                return self._welcome(opened)
            case _:
                assert_never(opened)

    async def _finish(self, call: Call, arguments: Mapping[str, Any]) -> SignedIn:
        require_same_site(call)
        step, typed = arguments.get("tmp_id"), arguments.get("otp")
        if not isinstance(step, str) or not isinstance(typed, str):
            raise SignInFailed("Incomplete login details")
        return await anyio.to_thread.run_sync(self.door.steps.finish, Secret(step), typed, browser_of(call))

    def _welcome(self, signed_in: SignedIn) -> Reply:
        user = signed_in.user
        desk = user.user_type is UserType.SYSTEM
        extra = {"home_page": "/app" if desk else "/me", "full_name": user.full_name}
        return Reply("Logged In" if desk else "No App", extra, self.door.cookies(signed_in))


@dataclass(frozen=True, slots=True)
class Logout:
    """End the session that the request came with; a request without one is answered alike, as recorded."""

    sign_in: SignIn

    async def __call__(self, call: Call) -> Reply:
        """Answer as a guest and clear the cookies of a session."""
        ended = await end_session(self.sign_in, call)
        cookies = cleared_cookies() if ended else ()
        return Reply("No App", {"home_page": "/login", "full_name": "Guest"}, cookies)


async def attempt_of(call: Call) -> SignInAttempt:
    """Read an attempt to sign in. Raises SignInFailed if either part is missing, BadRequest from another site."""
    require_same_site(call)
    arguments = await call.read_arguments()
    user, password = arguments.get("usr"), arguments.get("pwd")
    if not isinstance(user, str) or not isinstance(password, str) or not user or not password:
        raise SignInFailed("Incomplete login details")
    presented = call.admission.presented
    return SignInAttempt(user, Secret(password), presented.peer_address, presented.user_agent)


def browser_of(call: Call) -> Browser:
    """Tell from where somebody signs in."""
    presented = call.admission.presented
    return Browser(presented.peer_address, presented.user_agent)


async def end_session(sign_in: SignIn, call: Call) -> bool:
    """End the session of a request; False if it came with none."""
    principal, presented = call.admission.principal, call.admission.presented
    if principal is None or principal.scheme is not Scheme.SESSION or presented.session_cookie is None:
        return False
    sid = Secret(presented.session_cookie)
    await anyio.to_thread.run_sync(sign_in.sign_out, principal, sid, presented.peer_address)
    return True
