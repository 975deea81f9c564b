"""What pages are made of, on one page to be looked at together; in development only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response

from latchgate.core.policy import Requirement
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.navigation import Link
from latchgate.server.desk.views import View
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page

__all__ = ["ComponentPages"]

_ADDRESS = "/app/components"
_MANAGERS = Requirement(user=True, roles=frozenset({SYSTEM_MANAGER}))
_TABS = ("fields", "lists", "values")
_INVALID = 417
_ROWS = [
    dict(zip(("name", "full_name", "enabled", "used", "requests"), values, strict=True))
    for values in (
        ("ann@example.com", "Ann Lee", 1, "2026-02-19 09:12:44.120000", 2),
        ("api@example.com", "Deploys", 1, "", 1204),
        ("former@example.com", "Max Mustermann-Schwarzenbach the Younger", 0, "2025-11-02 17:00:00.000000", 0),
    )
]
_KEY, _SECRET = "3f9c0d71aeb24c6d8e10f5a2", "not-a-secret-but-as-long-as-one-4f1e9a7c22"
_SIZE = 20
_TOTAL = 1204


@dataclass(frozen=True, slots=True)
class ComponentPages:
    """The page, which keeps nothing that it is sent."""

    frame: Frame

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {_ADDRESS: Page(_MANAGERS, frozenset({"GET", "POST"}), self.show, Dialect.PAGE)}

    async def show(self, call: Call) -> Response:
        """Show them; the form takes any label but an empty one."""
        if call.request.method != "POST" or "dialog" in call.request.query_params:
            return await self._render(call, {}, {}, 200)
        typed = await call.read_arguments()
        if typed.get("label"):
            return RedirectResponse(f"{_ADDRESS}?done=saved", 303)
        return await self._render(call, typed, {"label": "A key needs a label, by which people know it."}, _INVALID)

    async def _render(self, call: Call, typed: dict[str, Any], errors: Mapping[str, str], status: int) -> Response:
        query = call.request.query_params
        tab = query.get("tab", "")
        heading = Heading(
            "Components", (Link("Home", "/app"),), Link("New key", f"{_ADDRESS}?dialog=secret"), opens_dialog=True
        )
        return await self.frame.show(
            call,
            "components.html",
            heading,
            status=status,
            tabs=[(name, name.title()) for name in _TABS],
            tab=tab if tab in _TABS else _TABS[0],
            dialog=query.get("dialog", ""),
            view=View.of(call, "tab", "search", "enabled"),
            rows=_ROWS,
            size=_SIZE,
            total=_TOTAL,
            key=_KEY,
            secret=_SECRET,
            typed=typed,
            errors=errors,
        )
