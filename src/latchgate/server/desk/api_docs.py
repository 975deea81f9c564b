"""The page to read the API's description, and to try what is in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from latchgate.core.policy import PUBLIC
from latchgate.server.desk.frame import DESK_POLICY, Frame, Heading
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page

__all__ = ["ApiDocs"]


@dataclass(frozen=True, slots=True)
class ApiDocs:
    """Open to everybody; who is signed in tries requests by their session."""

    frame: Frame

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {"/api/docs": Page(PUBLIC, frozenset({"GET"}), self.show, Dialect.PAGE)}

    async def show(self, call: Call) -> Response:
        """Show the page, by the visitor's session if there is one."""
        if call.admission.principal:
            return await self.frame.show(call, "api_docs.html", Heading("API"))
        response = self.frame.plain("api_docs.html", principal=None, csrf_token="")
        response.headers["Content-Security-Policy"] = DESK_POLICY
        return response
