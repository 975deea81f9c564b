"""The end of several keys at once: what stops is told before, and of each key that was not ended, why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.errors import NotPermitted
from latchgate.server.desk.finding_words import use_words
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.key_list import PICKED
from latchgate.server.desk.key_owners import key_address
from latchgate.server.desk.navigation import DESK, HOME, KEYS
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService, KeyName
from latchgate.services.documents import DocumentService
from latchgate.services.key_findings import KeyFindings

__all__ = ["KEYS_ENDED_MAX", "KeyEnds"]

KEYS_ENDED_MAX = 100
"""So many keys are ended at once."""
_FORM = frozenset({"GET", "POST"})
_INVALID = 417
_UNSEEN = "There is no such key that you may see."
_REVOKED = "It was revoked before."


@dataclass(frozen=True, slots=True)
class Picked:
    """A key that was chosen, as its chooser may see it."""

    name: KeyName
    key: Mapping[str, Any] | None
    """None if there is none that they may see."""
    why_not: str = ""
    """Why it is not ended; empty if it is."""
    used: str = ""
    """How it was used within a day; empty to whoever may not know."""

    @property
    def field(self) -> str:
        """The name of its checkbox."""
        source, key_id = self.name
        return f"{PICKED}{source}:{key_id}"

    @property
    def address(self) -> str:
        """Of its page."""
        return key_address(*self.name)


@dataclass(frozen=True, slots=True)
class KeyEnds:
    """Asks before it ends keys, and works without a script too."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    findings: KeyFindings

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {f"{KEYS}/revoke": Page(DESK, _FORM, self.revoke, Dialect.PAGE)}

    async def revoke(self, call: Call) -> Response:
        """Say what stops working, and end the keys that were chosen, all of them in one transaction."""
        may = partial(self.documents.may, call.actor, API_KEY.name, Action.DELETE, None)
        if not await anyio.to_thread.run_sync(may):
            raise NotPermitted("You may not revoke keys.", told=True)
        names = _picked(await call.read_arguments())
        if not names or len(names) > KEYS_ENDED_MAX:
            problem = (
                f"Choose at most {KEYS_ENDED_MAX} keys at once; these are {len(names):,}. Nothing was revoked."
                if names
                else "No key was chosen. Tick those that should end, then press Revoke keys."
            )
            return await self._show(call, [], problem=problem, status=_INVALID)
        if call.request.method != "POST":
            return await self._show(call, await anyio.to_thread.run_sync(self._judge, call, names))
        picked = await anyio.to_thread.run_sync(self._end, call, names)
        if all(not one.why_not for one in picked):
            return RedirectResponse(f"{KEYS}?done={'revoked' if len(picked) == 1 else 'keys-revoked'}", 303)
        return await self._show(call, picked, done=True)

    async def _show(
        self, call: Call, picked: Sequence[Picked], *, problem: str = "", done: bool = False, status: int = 200
    ) -> Response:
        ending = [one for one in picked if not one.why_not]
        count = len(ending)
        title = "Revoke keys" if not done else "Keys that were revoked" if ending else "No key was revoked"
        return await self.frame.show(
            call,
            "revoke_keys.html",
            Heading(title, (HOME, Link("API Keys", KEYS))),
            status=status,
            ending=ending,
            others=[one for one in picked if one.why_not],
            count="1 key" if count == 1 else f"{count} keys",
            problem_told=problem,
            done=done,
            keys_address=KEYS,
        )

    def _judge(self, call: Call, names: Sequence[KeyName]) -> list[Picked]:
        """Tell of each key whether it can be ended, and how it was used."""
        refused = self.api_keys.judge_ends(call.actor, names)
        seen = self._find(call, names)
        live = [name for name in names if name in seen and name not in refused and not seen[name]["revoked"]]
        uses = self.findings.uses_of_a_day(call.actor, [seen[name] for name in live])
        return [
            Picked(
                name,
                seen.get(name),
                _why_not(name, seen, refused),
                use_words(uses[name], "within a day") if name in uses else "",
            )
            for name in names
        ]

    def _end(self, call: Call, names: Sequence[KeyName]) -> list[Picked]:
        seen = self._find(call, names)
        # What the caller may not see is as good as absent, and what has ended is told apart from what ends now.
        wanted = [name for name in names if name in seen and not seen[name]["revoked"]]
        refused = self.api_keys.revoke_many(call.actor, wanted)
        return [Picked(name, seen.get(name), _why_not(name, seen, refused)) for name in names]

    def _find(self, call: Call, names: Sequence[KeyName]) -> dict[KeyName, dict[str, Any]]:
        """Give those of the keys that the caller may see."""
        ids = sorted({key_id for _, key_id in names})
        # Several sources may have a key of one id.
        asked = Asked(filters=[["name", "in", ids]], limit=0)
        found = self.documents.list_whole(call.actor, API_KEY.name, asked).documents()
        return {(key["source"], key["name"]): key for key in found}


def _picked(sent: Mapping[str, Any]) -> list[KeyName]:
    """Read which keys were ticked; neither a source's name nor a key's id holds a colon."""
    names = (name.removeprefix(PICKED).partition(":") for name in sent if name.startswith(PICKED))
    return [(source, key_id) for source, _, key_id in names if source and key_id]


def _why_not(name: KeyName, seen: Mapping[KeyName, Mapping[str, Any]], refused: Mapping[KeyName, str]) -> str:
    if name not in seen:
        return _UNSEEN
    if seen[name]["revoked"]:
        return _REVOKED
    return f"You may not revoke it: {refused[name]}." if name in refused else ""
