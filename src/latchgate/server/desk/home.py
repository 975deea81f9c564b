"""The first page of the desk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.permissions import Action
from latchgate.core.policy import SIGNED_IN
from latchgate.core.questions import Asked
from latchgate.core.users import UserType
from latchgate.errors import StorageError
from latchgate.server.desk.charts import Chart, Charts
from latchgate.server.desk.concerns import Concerns, list_concerns
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.log_list import REQUEST_LOG
from latchgate.server.desk.views import View
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page

__all__ = ["HomePages"]

_GET = frozenset({"GET"})
# Logs are long, and Settings are one.
_COUNTED = frozenset({"User", "API Key", "Role", "Authorization Source"})


@dataclass(frozen=True, slots=True)
class Tally:
    """How many records of a type the caller may see."""

    label: str
    count: int
    address: str
    """Of their list; empty while there is no such page."""


@dataclass(frozen=True, slots=True)
class HomePages:
    """Where System Users begin."""

    frame: Frame
    concerns: Sequence[Concerns]
    """What is looked after: each part of the house that finds something adds itself here."""
    charts: Charts

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            "/app": Page(SIGNED_IN, _GET, self.desk, Dialect.PAGE),
        }

    async def desk(self, call: Call) -> Response:
        """Show the desk's first page to System Users, and their account to all others."""
        if call.principal.user_type is not UserType.SYSTEM:
            return RedirectResponse("/me", 303)
        tallies = await anyio.to_thread.run_sync(self._tallies, call)
        concerns, problem = await anyio.to_thread.run_sync(list_concerns, call, self.concerns)
        view = View.of(call, "period")
        chart = await anyio.to_thread.run_sync(self._chart, call, view)
        no_key = any(tally.label == "API Keys" and not tally.count for tally in tallies)
        return await self.frame.show(
            call,
            "home.html",
            Heading("Home"),
            tallies=tallies,
            no_key=no_key,
            concerns=concerns,
            problem_told=problem,
            chart=chart,
        )

    def _chart(self, call: Call, view: View) -> Chart | None:
        if not self.frame.navigation.documents.may(call.actor, REQUEST_LOG.doctype, Action.READ, None):
            return None
        try:
            return self.charts.of_period(call.actor, view)
        except StorageError:
            # What needs attention says that the log cannot be read.
            return None

    def _tallies(self, call: Call) -> list[Tally]:
        navigation = self.frame.navigation
        return [
            Tally(
                entry.label,
                navigation.documents.count(call.actor, entry.doctype, Asked()),
                entry.address if navigation.has_page(entry) else "",
            )
            for entry in navigation.readable(call)
            if entry.doctype in _COUNTED
        ]
