"""One search over users, API keys and OAuth clients, of which everybody finds what they may read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.documents import API_KEY, USER
from latchgate.core.log_entries import holds_secret
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.server.desk.finds import Find, client_find, key_find, user_find
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.navigation import DESK, ENTRIES, HOME
from latchgate.server.desk.views import View, containing
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.clients import OAUTH_CLIENT
from latchgate.services.documents import DocumentService

__all__ = ["SEARCH", "SearchPages"]

SEARCH = "/app/search"
_GET = frozenset({"GET"})
_INVALID = 417
_GROUP_ROWS = 10
_LENGTH_MAX = 200
_REFUSED = "refused"
_PROBLEMS = {
    "secret": "That looks like a secret, and nothing was searched. Never paste a secret into a search: search for the "
    "API key, its public half, instead. If it is in use, rotate it, for it may be seen in your browser's history.",
    "long": f"That is too long: search for at most {_LENGTH_MAX} characters.",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of records that is searched."""

    doctype: str
    label: str
    one: str
    many: str
    fields: tuple[str, ...]
    """Where a text may stand, the name first, by which a record is found exactly."""
    order_by: str


KINDS = (
    Kind(USER.name, "Users", "user", "users", ("name", "full_name"), "name asc"),
    Kind(API_KEY.name, "API Keys", "key", "keys", ("name", "label", "record", "user"), "creation desc"),
    Kind(OAUTH_CLIENT, "OAuth Clients", "client", "clients", ("name", "app_name"), "app_name asc"),
)


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of a type."""

    kind: Kind
    finds: tuple[Find, ...]
    total: int
    all_at: str
    """The address of the list of all of them; empty if they are all here, or no list shows them."""

    @property
    def exact(self) -> bool:
        """Whether one of them has exactly the name that was searched."""
        return any(find.exact for find in self.finds)

    @property
    def words(self) -> str:
        """How many there are."""
        return f"{self.total:,} {self.kind.one if self.total == 1 else self.kind.many}"


@dataclass(frozen=True, slots=True)
class SearchPages:
    """The page, to whoever may come to the desk; what they find, the services judge type by type."""

    frame: Frame
    documents: DocumentService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {SEARCH: Page(DESK, _GET, self.search, Dialect.PAGE)}

    async def search(self, call: Call) -> Response:
        """Show what holds the text of the address; a secret is taken out of the address before anything else."""
        text = call.request.query_params.get("q", "").strip()
        if holds_secret(text):
            # Neither on the page, nor in its address, nor in what the browser remembers of it.
            return RedirectResponse(f"{SEARCH}?{urlencode({_REFUSED: 'secret'})}", 303)
        refused = "long" if len(text) > _LENGTH_MAX else call.request.query_params.get(_REFUSED, "")
        problem = _PROBLEMS.get(refused, "")
        view = View.of(call, "q", length_max=_LENGTH_MAX)
        found = [] if problem or not text else await anyio.to_thread.run_sync(self._find, call, text)
        return await self.frame.show(
            call,
            "search.html",
            Heading("Search", (HOME,)),
            status=_INVALID if problem else 200,
            view=view,
            # As it was typed, so that it can be shortened.
            text=text,
            problem=problem,
            groups=found,
            told="" if problem or not text else _told(found),
        )

    def _find(self, call: Call, text: str) -> list[Group]:
        allowed = [one for one in KINDS if self.documents.may(call.actor, one.doctype, Action.READ, None)]
        sees_all = self.documents.list_readable(call.actor, [one.doctype for one in allowed])
        groups = [self._find_kind(call, one, text, sees_all=one.doctype in sees_all) for one in allowed]
        # Whoever pastes the id of a key wants that key.
        return sorted((one for one in groups if one.total), key=lambda one: not one.exact)

    def _find_kind(self, call: Call, kind: Kind, text: str, *, sees_all: bool) -> Group:
        actor = call.actor
        exactly = Asked(filters=[["name", "=", text]], limit=_GROUP_ROWS)
        holding = Asked(
            filters=[["name", "!=", text]],
            or_filters=[containing(field, text) for field in kind.fields],
            order_by=kind.order_by,
            limit=_GROUP_ROWS,
        )
        pages = [(asked, self.documents.list_whole(actor, kind.doctype, asked)) for asked in (exactly, holding)]
        rows = [row for _, page in pages for row in page.documents()]
        count = partial(self.documents.count, actor, kind.doctype)
        total = sum(page.total(0, partial(count, asked)) for asked, page in pages)
        show = self._shown_by(kind, sees_all=sees_all)
        shown = tuple(show(row, row["name"] == text) for row in rows[:_GROUP_ROWS])
        return Group(kind, shown, total, self._list_of(kind, text) if sees_all and total > len(shown) else "")

    def _shown_by(self, kind: Kind, *, sees_all: bool) -> Callable[[Mapping[str, Any], bool], Find]:
        match kind.doctype:
            case USER.name:
                return lambda row, exact: user_find(row, exact=exact, sees_all=sees_all)
            case API_KEY.name:
                return lambda row, exact: key_find(row, exact=exact)
            case _:
                return lambda row, exact: client_find(row, exact=exact)

    def _list_of(self, kind: Kind, text: str) -> str:
        navigation = self.frame.navigation
        pages = (entry for entry in ENTRIES if entry.doctype == kind.doctype and navigation.has_page(entry))
        return next((f"{entry.address}?{urlencode({'search': text})}" for entry in pages), "")


def _told(groups: list[Group]) -> str:
    """Say in a sentence how many results there are."""

    def parts() -> Iterator[str]:
        yield from (group.words for group in groups)

    total = sum(group.total for group in groups)
    if not total:
        return "Nothing found."
    return f"{total:,} {'result' if total == 1 else 'results'}: {', '.join(parts())}."
