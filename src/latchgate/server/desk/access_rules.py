"""The list of access rules in their order, what moves them, and what tells what would come of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.access_rules import AccessRule, RuleSet
from latchgate.core.permissions import Action
from latchgate.core.policy import Decision
from latchgate.core.rule_explanations import credentials_of, find_hiding, who_of
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.server.desk.forms import Told, status_of, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.navigation import DESK, HOME
from latchgate.server.desk.views import View
from latchgate.server.desk.wording import segment
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.access_rules import ACCESS_RULE, AccessRuleService
from latchgate.services.documents import DocumentService
from latchgate.services.rule_trials import RuleTrials, TriedRequest, decision_of

__all__ = ["RULES", "AccessRulePages", "rule_address"]

RULES = "/app/access-rule"
_ROWS = 100
_GET, _POST = frozenset({"GET"}), frozenset({"POST"})
_TRIED = ("method", "url", "user", "scopes")
_PASSED_OVER_MAX = 30
_DIGITS_MAX = 9


def rule_address(name: str) -> str:
    """Give the address of a rule's form."""
    return f"{RULES}/{segment(name)}"


@dataclass(frozen=True, slots=True)
class AccessRulePages:
    """The rules, as the service shows them to whoever asks."""

    frame: Frame
    documents: DocumentService
    rules: AccessRuleService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            RULES: Page(DESK, _GET, self.list_rules, Dialect.PAGE),
            f"{RULES}/{{name}}/move": Page(DESK, _POST, self.move, Dialect.PAGE),
        }

    async def list_rules(self, call: Call) -> Response:
        """Show the rules, and what would come of the request that the address describes."""
        return await self._show(call)

    async def move(self, call: Call) -> Response:
        """Put a rule one place up or down, if it stands where it was seen."""
        typed = await call.read_arguments()
        seen, wanted = (_number(typed.get(name)) for name in ("seen", "position"))
        try:
            move = partial(self.rules.move, call.actor, call.parts["name"], wanted, seen)
            await anyio.to_thread.run_sync(move)
        except (Conflict, Invalid, NotFound) as error:
            return await self._show(call, problem=told_of(error, ()).problem, status=status_of(error))
        start = (wanted - 1) // _ROWS * _ROWS
        # Where it was, so that the same button moves it on.
        return RedirectResponse(f"{RULES}?start={start}&moved={segment(call.parts['name'])}", 303)

    async def _show(self, call: Call, *, problem: str = "", status: int = 200) -> Response:
        view = View.of(call, *_TRIED, "moved", length_max=2_000)
        values = await anyio.to_thread.run_sync(self._read, call, View(RULES, view.chosen))
        action = Link("New rule", f"{RULES}/new") if values["may_create"] else None
        return await self.frame.show(
            call,
            "access_rules.html",
            Heading("Access Rules", (HOME,), action),
            status=status,
            problem_told=problem,
            size=_ROWS,
            **values,
        )

    def _read(self, call: Call, view: View) -> dict[str, Any]:
        rules = self.rules.get_all(call.actor)
        writable = self.rules.file is None
        shown = rules.rules[view.start : view.start + _ROWS]
        may = {
            f"may_{action.value}": writable and self.documents.may(call.actor, ACCESS_RULE, action, None)
            for action in (Action.CREATE, Action.WRITE)
        }
        return {
            **may,
            "view": view,
            "rows": [_row(rules, rule) for rule in shown],
            "total": len(rules.rules),
            "file": self.rules.file,
            "moved": view.get("moved"),
            **self._try_out(call, view),
        }

    def _try_out(self, call: Call, view: View) -> dict[str, Any]:
        tried = {name: view.get(name) for name in _TRIED}
        told, result = Told(), None
        if tried["url"]:
            scopes = tuple(filter(None, (scope.strip() for scope in tried["scopes"].split(","))))
            asked = TriedRequest(tried["method"] or "GET", tried["url"], tried["user"], scopes)
            try:
                trial = RuleTrials(self.rules).try_out(call.actor, asked)
            except Invalid as error:
                told = told_of(error, _TRIED)
            else:
                decides = trial.explanation.match.rule
                result = {
                    "trial": trial,
                    "credentials": credentials_of(decides) if decides else "",
                    "sentence": decision_of(trial),
                    "allowed": trial.judgement.decision is Decision.ALLOWED,
                    "misses": trial.explanation.misses[:_PASSED_OVER_MAX],
                    "more": max(len(trial.explanation.misses) - _PASSED_OVER_MAX, 0),
                }
        return {"tried": tried, "told": told, "result": result}


def _row(rules: RuleSet, rule: AccessRule) -> dict[str, Any]:
    hiding = find_hiding(rules, rule)
    return {
        "name": rule.name,
        "rule": rule,
        "methods": ", ".join(sorted(rule.methods)) or "any method",
        "who": who_of(rule),
        "address": rule_address(rule.name),
        "hidden_by": hiding.name if hiding else "",
    }


def _number(text: object) -> int:
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX and int(text) > 0:
        return int(text)
    raise Invalid({"position": "must be a number from 1 on"})
