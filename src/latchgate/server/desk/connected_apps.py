"""Connected applications on the page of their user: what they may do, and their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.permissions import Action
from latchgate.core.policy import Requirement
from latchgate.errors import NotFound, NotPermitted
from latchgate.server.oauth.scope_words import scope_sentences
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.connected_apps import ConnectedApp, ConnectedAppService

__all__ = ["AppHome", "ConnectedAppPages", "read_apps"]


@dataclass(frozen=True, slots=True)
class AppHome:
    """A user with applications, and where the page is that shows them."""

    user: str
    address: str
    """Of the page; those of its applications begin with it."""
    back: str
    """Where the page shows them."""
    own: bool
    """Whether it is the caller's."""


class PageWithApps(Protocol):
    """A page with a section Connected apps."""

    def get_app_home(self, call: Call) -> AppHome:
        """Tell whose applications the address means."""

    async def show_apps(self, call: Call, dialog: Mapping[str, Any]) -> Response:
        """Render the page at its applications, with a dialog above it."""


def read_apps(apps: ConnectedAppService, call: Call, home: AppHome) -> dict[str, Any]:
    """Read what the section shows; None where the caller may not see it."""
    if not apps.may(call.actor, home.user, Action.READ):
        return {"app_home": home, "apps": None}
    return {
        "app_home": home,
        "apps": [_row(app) for app in apps.list_of(call.actor, home.user)],
        "may_disconnect": apps.may(call.actor, home.user, Action.DELETE),
    }


@dataclass(frozen=True, slots=True)
class ConnectedAppPages:
    """The page of a user with a dialog above it, which works without a script too."""

    apps: ConnectedAppService

    def table(self, page: PageWithApps, address: str, requires: Requirement) -> Mapping[str, Page]:
        """List the pages of the applications that a user's page shows, by address.

        Args:
            page: The user's.
            address: Its own, as in the route table.
            requires: What it requires of its callers.
        """
        handler = partial(self.disconnect, page)
        path = f"{address}/app/{{client}}/disconnect"
        return {path: Page(requires, frozenset({"GET", "POST"}), handler, Dialect.PAGE)}

    async def disconnect(self, page: PageWithApps, call: Call) -> Response:
        """Say what ends with an application, and end it."""
        home, client = page.get_app_home(call), call.parts["client"]
        if call.request.method != "POST":
            app = await anyio.to_thread.run_sync(self._find, call, home)
            return await page.show_apps(call, {"kind": "disconnect", "app": _row(app)})
        await anyio.to_thread.run_sync(self.apps.disconnect, call.actor, home.user, client)
        return RedirectResponse(f"{home.back}&done=disconnected", 303)

    def _find(self, call: Call, home: AppHome) -> ConnectedApp:
        if not self.apps.may(call.actor, home.user, Action.DELETE):
            raise NotPermitted("You may not disconnect this user's applications.", told=True)
        listed = self.apps.list_of(call.actor, home.user)
        app = next((app for app in listed if app.client_id == call.parts["client"]), None)
        if app is None:
            raise NotFound("There is no such application here.")
        return app


def _row(app: ConnectedApp) -> dict[str, Any]:
    return {
        "client_id": app.client_id,
        "name": app.app_name,
        "sentences": scope_sentences(app.scopes),
        "resources": sorted(app.audience),
        "since": app.since,
        "holds_tokens": app.holds_tokens,
        "trusted": app.trusted,
    }
