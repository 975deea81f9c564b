"""The frame around the desk's pages: navigation, heading, flash, the session's token, and what browsers may do."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import anyio.to_thread
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from latchgate import __version__
from latchgate.core.principals import Principal
from latchgate.core.sessions import csrf_token
from latchgate.core.tokens import Peppers, Secret
from latchgate.core.undos import Undo
from latchgate.core.users import UserType
from latchgate.errors import LatchgateError
from latchgate.server.desk.flashes import UNDO, flash_of, undo_id_of, with_done
from latchgate.server.desk.help_topics import help_about
from latchgate.server.desk.key_words import key_sentence
from latchgate.server.desk.navigation import Link, Navigation, start_of
from latchgate.server.desk.operations import operation_words
from latchgate.server.desk.reasons import reason_words
from latchgate.server.desk.rendering import Renderer
from latchgate.server.desk.static_files import StaticFiles
from latchgate.server.desk.views import Column
from latchgate.server.desk.wording import Moment, middle, milliseconds, segment, status_words
from latchgate.server.replies import Fault, Reply
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.documents import DocumentService
from latchgate.services.ports import Clock
from latchgate.services.undos import UndoService

__all__ = ["DESK_POLICY", "Frame", "Heading", "Link"]

# Nothing inline, nothing from elsewhere, no frame around us, forms to ourselves alone; the kit's signs are images
# within its CSS. The desk besides runs our own files and asks ourselves.
_PLAIN_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
DESK_POLICY = _PLAIN_POLICY.replace("style-src", "script-src 'self'; connect-src 'self'; style-src")
_HEADERS = {
    # Not none at all: browsers would send our own forms with "Origin: null".
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PLAIN_HEADERS = {**_HEADERS, "Content-Security-Policy": _PLAIN_POLICY}
# htmx writes no styles, runs no text, asks nobody else and keeps no page. A refused form comes again with its reasons.
_HTMX = {
    "includeIndicatorStyles": False,
    "allowEval": False,
    "allowScriptTags": False,
    "selfRequestsOnly": True,
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
    "timeout": 30_000,
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "4(09|17|22)", "swap": True},
        {"code": "...", "swap": False, "error": True},
    ],
}
_INTERNAL = 500
_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    429: "Too many requests",
    _INTERNAL: "This did not work",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """The top of a desk page."""

    title: str
    trail: tuple[Link, ...] = ()
    """The pages above this one, the uppermost first."""
    action: Link | None = None
    """The one thing that people come here to do."""
    opens_dialog: bool = False
    """Whether that is a dialog above this page, which its address renders."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Renders pages, those of the desk with what their caller may see around them."""

    navigation: Navigation
    undos: UndoService
    peppers: Peppers = field(repr=False)
    renderer: Renderer = field(repr=False)
    static_files: StaticFiles = field(repr=False)

    @classmethod
    def on(cls, documents: DocumentService, undos: UndoService, peppers: Peppers, clock: Clock) -> "Frame":
        """Build the frame and read the text of every template."""
        static_files = StaticFiles.read()
        given: dict[str, object] = {
            "version": __version__,
            "asset": static_files.address,
            "column": Column,
            "htmx_config": json.dumps(_HTMX),
            "moment": lambda value: Moment.of(value, clock.now()),
            "key_sentence": lambda key: key_sentence(key, clock.now()),
        }
        filters: dict[str, Callable[..., object]] = {
            "literal": json.dumps,
            "middle": middle,
            "milliseconds": milliseconds,
            "operation": operation_words,
            "shell": shlex.quote,
            "reason": reason_words,
            "segment": segment,
            "status": status_words,
        }
        return cls(Navigation(documents), undos, peppers, Renderer.on(given, filters), static_files)

    async def show(
        self, call: Call, template: str, heading: Heading, *, status: int = 200, **values: object
    ) -> Response:
        """Render a page of the desk for a caller.

        Args:
            call: Of a route that requires a user.
            template: One that extends `desk.html`.
            heading: The top of the page.
            status: The answer's.
            values: What the template itself shows, beside `principal`, `csrf_token` and `here`, the page's path.
        """
        links, undo = await anyio.to_thread.run_sync(self._around, call)
        response = self._render(
            template,
            status,
            {
                **values,
                "heading": heading,
                "links": links,
                "flash": flash_of(call.request),
                "undo": undo,
                "undo_address": UNDO,
                "principal": call.principal,
                "csrf_token": self.csrf_token(call),
                "here": call.path,
                "help_address": help_about(call.path),
                "in_desk": call.principal.user_type is UserType.SYSTEM,
            },
        )
        response.headers["Content-Security-Policy"] = DESK_POLICY
        return response

    async def done(self, call: Call, address: str, code: str, undo: Undo | None) -> Response:
        """Lead to a page that says what was done there, and offers to undo it.

        Args:
            call: That did it.
            address: Of the page.
            code: One of DONE.
            undo: What would put it back; None where nothing would.
        """
        undo_id = await anyio.to_thread.run_sync(self._offer, call, undo, address) if undo else ""
        return RedirectResponse(with_done(address, code, undo_id), 303)

    def plain(self, template: str, status: int = 200, *, leads_to: str = "", **values: object) -> Response:
        """Render a page for whoever asks, which runs no script.

        Args:
            template: One that extends `plain.html`.
            status: The answer's.
            leads_to: The source of a redirect that may follow the page's form, proved to be a client's: Chromium
                applies `form-action` to that too.
            values: What the template shows.
        """
        response = self._render(template, status, values)
        if leads_to:
            policy = _PLAIN_POLICY.replace("form-action 'self'", f"form-action 'self' {leads_to}")
            response.headers["Content-Security-Policy"] = policy
        return response

    def part(self, template: str, **values: object) -> Response:
        """Render what a page takes into itself: a piece of it, without a frame."""
        return self._render(template, 200, values)

    def secretly(self, template: str, status: int = 200, **values: object) -> Response:
        """Render a page whose address is a secret, which nobody else is told.

        Its form need not be guarded against other sites: who knows the address may send it.
        """
        response = self._render(template, status, values)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def fault(self, fault: Fault, principal: Principal | None = None, request_id: str = "") -> Response:
        """Render a refusal as a page, with a way on for whoever sees it; what a program needs stays in its headers.

        A fault of ours tells the request's ID too, by which both logs have it.
        """
        title = _TITLES.get(fault.status, "Something went wrong")
        message = fault.message or fault.quiet or str(fault.extra.get("message", ""))
        try:
            start = start_of(principal)
            told = request_id if fault.status >= _INTERNAL else ""
            response = self.plain(
                "fault.html", fault.status, title=title, message=message, start=start, request_id=told
            )
        except (OSError, ImportError):
            # No descriptors are left, and no page was shown yet: what renders them cannot be loaded.
            response = PlainTextResponse(f"{title}\n{message}\n", fault.status, headers=_PLAIN_HEADERS)
        response.headers.update(fault.headers)
        return response

    def before(self, page: Page) -> Page:
        """Give a page whose handler runs only once all is there to show what it did.

        A secret that was made and cannot be shown is lost.
        """

        async def handle(call: Call) -> Reply | Response:
            if not self.renderer.is_ready:
                # Off the event loop, which others' verdicts are waiting for.
                await anyio.to_thread.run_sync(self.renderer.make_ready)
            return await page.handler(call)

        return replace(page, handler=handle)

    def csrf_token(self, call: Call) -> str:
        """Give the token of a call's session, empty where it came with none."""
        sid = call.admission.presented.session_cookie
        return csrf_token(self.peppers, Secret(sid)) if sid else ""

    def _offer(self, call: Call, undo: Undo, address: str) -> str:
        try:
            return self.undos.offer(call.after_change().actor, undo, address)
        except LatchgateError:
            # It was done, and is not told as failed because it cannot be undone here.
            return ""

    def _around(self, call: Call) -> tuple[list[tuple[Link, bool]], str]:
        """Read where the caller may go, and the id of the change that was just made, if it can be undone."""
        undo = undo_id_of(call.request.query_params.get("undo"))
        # Only beside the sentence that says what was done.
        offered = undo and flash_of(call.request) and self.undos.find(call.actor, undo)
        return self._links(call), undo if offered else ""

    def _links(self, call: Call) -> list[tuple[Link, bool]]:
        if call.principal.user_type is UserType.SYSTEM:
            return self.navigation.links(call)
        return [(Link("My account", "/me"), True)]

    def _render(self, template: str, status: int, values: Mapping[str, object]) -> Response:
        text = self.renderer.render(template, values)
        # A caller's text may hold half a surrogate pair, which no page can.
        return HTMLResponse(text.encode("utf-8", "replace"), status, headers=_PLAIN_HEADERS)
