"""The form of an access rule: what was typed, read into the fields of its record, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.rule_explanations import summary_of
from latchgate.core.rule_fields import rule_from
from latchgate.core.users import GUEST
from latchgate.errors import Conflict, Flaw, Invalid, NotPermitted
from latchgate.server.desk.access_rules import RULES, rule_address
from latchgate.server.desk.forms import Told, status_of, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.access_rules import ACCESS_RULE, AccessRuleService
from latchgate.services.documents import DocumentService

__all__ = ["AccessRuleForm"]

_RULE = f"{RULES}/{{name}}"
_FORM = frozenset({"GET", "POST"})
_ANY_USER, _ANY_ROLE, _EVERY_ROLE, _EVERYBODY = "user", "any", "every", "everybody"
_WHO = (
    (_ANY_USER, "Any user"),
    (_ANY_ROLE, "Users with one of the roles below"),
    (_EVERY_ROLE, "Users with all of the roles below"),
    (_EVERYBODY, "Everybody, also without a credential"),
)
_FIELDS = (
    "position",
    "host",
    "path",
    "methods",
    "who",
    "roles",
    "scopes",
    "allow_foreign_authorization",
    "allow_unusual_path",
)
_LISTS = ("methods", "scopes")
_TEXTS = ("host", "path", *_LISTS)
_SWITCHES = ("allow_foreign_authorization", "allow_unusual_path")
_ROLE = "role:"
_TICKED = "1"
_NOT_SENT = "was not sent: send the whole form, with this field empty if it is to say nothing"


@dataclass(frozen=True, slots=True)
class AccessRuleForm:
    """A rule, as the service shows it to whoever asks."""

    frame: Frame
    documents: DocumentService
    rules: AccessRuleService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            f"{RULES}/new": Page(DESK, _FORM, self.new, Dialect.PAGE),
            _RULE: Page(DESK, _FORM, self.one, Dialect.PAGE),
            f"{_RULE}/delete": Page(DESK, _FORM, self.delete, Dialect.PAGE),
        }

    async def new(self, call: Call) -> Response:
        """Show the form of a rule that there is not yet, and make it."""
        if call.request.method != "POST":
            may = partial(self.documents.may, call.actor, ACCESS_RULE, Action.CREATE, None)
            if self.rules.file is not None or not await anyio.to_thread.run_sync(may):
                raise NotPermitted("You may not make access rules.", told=True)
            return await self._show_new(call, {"path": "/*", "who": _ANY_USER})
        typed = await call.read_arguments()
        try:
            wanted = {**_read(typed), "position": typed.get("position") or 0}
            made = await anyio.to_thread.run_sync(self.documents.create, call.actor, ACCESS_RULE, wanted)
        except (Invalid, Conflict) as error:
            return await self._show_new(call, typed, _told(error), status_of(error))
        return RedirectResponse(f"{rule_address(made['name'])}?done=created", 303)

    async def one(self, call: Call) -> Response:
        """Show a rule's form, and take what was changed there."""
        if call.request.method != "POST":
            return await self._show(call)
        typed = await call.read_arguments()
        try:
            changes = {**_read(typed), **({"modified": typed["modified"]} if "modified" in typed else {})}
            update = partial(self.documents.update, call.actor, ACCESS_RULE, call.parts["name"], changes)
            await anyio.to_thread.run_sync(update)
        except (Invalid, Conflict) as error:
            return await self._show(call, typed=typed, told=_told(error), status=status_of(error))
        return RedirectResponse(f"{rule_address(call.parts['name'])}?done=saved", 303)

    async def delete(self, call: Call) -> Response:
        """Say what a rule says, and delete it."""
        if call.request.method != "POST":
            may = partial(self.documents.may, call.actor, ACCESS_RULE, Action.DELETE, call.parts["name"])
            if self.rules.file is not None or not await anyio.to_thread.run_sync(may):
                raise NotPermitted("You may not delete this rule.", told=True)
            return await self._show(call, dialog={"kind": "delete"})
        try:
            delete = partial(self.documents.delete, call.actor, ACCESS_RULE, call.parts["name"])
            await anyio.to_thread.run_sync(delete)
        except (Invalid, Conflict) as error:
            dialog = {"kind": "refused", "sentence": told_of(error, ()).problem}
            return await self._show(call, dialog=dialog, status=status_of(error))
        return RedirectResponse(f"{RULES}?done=deleted", 303)

    async def _show_new(
        self, call: Call, typed: Mapping[str, Any], told: Told | None = None, status: int = 200
    ) -> Response:
        roles = await anyio.to_thread.run_sync(self._roles, call, typed)
        return await self.frame.show(
            call,
            "access_rule_new.html",
            Heading("New rule", (HOME, Link("Access Rules", RULES))),
            status=status,
            typed=typed,
            told=told or Told(),
            roles=roles,
            kinds=_WHO,
            back=RULES,
            may_write=True,
        )

    async def _show(
        self,
        call: Call,
        *,
        typed: Mapping[str, Any] | None = None,
        told: Told | None = None,
        status: int = 200,
        dialog: Mapping[str, Any] | None = None,
    ) -> Response:
        values = await anyio.to_thread.run_sync(self._one, call, typed)
        return await self.frame.show(
            call,
            "access_rule.html",
            Heading(values["record"]["name"], (HOME, Link("Access Rules", RULES))),
            status=status,
            told=told or Told(),
            kinds=_WHO,
            dialog=dialog or {"kind": ""},
            address=rule_address(call.parts["name"]),
            file=self.rules.file,
            **values,
        )

    def _one(self, call: Call, typed: Mapping[str, Any] | None) -> dict[str, Any]:
        actor, name = call.actor, call.parts["name"]
        record = self.documents.get(actor, ACCESS_RULE, name)
        shown = typed or _typed(record)
        may = partial(self.documents.may, actor, ACCESS_RULE, name=name)
        return {
            "record": record,
            "summary": summary_of(rule_from(record)),
            "typed": shown,
            "roles": self._roles(call, shown),
            "may_write": self.rules.file is None and may(action=Action.WRITE),
            "may_delete": self.rules.file is None and may(action=Action.DELETE),
        }

    def _roles(self, call: Call, typed: Mapping[str, Any]) -> list[str]:
        chosen = {name.removeprefix(_ROLE) for name in typed if name.startswith(_ROLE)}
        if "Role" not in self.documents.list_readable(call.actor, ["Role"]):
            return sorted(chosen)
        asked = Asked(fields=["name"], order_by="name asc", limit=0)
        names = {str(name) for (name,) in self.documents.list_rows(call.actor, "Role", asked).rows}
        return sorted(chosen | (names - {GUEST}))


def _read(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Read the form into a record's fields. Raises Invalid."""
    # The form sends each of them, empty or not: one that is missing was cut off, and must not mean any.
    wrong = {name: _NOT_SENT for name in _TEXTS if name not in typed}
    texts = {name: typed.get(name, "") for name in _TEXTS}
    wrong |= {name: "must be a text" for name, value in texts.items() if not isinstance(value, str)}
    if not wrong and not texts["path"].strip():
        wrong["path"] = "is empty: for every path, write /*"
    roles = [name.removeprefix(_ROLE) for name in typed if name.startswith(_ROLE)]
    who = typed.get("who")
    if not isinstance(who, str) or who not in dict(_WHO):
        wrong["who"] = "must be one of the choices"
    elif who in {_ANY_ROLE, _EVERY_ROLE} and not roles:
        wrong["roles"] = "tick at least one role, or let any user in"
    elif who in {_ANY_USER, _EVERYBODY} and roles:
        # What was ticked must not count for nothing: it was meant to keep somebody out.
        wrong["who"] = f"{', '.join(sorted(roles))} is ticked below: let in users with it, or untick it"
    if wrong:
        raise Invalid(wrong)
    return {
        **texts,
        # What was emptied means any, and is no empty text.
        **{name: texts[name] if texts[name].strip() else [] for name in _LISTS},
        "roles": roles,
        "every_role": int(who == _EVERY_ROLE),
        "allow_guest": int(who == _EVERYBODY),
        **{name: int(typed.get(name) == _TICKED) for name in _SWITCHES},
    }


def _typed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give what would be typed to get a rule as it is."""
    who = _EVERYBODY if record["allow_guest"] else _ANY_USER
    if record["roles"]:
        who = _EVERY_ROLE if record["every_role"] else _ANY_ROLE
    return {
        "host": record["host"],
        "path": record["path"],
        "methods": ", ".join(record["methods"]),
        "scopes": ", ".join(record["scopes"]),
        "who": who,
        **{f"{_ROLE}{role}": _TICKED for role in record["roles"]},
        **{name: _TICKED for name in _SWITCHES if record[name]},
    }


def _told(error: Invalid | Conflict) -> Told:
    if isinstance(error, Invalid) and error.flaw is not Flaw.STALE:
        # The form asks for it among who is let in.
        fields = {"who" if name == "allow_guest" else name: told for name, told in error.fields.items()}
        error = Invalid(fields, error.flaw)
    return told_of(error, _FIELDS)
