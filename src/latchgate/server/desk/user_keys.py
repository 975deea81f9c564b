"""A user's keys, in the section API Access of its form: Generate Keys, new ones, new secrets, and their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.questions import Asked
from latchgate.core.users import parse_user_name
from latchgate.errors import Invalid, NotFound, NotPermitted
from latchgate.server.desk.forms import Told, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.user_form import DESK, HOME, USERS, UserForm, address_of
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.api_keys import ApiKeyService, Owner
from latchgate.services.documents import DocumentService
from latchgate.services.ports import Clock

__all__ = ["UserKeyPages"]

_FORM = frozenset({"GET", "POST"})
_INVALID = 417
_DAY_SECONDS = 86_400
_EXPIRIES = (("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("", "Never"))
_OVERLAPS = (
    ("0", "End the present secret at once"),
    ("3600", "Both work for an hour"),
    ("86400", "Both work for a day"),
    ("604800", "Both work for a week"),
)
_NEW_FIELDS = ("label", "scopes", "allowed_networks", "limit_per_minute", "expires")


@dataclass(frozen=True, slots=True)
class UserKeyPages:
    """Each page is the user's form with a dialog above it, which works without a script too."""

    frame: Frame
    documents: DocumentService
    api_keys: ApiKeyService
    clock: Clock
    public_url: str

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        key = f"{USERS}/{{name}}/key/{{key}}"
        return {
            f"{USERS}/{{name}}/generate-keys": Page(DESK, _FORM, self.generate, Dialect.PAGE),
            f"{USERS}/{{name}}/new-key": Page(DESK, _FORM, self.new, Dialect.PAGE),
            f"{key}/rotate": Page(DESK, _FORM, self.rotate, Dialect.PAGE),
            f"{key}/revoke": Page(DESK, _FORM, self.revoke, Dialect.PAGE),
        }

    async def generate(self, call: Call) -> Response:
        """Say what a new secret for the first key stops, and make it."""
        form = self._form
        if call.request.method != "POST":
            dialog = await anyio.to_thread.run_sync(self._about_first_key, call)
            return await form.show(call, "settings", dialog=dialog)
        owner = Owner(USER_SOURCE, _user_of(call))
        await form.require_shown(call)
        try:
            issued = await anyio.to_thread.run_sync(self.api_keys.generate_primary, call.actor, owner)
        except Invalid as error:
            return await self._show_refusal(call, error)
        return await self._show_secret(call, issued.key.key_id, issued.secret.text)

    async def new(self, call: Call) -> Response:
        """Show the form of a new key, and make one of it."""
        if call.request.method != "POST":
            return await self._show_new(call, {"scopes": "all", "expires": "90"}, Told(), 200)
        typed = await call.read_arguments()
        await self._form.require_shown(call)
        try:
            create = partial(self.documents.create, call.actor, "API Key", self._wanted(call, typed))
            made = await anyio.to_thread.run_sync(create)
        except Invalid as error:
            return await self._show_new(call, typed, told_of(error, _NEW_FIELDS), _INVALID)
        return await self._show_secret(call, made["name"], made["api_secret"])

    async def rotate(self, call: Call) -> Response:
        """Ask for how long the present secret should still work, and make a new one."""
        if call.request.method != "POST":
            dialog = await anyio.to_thread.run_sync(self._about_key, call, "rotate")
            return await self._form.show(call, "settings", dialog=dialog)
        arguments = await call.read_arguments()
        await self._form.require_shown(call)
        await anyio.to_thread.run_sync(self._about_key, call, "rotate")
        rotate = partial(self.api_keys.rotate, call.actor, call.parts["key"], source=USER_SOURCE)
        try:
            overlap = int(_choice("overlap", arguments, _OVERLAPS))
            issued = await anyio.to_thread.run_sync(partial(rotate, overlap_seconds=overlap))
        except Invalid as error:
            return await self._show_refusal(call, error)
        return await self._show_secret(call, issued.key.key_id, issued.secret.text)

    async def revoke(self, call: Call) -> Response:
        """Say what stops working, and end the key."""
        dialog = await anyio.to_thread.run_sync(self._about_key, call, "revoke")
        if call.request.method != "POST":
            return await self._form.show(call, "settings", dialog=dialog)
        end = partial(self.api_keys.revoke, call.actor, call.parts["key"], source=USER_SOURCE)
        await anyio.to_thread.run_sync(end)
        return RedirectResponse(f"{address_of(_user_of(call))}?tab=settings&done=revoked", 303)

    @property
    def _form(self) -> UserForm:
        return UserForm(self.frame, self.documents)

    async def _show_secret(self, call: Call, key_id: str, secret: str) -> Response:
        dialog = {"kind": "secret", "key_id": key_id, "secret": secret, "public_url": self.public_url}
        return await self._form.show(call, "settings", dialog=dialog)

    async def _show_refusal(self, call: Call, error: Invalid) -> Response:
        dialog = {"kind": "refused", "sentence": told_of(error, ()).problem}
        return await self._form.show(call, "settings", dialog=dialog, status=_INVALID)

    async def _show_new(self, call: Call, typed: Mapping[str, Any], told: Told, status: int) -> Response:
        user = await anyio.to_thread.run_sync(self._user, call)
        address = address_of(user["name"])
        trail = (HOME, Link("Users", USERS), Link(user["full_name"], f"{address}?tab=settings"))
        return await self.frame.show(
            call,
            "user_new_key.html",
            Heading("New key", trail),
            status=status,
            typed=typed,
            told=told,
            user=user,
            address=address,
            expiries=_EXPIRIES,
        )

    def _wanted(self, call: Call, typed: Mapping[str, Any]) -> dict[str, Any]:
        wanted: dict[str, Any] = {"source": USER_SOURCE, "record": _user_of(call)}
        wanted |= {name: typed[name] for name in _NEW_FIELDS[:-1] if typed.get(name)}
        days = _choice("expires", typed, _EXPIRIES)
        if days:
            wanted["expires"] = _text_of(self.clock.now() + int(days) * _DAY_SECONDS)
        return wanted

    def _about_first_key(self, call: Call) -> dict[str, Any]:
        user = self._user(call)
        return {"kind": "generate", "key": self._key(call, user["api_key"]) if user["api_key"] else None}

    def _about_key(self, call: Call, kind: str) -> dict[str, Any]:
        return {"kind": kind, "key": self._key(call, call.parts["key"]), "overlaps": _OVERLAPS}

    def _user(self, call: Call) -> dict[str, Any]:
        user = self.documents.get(call.actor, "User", call.parts["name"])
        if "api_key" not in user:
            raise NotPermitted("You may not see or make the keys of this user.", told=True)
        return user

    def _key(self, call: Call, key_id: str) -> dict[str, Any]:
        # Other sources may have a key of that id too.
        own = [["source", "=", USER_SOURCE], ["record", "=", _user_of(call)], ["name", "=", key_id]]
        found = self.documents.list_whole(call.actor, "API Key", Asked(filters=own, limit=1)).documents()
        if not found:
            raise NotFound("This user has no such key that you may see.")
        return found[0]


def _choice(name: str, sent: Mapping[str, Any], offered: tuple[tuple[str, str], ...]) -> str:
    """Give what was chosen of what a form offers. Raises Invalid."""
    value = sent.get(name)
    if not isinstance(value, str) or value not in dict(offered):
        raise Invalid({name: f"must be one of: {', '.join(words for _, words in offered)}"})
    return value


def _user_of(call: Call) -> str:
    named = call.parts["name"]
    return parse_user_name(named) or named


def _text_of(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
