"""Whose keys a page shows: a user's, those of a source's record, or one's own; the pages of keys are alike for all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.responses import Response

from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.server.desk.navigation import KEYS, Link
from latchgate.server.desk.wording import segment
from latchgate.server.requests import Call
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.documents import DocumentService
from latchgate.services.key_owners import Owner

__all__ = ["KeyHome", "KeyServices", "KeyedPage", "filters_of", "key_address", "read_keys"]

_KEYS_MAX = 200


@dataclass(frozen=True, slots=True)
class KeyHome:
    """An owner of keys, and where its page is."""

    owner: Owner
    title: str
    """What people call the owner."""
    acts_as: str
    """The user as whom its keys act; empty where there is none yet."""
    address: str
    """Of the page; those of its keys begin with it."""
    back: str
    """Where the page shows its keys."""
    trail: tuple[Link, ...]
    """The way there, the owner's page included."""


class KeyedPage(Protocol):
    """A page with a section API Access."""

    def get_home(self, call: Call) -> KeyHome:
        """Read whose keys the address means. Raises NotFound, NotPermitted."""

    async def show_keys(self, call: Call, dialog: Mapping[str, Any], status: int = 200) -> Response:
        """Render the page at its keys, with a dialog above it: `kind`, and what `key_dialogs.html` shows of it."""

    async def require_shown(self, call: Call) -> None:
        """Read what the answer to a change shows, before the change: what fails later loses a secret."""


@dataclass(frozen=True, slots=True)
class KeyServices:
    """What a page with a section API Access reads from."""

    documents: DocumentService
    api_keys: ApiKeyService


def key_address(source: str, key_id: str) -> str:
    """Give the address of a key's own page."""
    return f"{KEYS}/{segment(source)}/{segment(key_id)}"


def filters_of(owner: Owner) -> list[list[str]]:
    """Give the conditions by which an owner's keys are found."""
    return [["source", "=", owner.source], ["record", "=", owner.record]]


def read_keys(services: KeyServices, call: Call, home: KeyHome) -> dict[str, Any]:
    """Read what the section API Access shows: the keys that were not revoked, and what the caller may do to them.

    Whoever sees only their own keys sees none of an owner that acts as somebody else, not even that there are any.
    """
    actor, documents = call.actor, services.documents
    sees_all = API_KEY.name in documents.list_readable(actor, [API_KEY.name])
    own = home.acts_as == call.principal.user and documents.may(actor, API_KEY.name, Action.READ, None)
    if not (sees_all or own):
        return {"keyed": home, "keys": None}
    alive = [*filters_of(home.owner), ["revoked", "is", "not set"]]
    page = documents.list_whole(actor, API_KEY.name, Asked(filters=alive, order_by="creation desc", limit=_KEYS_MAX))
    first = Asked(fields=["name"], filters=[*alive, ["is_primary", "=", 1]], limit=1)
    named = [name for (name,) in documents.list_rows(actor, API_KEY.name, first).rows]
    return {
        "keyed": home,
        "keys": page.documents(),
        "more_keys": page.more,
        "first_key": named[0] if named else "",
        "allowed": services.api_keys.list_allowed(actor, home.owner),
    }
