"""Keys on the page of their owner, in its section API Access: Generate Keys, new ones, new secrets, and their end."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.policy import Requirement
from latchgate.core.questions import Asked
from latchgate.errors import Flaw, Invalid, LatchgateError, NotFound, NotPermitted
from latchgate.server.desk.flashes import with_done
from latchgate.server.desk.forms import told_of
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.key_owners import KeyedPage, KeyHome, filters_of
from latchgate.server.desk.new_keys import FIELDS, FIRST, NewKeyForm, choice
from latchgate.server.desk.rendering import RenderingError
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.documents import DocumentService
from latchgate.services.key_findings import KeyFindings
from latchgate.services.log_ports import KeyUse
from latchgate.services.ports import Clock

__all__ = ["KeyPages"]

_FORM = frozenset({"GET", "POST"})
_INVALID = 417
_OVERLAPS = (
    ("0", "End the present secret at once"),
    ("3600", "Both work for an hour"),
    ("86400", "Both work for a day"),
    ("604800", "Both work for a week"),
)


@dataclass(frozen=True, slots=True)
class KeyPages:
    """Each is the owner's page with a dialog above it, which works without a script too."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    clock: Clock
    findings: KeyFindings
    public_url: str

    def table(self, page: KeyedPage, address: str, requires: Requirement) -> Mapping[str, Page]:
        """List the pages of the keys that an owner's page shows, by address.

        Args:
            page: The owner's.
            address: Its own, as in the route table.
            requires: What it requires of its callers.
        """
        key = f"{address}/key/{{key}}"
        handlers = {
            f"{address}/generate-keys": self.generate,
            f"{address}/new-key": self.new,
            f"{key}/rotate": self.rotate,
            f"{key}/revoke": self.revoke,
        }
        return {path: Page(requires, _FORM, partial(handler, page), Dialect.PAGE) for path, handler in handlers.items()}

    def own_table(self, page: KeyedPage, address: str, requires: Requirement) -> Mapping[str, Page]:
        """List the pages of a key that has a page of its own, as `table`; its address has the part `key`."""
        handlers = {f"{address}/rotate": self.rotate, f"{address}/revoke": self.revoke}
        return {path: Page(requires, _FORM, partial(handler, page), Dialect.PAGE) for path, handler in handlers.items()}

    async def generate(self, page: KeyedPage, call: Call) -> Response:
        """Say what a new secret for the first key stops, and make it."""
        home = await self._judge(page, call, Action.CREATE)
        if call.request.method != "POST":
            return await page.show_keys(call, await anyio.to_thread.run_sync(self._about_first_key, call, home))
        seen = _seen(await call.read_arguments())
        await self._require_shown(page, call)
        try:
            generate = partial(self.api_keys.generate_primary, call.actor, home.owner, seen=seen)
            issued = await anyio.to_thread.run_sync(generate)
        except Invalid as error:
            about = partial(self._about_first_key, call, home)
            return await _show_refusal(page, call, error, about)
        return await self._show_secret(page, call, (home, issued.key.key_id, issued.secret.text))

    async def new(self, page: KeyedPage, call: Call) -> Response:
        """Show the form of a new key, say what it would come to, and make one of it."""
        home = await self._judge(page, call, Action.CREATE)
        policy = await anyio.to_thread.run_sync(self.api_keys.get_policy)
        form = NewKeyForm(self.frame, self.documents, self.clock, policy.days_max)
        if call.request.method != "POST":
            return await form.show(call, home, FIRST)
        typed = await call.read_arguments()
        if "preview" in call.request.query_params:
            return await form.show(call, home, typed)
        await self._require_shown(page, call)
        try:
            create = partial(self.documents.create, call.actor, API_KEY.name, form.read(home, typed))
            made = await anyio.to_thread.run_sync(create)
        except Invalid as error:
            return await form.show(call, home, typed, told_of(error, FIELDS), _INVALID)
        shown = await self._show_secret(page, call, (home, made["name"], made["api_secret"]))
        # What is seen is the owner's page: to load it again must not show an empty form.
        shown.headers["HX-Replace-Url"] = home.back
        return shown

    async def rotate(self, page: KeyedPage, call: Call) -> Response:
        """Ask for how long the present secret should still work, and make a new one."""
        home = await self._judge(page, call, Action.WRITE)
        about = partial(self._about_key, call, home, "rotate")
        if call.request.method != "POST":
            return await page.show_keys(call, await anyio.to_thread.run_sync(about))
        arguments = await call.read_arguments()
        await self._require_shown(page, call)
        await anyio.to_thread.run_sync(self._get_key, call, home)
        rotate = partial(self.api_keys.rotate, call.actor, call.parts["key"], source=home.owner.source)
        try:
            overlap = int(choice("overlap", arguments, _OVERLAPS))
            issued = await anyio.to_thread.run_sync(partial(rotate, overlap_seconds=overlap, seen=_seen(arguments)))
        except Invalid as error:
            return await _show_refusal(page, call, error, about)
        return await self._show_secret(page, call, (home, issued.key.key_id, issued.secret.text))

    async def revoke(self, page: KeyedPage, call: Call) -> Response:
        """Say what stops working, and end the key, in whatever state it is by now: ending it is what was asked for."""
        home = await self._judge(page, call, Action.DELETE)
        if call.request.method != "POST":
            return await page.show_keys(call, await anyio.to_thread.run_sync(self._about_key, call, home, "revoke"))
        await anyio.to_thread.run_sync(self._get_key, call, home)
        end = partial(self.api_keys.revoke, call.actor, call.parts["key"], source=home.owner.source)
        await anyio.to_thread.run_sync(end)
        return RedirectResponse(with_done(home.back, "revoked"), 303)

    async def _judge(self, page: KeyedPage, call: Call, action: Action) -> KeyHome:
        """Give the owner to whose keys the caller may do this: nobody fills in what they may not send."""
        home = await anyio.to_thread.run_sync(page.get_home, call)
        # Guest owns none, which is said where one is asked for.
        with suppress(Invalid):
            await anyio.to_thread.run_sync(self.api_keys.require, call.actor, home.owner, action)
        return home

    async def _require_shown(self, page: KeyedPage, call: Call) -> None:
        may_read = partial(self.documents.may, call.actor, API_KEY.name, Action.READ, None)
        if not await anyio.to_thread.run_sync(may_read):
            raise NotPermitted("You may not see keys, nor be shown the secret of one.", told=True)
        await page.require_shown(call)

    async def _show_secret(self, page: KeyedPage, call: Call, made: tuple[KeyHome, str, str]) -> Response:
        home, key_id, secret = made
        call = call.after_change()
        try:
            found = await anyio.to_thread.run_sync(self._find_key, call, home, key_id)
            dialog = {"kind": "secret", "key": found, "key_id": key_id, "secret": secret, "public_url": self.public_url}
            return await page.show_keys(call, {**dialog, "source": home.owner.source})
        except (LatchgateError, RenderingError):
            # The database went away, or the page has a fault: the secret is there by now, and shown nowhere else.
            source = home.owner.source
            facts = [("API Key", key_id), *([] if source == USER_SOURCE else [("Frappe-Authorization-Source", source)])]
            return self.frame.plain("secret.html", title="API Secret", facts=facts, secret=secret, back=home.back)

    def _about_first_key(self, call: Call, home: KeyHome) -> dict[str, Any]:
        first = [*filters_of(home.owner), ["is_primary", "=", 1], ["revoked", "is", "not set"]]
        found = self.documents.list_whole(call.actor, API_KEY.name, Asked(filters=first, limit=1)).documents()
        if not found:
            return {"kind": "generate", "key": None}
        return {"kind": "generate", "key": found[0], "use": self._use(call, found[0])}

    def _about_key(self, call: Call, home: KeyHome, kind: str) -> dict[str, Any]:
        key = self._get_key(call, home)
        most = self.api_keys.get_policy().overlap_seconds_max
        overlaps = [(seconds, words) for seconds, words in _OVERLAPS if most is None or int(seconds) <= most]
        return {"kind": kind, "key": key, "overlaps": overlaps, "use": self._use(call, key)}

    def _get_key(self, call: Call, home: KeyHome) -> dict[str, Any]:
        key = self._find_key(call, home, call.parts["key"])
        if key is None:
            raise NotFound("There is no such key here that you may see.")
        return key

    def _find_key(self, call: Call, home: KeyHome, key_id: str) -> dict[str, Any] | None:
        # Other sources may have a key of that id too.
        own = [*filters_of(home.owner), ["name", "=", key_id]]
        found = self.documents.list_whole(call.actor, API_KEY.name, Asked(filters=own, limit=1)).documents()
        return found[0] if found else None

    def _use(self, call: Call, key: Mapping[str, Any]) -> KeyUse | None:
        """Tell how a key was used within a day; None for who may see no rows of it."""
        return self.findings.uses_of_a_day(call.actor, [key]).get((key["source"], key["name"]))


async def _show_refusal(page: KeyedPage, call: Call, error: Invalid, about: Callable[[], dict[str, Any]]) -> Response:
    """Say that nothing was changed; where something else was meanwhile, ask anew with what there is to stop now."""
    if error.flaw is Flaw.STALE:
        return await page.show_keys(call, {**await anyio.to_thread.run_sync(about), "stale": True}, _INVALID)
    return await page.show_keys(call, {"kind": "refused", "sentence": told_of(error, ()).problem}, _INVALID)


def _seen(sent: Mapping[str, Any]) -> str:
    """Give the key's `modified` that a dialog was about; none where there was no key, and no dialog."""
    seen = sent.get("seen")
    return seen if isinstance(seen, str) else ""
