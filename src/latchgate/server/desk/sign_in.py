"""The pages before the desk: signing in and out, and the first-run set-up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import urlencode

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.policy import PUBLIC
from latchgate.core.return_addresses import ReturnAddresses
from latchgate.core.tokens import Secret
from latchgate.core.users import UserType
from latchgate.errors import Invalid, NotFound, RateLimited, SignInFailed
from latchgate.oauth.authorization_requests import AuthorizationRequest, RefusedRequest
from latchgate.oauth.redirects import origin_source
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.passwords import chosen_password
from latchgate.server.desk.responses import with_cookies
from latchgate.server.frappe.sessions import attempt_of, end_session
from latchgate.server.oauth.authorize import authorization_target
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import WITHOUT_SESSION, Page
from latchgate.server.sign_in import Door, cleared_cookies
from latchgate.services.authorizations import AuthorizationService
from latchgate.services.sign_in import CodeAsked, SignedIn

__all__ = ["CODE", "SET_UP", "SignInPages", "home_of", "status_of", "told_when", "with_target"]

CODE, SET_UP = "/login/code", "/login/second-factor"
"""Where a sign-in goes on whose password was right and is not all."""
_UNAUTHORIZED, _TOO_MANY = 401, 429
_ENDED = "This sign-in took too long or was tried too often. Sign in again."

_NAME_LENGTH_MAX = 140
_FORM = frozenset({"GET", "POST"})


@dataclass(frozen=True, slots=True)
class SignInPages:
    """They run no script, and show nothing to who is not signed in."""

    frame: Frame
    door: Door
    authorizations: AuthorizationService
    returns: ReturnAddresses

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            "/login": Page(WITHOUT_SESSION, _FORM, self.login, Dialect.PAGE),
            "/logout": Page(PUBLIC, frozenset({"POST"}), self.logout, Dialect.PAGE),
            "/setup/{name}": Page(WITHOUT_SESSION, _FORM, self.set_up, Dialect.PAGE),
        }

    async def login(self, call: Call) -> Response:
        """Show the sign-in form, and take it."""
        arguments = await call.read_arguments()
        target = self.returns.read(arguments.get("redirect-to"))
        request = await anyio.to_thread.run_sync(self._behind, target)
        if call.request.method != "POST":
            return self._show_login(target, request, user=_shown_name(arguments.get("login_hint")))
        try:
            opened = await self.door.open(await attempt_of(call))
        except (SignInFailed, RateLimited) as error:
            response = self._show_login(
                target, request, user=_shown_name(arguments.get("usr")), error=error.public, status=status_of(error)
            )
            return told_when(response, error)
        match opened:
            case CodeAsked(enrolled=enrolled):
                place = with_target(CODE if enrolled else SET_UP, target)
                return with_cookies(RedirectResponse(place, 303), (self.door.step_cookie(opened),))
            case SignedIn():
                return with_cookies(RedirectResponse(target or home_of(opened), 303), self.door.cookies(opened))
            case _:
                assert_never(opened)

    async def begin_again(self, call: Call, problem: str = "") -> Response:
        """Show the sign-in form to whose half-way sign-in has ended, and say so."""
        target = self.returns.read((await call.read_arguments()).get("redirect-to"))
        request = await anyio.to_thread.run_sync(self._behind, target)
        response = self._show_login(target, request, user="", error=problem or _ENDED, status=_UNAUTHORIZED)
        return with_cookies(response, (self.door.cleared_step(),))

    async def find_application(self, target: str) -> tuple[str, str]:
        """Give the source to which a sign-in may lead, and its application's name as far as it is to be shown."""
        return self._application(target, await anyio.to_thread.run_sync(self._behind, target))

    def _behind(self, target: str) -> AuthorizationRequest | RefusedRequest | None:
        return authorization_target(self.authorizations, target) if target else None

    def _show_login(
        self,
        target: str,
        request: AuthorizationRequest | RefusedRequest | None,
        *,
        user: str,
        error: str = "",
        status: int = 200,
    ) -> Response:
        # What was allowed before, or is refused, leads from the form to the application at once.
        leads_to, client = self._application(target, request)
        return self.frame.plain(
            "login.html", status, leads_to=leads_to, error=error, user=user, target=target, client=client
        )

    def _application(self, target: str, request: AuthorizationRequest | RefusedRequest | None) -> tuple[str, str]:
        """Give the source to which a sign-in may lead, and the application's name as far as it is to be shown."""
        match request:
            case AuthorizationRequest():
                return origin_source(request.redirect_uri), request.client.app_name
            case RefusedRequest(location=str() as location):
                return origin_source(location.partition("?")[0]), ""
            case _:
                return self.returns.source_of(target), ""

    async def logout(self, call: Call) -> Response:
        """End the session and show the sign-in page."""
        ended = await end_session(self.door.sign_in, call)
        return with_cookies(RedirectResponse("/login", 303), cleared_cookies() if ended else ())

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


def home_of(signed_in: SignedIn) -> str:
    """Tell where a user begins."""
    return "/app" if signed_in.user.user_type is UserType.SYSTEM else "/me"


def with_target(address: str, target: str, **chosen: str) -> str:
    """Write an address of the sign-in's pages, with where the sign-in leads."""
    query = urlencode({**chosen, **({"redirect-to": target} if target else {})})
    return f"{address}?{query}" if query else address


def status_of(error: SignInFailed | RateLimited) -> int:
    """Give the status with which a form of the sign-in comes again."""
    return _TOO_MANY if isinstance(error, RateLimited) else _UNAUTHORIZED


def told_when(response: Response, error: SignInFailed | RateLimited) -> Response:
    """Say in an answer's head when to try again, if it is for that."""
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _shown_name(typed: object) -> str:
    readable = isinstance(typed, str) and len(typed) <= _NAME_LENGTH_MAX and typed.isprintable()
    return str(typed) if readable else ""
