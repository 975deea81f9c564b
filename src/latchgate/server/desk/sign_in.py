"""The pages before the desk: signing in and out, and the first-run set-up."""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.policy import PUBLIC
from latchgate.core.tokens import Secret
from latchgate.core.users import UserType
from latchgate.errors import Invalid, NotFound, RateLimited, SignInFailed
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.passwords import chosen_password
from latchgate.server.frappe.sessions import attempt_of, end_session
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import WITHOUT_SESSION, Page
from latchgate.server.sign_in import Door, cleared_cookies

__all__ = ["SignInPages"]

_NAME_LENGTH_MAX = 140
_FORM = frozenset({"GET", "POST"})


@dataclass(frozen=True, slots=True)
class SignInPages:
    """They run no script, and show nothing to who is not signed in."""

    frame: Frame
    door: Door

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            "/login": Page(WITHOUT_SESSION, _FORM, self.login, Dialect.PAGE),
            "/logout": Page(PUBLIC, frozenset({"POST"}), self.logout, Dialect.PAGE),
            "/setup/{name}": Page(WITHOUT_SESSION, _FORM, self.set_up, Dialect.PAGE),
        }

    async def login(self, call: Call) -> Response:
        """Show the sign-in form, and take it."""
        if call.request.method != "POST":
            return self.frame.plain("login.html", error="", user="")
        try:
            signed_in = await self.door.open(await attempt_of(call))
        except (SignInFailed, RateLimited) as error:
            limited = isinstance(error, RateLimited)
            user = _shown_name((await call.read_arguments()).get("usr"))
            response = self.frame.plain("login.html", 429 if limited else 401, error=error.public, user=user)
            if isinstance(error, RateLimited):
                response.headers["Retry-After"] = str(error.retry_after_seconds)
            return response
        target = "/app" if signed_in.user.user_type is UserType.SYSTEM else "/me"
        return _with_cookies(RedirectResponse(target, 303), self.door.cookies(signed_in))

    async def logout(self, call: Call) -> Response:
        """End the session and show the sign-in page."""
        ended = await end_session(self.door.sign_in, call)
        return _with_cookies(RedirectResponse("/login", 303), cleared_cookies() if ended else ())

    async def set_up(self, call: Call) -> Response:
        """Show the first-run page to whoever holds the one-time link, and take Administrator's password."""
        link = Secret(call.parts["name"])
        if not await anyio.to_thread.run_sync(self.door.sign_in.setup_link_opens, link):
            return self.frame.secretly("setup_ended.html", 404)
        if call.request.method != "POST":
            return self.frame.secretly("setup.html", error="")
        try:
            password = await chosen_password(call)
            address = call.admission.presented.peer_address
            await anyio.to_thread.run_sync(
                self.door.sign_in.use_setup_link, link, password, address, limiter=self.door.limiter
            )
        except Invalid as error:
            return self.frame.secretly("setup.html", 417, error=next(iter(error.fields.values())))
        except NotFound:
            return self.frame.secretly("setup_ended.html", 404)
        return RedirectResponse("/login", 303)


def _shown_name(typed: object) -> str:
    readable = isinstance(typed, str) and len(typed) <= _NAME_LENGTH_MAX and typed.isprintable()
    return str(typed) if readable else ""


def _with_cookies(response: Response, cookies: tuple[str, ...]) -> Response:
    for cookie in cookies:
        response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
    return response
