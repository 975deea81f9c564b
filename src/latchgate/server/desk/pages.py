"""The plain pages: sign-in, home, one's account, first-run set-up, errors. They stand on the services alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import anyio.to_thread
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from latchgate import __version__
from latchgate.core.policy import PUBLIC, SIGNED_IN
from latchgate.core.sessions import csrf_token
from latchgate.core.tokens import Peppers, Secret
from latchgate.core.users import UserType
from latchgate.errors import Invalid, NotFound, RateLimited, SignInFailed
from latchgate.server.desk.assets import Asset
from latchgate.server.frappe.sessions import attempt_of, end_session
from latchgate.server.replies import Dialect, Fault
from latchgate.server.requests import Call
from latchgate.server.routes import WITHOUT_SESSION, Page
from latchgate.server.sign_in import Door, cleared_cookies

__all__ = ["Pages"]

# Nothing inline, nothing from elsewhere, no frame around us, forms to ourselves alone.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    # Not none at all: browsers would send our own forms with "Origin: null".
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# The page that tries the API runs our own files and asks ourselves alone; the kit's arrows are images within its CSS.
_DOCS_SECURITY_POLICY = _CONTENT_SECURITY_POLICY.replace(
    "img-src 'self'", "script-src 'self'; connect-src 'self'; img-src 'self' data:"
)
_SWAGGER_UI = "5.35.0"
"""The version that lies in static/vendor; it stands in the addresses, so that no browser mixes two."""
_CSS, _SCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
# By the name in the address: the file, and what it is.
_ASSETS = {
    "style.css": ("style.css", _CSS),
    "mark.svg": ("mark.svg", "image/svg+xml"),
    "api-docs.css": ("api-docs.css", _CSS),
    "api-docs.js": ("api-docs.js", _SCRIPT),
    f"swagger-ui-{_SWAGGER_UI}.css": ("vendor/swagger-ui/swagger-ui.css", _CSS),
    f"swagger-ui-{_SWAGGER_UI}.js": ("vendor/swagger-ui/swagger-ui-bundle.js", _SCRIPT),
}
_ASSET_HEADERS = {"Cache-Control": "public, max-age=3600"}
_NAME_LENGTH_MAX = 140
_GET = frozenset({"GET"})
_FORM = frozenset({"GET", "POST"})
_TITLES = {400: "Bad request", 401: "Not signed in", 403: "Not permitted", 404: "Not found", 429: "Too many requests"}


@dataclass(frozen=True, slots=True)
class Pages:
    """Builds the pages and renders them."""

    door: Door
    peppers: Peppers
    environment: Environment
    assets: Mapping[str, Asset]

    @classmethod
    def on(cls, door: Door, peppers: Peppers) -> "Pages":
        """Build the pages with their templates."""
        environment = Environment(
            loader=PackageLoader("latchgate.server.desk"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            auto_reload=False,
            lstrip_blocks=True,
        )
        environment.globals |= {"version": __version__, "swagger_ui": _SWAGGER_UI}
        # All at start: an error page must not need a file while there are no descriptors left to open one.
        for name in environment.list_templates():
            environment.get_template(name)
        return cls(door, peppers, environment, _read_assets())

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            "/": Page(PUBLIC, _GET, self.home, Dialect.PAGE),
            "/login": Page(WITHOUT_SESSION, _FORM, self.login, Dialect.PAGE),
            "/logout": Page(PUBLIC, frozenset({"POST"}), self.logout, Dialect.PAGE),
            "/app": Page(SIGNED_IN, _GET, self.desk, Dialect.PAGE),
            "/me": Page(SIGNED_IN, _GET, self.account, Dialect.PAGE),
            "/setup/{name}": Page(WITHOUT_SESSION, _FORM, self.set_up, Dialect.PAGE),
            "/api/docs": Page(PUBLIC, _GET, self.api_docs, Dialect.PAGE),
            "/assets/{name}": Page(WITHOUT_SESSION, _GET, self.asset, Dialect.PLAIN),
        }

    def fault(self, fault: Fault) -> Response:
        """Render a refusal as a page; what a program needs stays in its headers."""
        title = _TITLES.get(fault.status, "Something went wrong")
        message = fault.message or fault.quiet or str(fault.extra.get("message", ""))
        response = self._render("fault.html", fault.status, title=title, message=message)
        response.headers.update(fault.headers)
        return response

    async def home(self, call: Call) -> Response:
        """Show the account of whoever is signed in, and the sign-in page to everybody else."""
        return await self.account(call) if call.admission.principal else RedirectResponse("/login", 303)

    async def login(self, call: Call) -> Response:
        """Show the sign-in form, and take it."""
        if call.request.method != "POST":
            return self._render("login.html", error="", user="")
        try:
            signed_in = await self.door.open(await attempt_of(call))
        except (SignInFailed, RateLimited) as error:
            limited = isinstance(error, RateLimited)
            user = _shown_name((await call.read_arguments()).get("usr"))
            response = self._render("login.html", 429 if limited else 401, error=error.public, user=user)
            if isinstance(error, RateLimited):
                response.headers["Retry-After"] = str(error.retry_after_seconds)
            return response
        target = "/app" if signed_in.user.user_type is UserType.SYSTEM else "/me"
        return _with_cookies(RedirectResponse(target, 303), self.door.cookies(signed_in))

    async def logout(self, call: Call) -> Response:
        """End the session and show the sign-in page."""
        ended = await end_session(self.door.sign_in, call)
        return _with_cookies(RedirectResponse("/login", 303), cleared_cookies() if ended else ())

    async def desk(self, call: Call) -> Response:
        """Show the desk's first page to System Users, and their account to all others."""
        if call.principal.user_type is not UserType.SYSTEM:
            return RedirectResponse("/me", 303)
        return self._render("desk.html", principal=call.principal, csrf_token=self._csrf_token(call))

    async def account(self, call: Call) -> Response:
        """Show one's own account."""
        return self._render("account.html", principal=call.principal, csrf_token=self._csrf_token(call))

    async def api_docs(self, call: Call) -> Response:
        """Show the page to read and try the API, by the visitor's session if there is one."""
        principal = call.admission.principal
        token = self._csrf_token(call) if principal else ""
        response = self._render("api_docs.html", principal=principal, csrf_token=token)
        response.headers["Content-Security-Policy"] = _DOCS_SECURITY_POLICY
        return response

    async def set_up(self, call: Call) -> Response:
        """Show the first-run page to whoever holds the one-time link, and take Administrator's password."""
        link = Secret(call.request.scope["path"].rstrip("/").rpartition("/")[2])
        if not await anyio.to_thread.run_sync(self.door.sign_in.setup_link_opens, link):
            return self._render_secretly("setup_ended.html", 404)
        if call.request.method != "POST":
            return self._render_secretly("setup.html", error="")
        try:
            password = await _chosen_password(call)
            address = call.admission.presented.peer_address
            await anyio.to_thread.run_sync(
                self.door.sign_in.use_setup_link, link, password, address, limiter=self.door.limiter
            )
        except Invalid as error:
            return self._render_secretly("setup.html", 417, error=next(iter(error.fields.values())))
        except NotFound:
            return self._render_secretly("setup_ended.html", 404)
        return RedirectResponse("/login", 303)

    async def asset(self, call: Call) -> Response:
        """Give a file of the pages."""
        name = call.request.scope["path"].rpartition("/")[2]
        if name not in self.assets:
            raise NotFound(f"There is no file {name[:60]}")
        return await self.assets[name].answer(call)

    def _csrf_token(self, call: Call) -> str:
        sid = call.admission.presented.session_cookie
        return csrf_token(self.peppers, Secret(sid)) if sid else ""

    def _render_secretly(self, template: str, status: int = 200, **values: object) -> Response:
        # The address is a secret itself: nobody else is told it. Nor need its form be guarded against other sites.
        response = self._render(template, status, **values)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _render(self, template: str, status: int = 200, **values: object) -> Response:
        text = self.environment.get_template(template).render(**values)
        # A caller's text may hold half a surrogate pair, which no page can.
        return HTMLResponse(text.encode("utf-8", "replace"), status, headers=_HEADERS)


def _read_assets() -> Mapping[str, Asset]:
    folder = files("latchgate.server.desk").joinpath("static")
    return {
        name: Asset(folder.joinpath(path).read_bytes(), media_type, _ASSET_HEADERS)
        for name, (path, media_type) in _ASSETS.items()
    }


def _shown_name(typed: object) -> str:
    readable = isinstance(typed, str) and len(typed) <= _NAME_LENGTH_MAX and typed.isprintable()
    return str(typed) if readable else ""


async def _chosen_password(call: Call) -> Secret:
    arguments = await call.read_arguments()
    password, again = arguments.get("password"), arguments.get("password_again")
    if not isinstance(password, str) or password != again:
        raise Invalid({"password": "The two passwords differ."})
    return Secret(password)


def _with_cookies(response: Response, cookies: tuple[str, ...]) -> Response:
    for cookie in cookies:
        response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
    return response
