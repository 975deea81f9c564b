"""Undo: one click beside what a page says was done, for some minutes."""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.policy import SIGNED_IN
from latchgate.core.users import UserType
from latchgate.errors import Conflict, Flaw, Invalid, LatchgateError, NotFound
from latchgate.server.desk.flashes import UNDO, undo_id_of, with_done
from latchgate.server.desk.forms import status_of, told_of
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.navigation import HOME, start_of
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.clients import OAUTH_CLIENT
from latchgate.services.undos import UndoService

__all__ = ["UndoPages"]

_NOT_FOUND = 404
_STALE = "Somebody else changed this since, or you did; nothing was undone."


@dataclass(frozen=True, slots=True)
class UndoPages:
    """Takes the click; what is refused is said on a page of its own, and nothing was changed then."""

    frame: Frame
    undos: UndoService

    def table(self) -> Mapping[str, Page]:
        """List the page by its address."""
        return {UNDO: Page(SIGNED_IN, frozenset({"GET", "POST"}), self.undo, Dialect.PAGE)}

    async def undo(self, call: Call) -> Response:
        """Put a change back, and lead to the page where it was made; asked for by its address alone, lead home."""
        if call.request.method != "POST":
            return RedirectResponse(start_of(call.principal).address, 303)
        undo_id = undo_id_of((await call.read_arguments()).get("undo"))
        found = await anyio.to_thread.run_sync(self.undos.find, call.actor, undo_id)
        try:
            undone = await anyio.to_thread.run_sync(self.undos.undo, call.actor, undo_id)
        except (NotFound, Invalid, Conflict) as error:
            status = _NOT_FOUND if isinstance(error, NotFound) else status_of(error)
            return await self._refuse(call, _words(error), status, found.back if found else "")
        code = "client-undone" if undone.doctype == OAUTH_CLIENT else "undone"
        return RedirectResponse(with_done(undone.back, code), 303)

    async def _refuse(self, call: Call, sentence: str, status: int, back: str) -> Response:
        trail = (HOME,) if call.principal.user_type is UserType.SYSTEM else ()
        heading = Heading("Nothing was undone", trail)
        return await self.frame.show(
            call, "undo.html", heading, status=status, sentence=sentence, back=back, start=start_of(call.principal)
        )


def _words(error: LatchgateError) -> str:
    stale = isinstance(error, Invalid) and error.flaw is Flaw.STALE
    return _STALE if stale else told_of(error, ()).problem
