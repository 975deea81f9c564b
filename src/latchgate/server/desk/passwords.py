"""The pages of passwords: one's own changed, a link made for somebody, and the page that the link opens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.policy import SIGNED_IN
from latchgate.core.tokens import Secret
from latchgate.core.users import parse_user_name
from latchgate.errors import Invalid, NotFound, RateLimited
from latchgate.server.desk.forms import Told, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK
from latchgate.server.desk.user_form import USERS, UserForm
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call, require_text
from latchgate.server.routes import WITHOUT_SESSION, Page
from latchgate.services.passwords import PasswordService

__all__ = ["PasswordPages", "chosen_password"]

_FORM = frozenset({"GET", "POST"})
_INVALID, _TOO_MANY = 417, 429
_OWN_FIELDS = ("current_password", "password")


@dataclass(frozen=True, slots=True)
class PasswordPages:
    """What is typed here is never shown again; a link is shown once, to who made it."""

    frame: Frame
    form: UserForm
    passwords: PasswordService
    write_link: Callable[[Secret], str]
    """Writes a link as the address that opens it."""
    limiter: anyio.CapacityLimiter = field(repr=False)
    """How many passwords are hashed at once."""

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            "/me/password": Page(SIGNED_IN, _FORM, self.change_own, Dialect.PAGE),
            f"{USERS}/{{name}}/reset-link": Page(DESK, frozenset({"POST"}), self.make_link, Dialect.PAGE),
            "/reset-password/{name}": Page(WITHOUT_SESSION, _FORM, self.reset, Dialect.PAGE),
        }

    async def change_own(self, call: Call) -> Response:
        """Show the form of one's own password, and take it."""
        if call.request.method != "POST":
            return await self._show_own(call, Told(), 200)
        try:
            new = await chosen_password(call)
            current = require_text(await call.read_arguments(), "current_password")
            await anyio.to_thread.run_sync(
                self.passwords.change_own, call.actor, Secret(current), new, limiter=self.limiter
            )
        except Invalid as error:
            return await self._show_own(call, told_of(error, _OWN_FIELDS), _INVALID)
        except RateLimited as error:
            response = await self._show_own(call, Told(problem=error.public), _TOO_MANY)
            response.headers["Retry-After"] = str(error.retry_after_seconds)
            return response
        return RedirectResponse("/me?done=password", 303)

    async def make_link(self, call: Call) -> Response:
        """Make the link by which a user sets a new password, and show it this once."""
        form, named = self.form, call.parts["name"]
        # The link before this one ends: nobody is to lose both.
        await form.require_shown(call)
        name = parse_user_name(named) or named
        try:
            link = await anyio.to_thread.run_sync(self.passwords.make_reset_link, call.actor, name)
        except Invalid as error:
            dialog = {"kind": "refused", "sentence": told_of(error, ()).problem}
            return await form.show(call, "settings", dialog=dialog, status=_INVALID)
        dialog = {"kind": "link", "link": self.write_link(link)}
        return await form.show(call.after_change(), "settings", dialog=dialog)

    async def reset(self, call: Call) -> Response:
        """Show the form to whoever holds a link, and take the password."""
        link = Secret(call.parts["name"])
        name = await anyio.to_thread.run_sync(self.passwords.find_reset_user, link)
        if name is None:
            return self.frame.secretly("reset_ended.html", 404)
        if call.request.method != "POST":
            return self.frame.secretly("reset.html", user=name, error="")
        try:
            password = await chosen_password(call)
            address = call.admission.presented.peer_address
            await anyio.to_thread.run_sync(self.passwords.reset, link, password, address, limiter=self.limiter)
        except Invalid as error:
            told = next(iter(told_of(error, error.fields).fields.values()))
            return self.frame.secretly("reset.html", _INVALID, user=name, error=told)
        except NotFound:
            return self.frame.secretly("reset_ended.html", 404)
        return RedirectResponse("/login", 303)

    async def _show_own(self, call: Call, told: Told, status: int) -> Response:
        heading = Heading("Change password", (Link("My account", "/me"),))
        return await self.frame.show(call, "password.html", heading, status=status, told=told)


async def chosen_password(call: Call) -> Secret:
    """Read a new password that was typed twice. Raises Invalid, at `password`."""
    arguments = await call.read_arguments()
    password, again = arguments.get("password"), arguments.get("password_again")
    if not isinstance(password, str) or password != again:
        raise Invalid({"password": "The two passwords differ."})
    return Secret(password)
