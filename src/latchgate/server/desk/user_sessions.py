"""What a System Manager ends of another user: their sessions, and a second factor that they lost."""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.errors import NotPermitted
from latchgate.server.desk.navigation import DESK
from latchgate.server.desk.session_lists import SessionLists
from latchgate.server.desk.user_form import USERS, UserForm, address_of
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page

__all__ = ["UserSessionPages"]

_POST, _FORM = frozenset({"POST"}), frozenset({"GET", "POST"})


@dataclass(frozen=True, slots=True)
class UserSessionPages:
    """Each ends at once, and the user's form is shown again."""

    form: UserForm
    lists: SessionLists

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        user = f"{USERS}/{{name}}"
        return {
            f"{user}/session/{{session}}/end": Page(DESK, _POST, self.end_session, Dialect.PAGE),
            f"{user}/end-sessions": Page(DESK, _POST, self.end_sessions, Dialect.PAGE),
            f"{user}/end-second-factor": Page(DESK, _FORM, self.end_second_factor, Dialect.PAGE),
        }

    async def end_session(self, call: Call) -> Response:
        """End one session of the user."""
        user, session = call.parts["name"], call.parts["session"]
        await anyio.to_thread.run_sync(self.lists.sessions.end_of, call.actor, user, session)
        return _back(user, "session-ended")

    async def end_sessions(self, call: Call) -> Response:
        """End all sessions of the user."""
        user = call.parts["name"]
        await anyio.to_thread.run_sync(self.lists.sessions.end_all_of, call.actor, user)
        return _back(user, "user-signed-out")

    async def end_second_factor(self, call: Call) -> Response:
        """Say what ends with the user's second factor, and end it."""
        user = call.parts["name"]
        if call.request.method != "POST":
            if await anyio.to_thread.run_sync(self.lists.second_factors.find_for, call.actor, user) is None:
                raise NotPermitted("You may not end the second factor of this user.", told=True)
            return await self.form.show(call, "sessions", dialog={"kind": "end-second-factor"})
        await anyio.to_thread.run_sync(self.lists.second_factors.end_for, call.actor, user)
        return _back(user, "second-factor-ended")


def _back(user: str, done: str) -> Response:
    return RedirectResponse(f"{address_of(user)}?tab=sessions&done={done}", 303)
