"""The page Settings: what administrators decide for everybody, section by section, and what the operator decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.errors import Invalid, NotFound
from latchgate.server.desk.forms import Told, status_of, told_of
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.setting_fields import UNITS, field_of, read_number
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.documents import DocumentService
from latchgate.services.ports import Clock
from latchgate.services.system_settings import SYSTEM_SETTINGS, SystemSettingsService
from latchgate.settings import Settings

__all__ = ["SETTINGS", "SystemSettingsPages"]

SETTINGS = "/app/settings"
_FORM = frozenset({"GET", "POST"})
_OWN_KEYS = ("allow_own_keys", "own_key_roles")
_DAY_SECONDS = 86_400
_MANAGERS, _ROLES, _EVERYBODY = "managers", "roles", "everybody"
_WHO = (
    (_EVERYBODY, "Everybody"),
    (_ROLES, "Users with one of these roles"),
    (_MANAGERS, "Nobody; only who manages all keys"),
)
_REGISTRATION = "oauth_registration"
_REGISTRATION_WORDS = {
    "off": "No; somebody makes them here",
    "token": "With an API key or access token that may create an OAuth Client",
    "open": "Anybody",
}
_ELSEWHERE = (
    "public_url",
    "time_zone",
    "credential_failures_per_minute",
    "signing_key_days",
    "log_sync",
)
"""What is worth knowing beside, and stands from the start of the service to its end."""


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that are decided together."""

    name: str
    title: str
    about: str
    numbers: tuple[str, ...]


SECTIONS = (
    Section(
        "sign-in",
        "Sign-in",
        "How long people stay signed in, and when an account is protected from whoever guesses at its password. "
        "A shorter time ends the sessions that have outlived it.",
        (
            "session_idle_seconds",
            "session_absolute_seconds",
            "sign_in_failures_per_user",
            "sign_in_failures_per_address",
            "sign_in_window_seconds",
        ),
    ),
    Section(
        "keys",
        "API keys",
        "What holds for every key that is made, rotated or imported from now on, wherever that is done. "
        "Keys that there are stay as they are.",
        ("key_days_max", "key_overlap_seconds_max"),
    ),
    Section(
        "oauth",
        "OAuth 2",
        "How long what is issued to applications lives. What was issued before keeps the end that it has.",
        (
            "authorization_code_seconds",
            "access_token_seconds",
            "refresh_token_seconds",
            "refresh_grace_seconds",
            "device_code_seconds",
        ),
    ),
    Section(
        "log",
        "Logs",
        "What is kept, and for how long. A change takes effect within ten minutes; what is deleted or shortened "
        "then does not come back.",
        ("log_retention_days", "log_address_days"),
    ),
)
_BY_NAME = {section.name: section for section in SECTIONS}


@dataclass(frozen=True, slots=True)
class SystemSettingsPages:
    """The page and its forms, one a section; what is allowed the service judges."""

    frame: Frame
    documents: DocumentService
    system_settings: SystemSettingsService
    settings: Settings
    clock: Clock

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            SETTINGS: Page(DESK, frozenset({"GET"}), self.show, Dialect.PAGE),
            f"{SETTINGS}/{{section}}": Page(DESK, _FORM, self.save, Dialect.PAGE),
        }

    async def show(self, call: Call) -> Response:
        """Show all sections."""
        return await self._show(call)

    async def save(self, call: Call) -> Response:
        """Take what was changed in one section; asked for by its address alone, it is on the page."""
        section = _BY_NAME.get(call.parts["section"])
        if section is None:
            raise NotFound("There is no such section of the settings.")
        if call.request.method != "POST":
            return RedirectResponse(f"{SETTINGS}#{section.name}", 303)
        typed = await call.read_arguments()
        try:
            changes = self._read(section, typed)
            change = partial(self.documents.change, call.actor, SYSTEM_SETTINGS, SYSTEM_SETTINGS, changes)
            saved = await anyio.to_thread.run_sync(change)
        except Invalid as error:
            shown = (*section.numbers, *(_OWN_KEYS if section.name == "keys" else ()))
            return await self._show(call, section.name, typed, told_of(error, shown), status_of(error))
        # Its top, not its section: there stands what was done, and how to undo it.
        return await self.frame.done(call, SETTINGS, "saved", saved.undo)

    async def _show(
        self,
        call: Call,
        section: str = "",
        typed: Mapping[str, Any] | None = None,
        told: Told | None = None,
        status: int = 200,
    ) -> Response:
        stored, may_write, finding = await anyio.to_thread.run_sync(self._look, call)
        refused = {section: typed} if typed is not None else {}
        return await self.frame.show(
            call,
            "settings.html",
            Heading("Settings", (HOME,)),
            status=status,
            sections=[
                {
                    "section": one,
                    "fields": [self._field(name, stored, refused.get(one.name)) for name in one.numbers],
                    "told": told if told and one.name == section else Told(),
                    "modified": (refused.get(one.name) or stored).get("modified", stored["modified"]),
                }
                for one in SECTIONS
            ],
            own_keys=self._own_keys(stored, refused.get("keys")),
            finding=finding,
            registration=(_REGISTRATION_WORDS[self.settings.oauth_registration], self._origin(_REGISTRATION)),
            elsewhere=[(name, str(getattr(self.settings, name)), self._origin(name)) for name in _ELSEWHERE],
            may_write=may_write,
            units=UNITS,
            address=SETTINGS,
        )

    def _look(self, call: Call) -> tuple[dict[str, Any], bool, tuple[int, int] | None]:
        stored = self.documents.get(call.actor, SYSTEM_SETTINGS, SYSTEM_SETTINGS)
        may_write = self.documents.may(call.actor, SYSTEM_SETTINGS, Action.WRITE, SYSTEM_SETTINGS)
        return stored, may_write, self._count_longer(call, stored["key_days_max"])

    def _count_longer(self, call: Call, days: int | None) -> tuple[int, int] | None:
        """Count the keys that end later than one made now could, and of these those that never end."""
        if days is None or API_KEY.name not in self.documents.list_readable(call.actor, [API_KEY.name]):
            return None
        latest = datetime.fromtimestamp(self.clock.now() + days * _DAY_SECONDS, UTC).strftime("%Y-%m-%d %H:%M:%S")
        alive, never = ["revoked", "is", "not set"], ["expires", "is", "not set"]
        longer = Asked(filters=[alive], or_filters=[never, ["expires", ">", latest]])
        count = partial(self.documents.count, call.actor, API_KEY.name)
        return count(longer), count(Asked(filters=[alive, never]))

    def _field(self, name: str, stored: Mapping[str, Any], typed: Mapping[str, Any] | None) -> object:
        return field_of(name, stored[name], typed, self.system_settings.origin(name))

    def _own_keys(self, stored: Mapping[str, Any], typed: Mapping[str, Any] | None) -> dict[str, Any]:
        roles = stored["own_key_roles"]
        chosen = _MANAGERS if not stored["allow_own_keys"] else _ROLES if roles else _EVERYBODY
        origins = sorted({self.system_settings.origin(name) for name in _OWN_KEYS} - {""})
        shown = {"chosen": chosen, "roles": ", ".join(roles)}
        if typed is not None and not origins:
            shown = {"chosen": typed.get("own_keys", ""), "roles": typed.get("own_key_roles", "")}
        return {**shown, "who": _WHO, "words": dict(_WHO)[chosen], "origin": " and ".join(origins)}

    def _read(self, section: Section, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Read a section's form; what the operator set is not taken from it. Raises Invalid."""
        changes: dict[str, Any] = {"modified": typed["modified"]} if "modified" in typed else {}
        problems: dict[str, str] = {}
        for name in section.numbers:
            if self.system_settings.origin(name):
                continue
            try:
                changes[name] = read_number(name, typed)
            except Invalid as error:
                problems |= error.fields
        if section.name == "keys" and not any(map(self.system_settings.origin, _OWN_KEYS)):
            try:
                changes |= _own_keys_of(typed)
            except Invalid as error:
                problems |= error.fields
        if problems:
            raise Invalid(problems)
        return changes

    def _origin(self, name: str) -> str:
        return self.system_settings.origins.get(name, "default")


def _own_keys_of(typed: Mapping[str, Any]) -> dict[str, Any]:
    who, text = typed.get("own_keys"), typed.get("own_key_roles", "")
    if who == _EVERYBODY:
        return {"allow_own_keys": 1, "own_key_roles": []}
    if who == _MANAGERS:
        return {"allow_own_keys": 0}
    if who != _ROLES:
        raise Invalid({"allow_own_keys": "must be one of those that are offered"})
    if not isinstance(text, str) or not text.strip(" ,"):
        raise Invalid({"own_key_roles": "must name a role, or nobody would be among them; several go by commas"})
    return {"allow_own_keys": 1, "own_key_roles": text}
