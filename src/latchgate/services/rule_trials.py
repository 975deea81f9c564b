"""What would come of a request for a protected application, asked by whoever wrote the rules."""

from dataclasses import dataclass
from typing import Any, assert_never

from latchgate.core.credentials import USER_SOURCE, Scheme
from latchgate.core.permissions import Action, Reach
from latchgate.core.policy import Decision, Judgement, decide
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected, Who
from latchgate.core.rule_explanations import Explanation, credentials_of, explain, summary_of
from latchgate.core.scopes import ALL, parse_scopes
from latchgate.core.users import GUEST, effective_roles, parse_user_name
from latchgate.errors import Flaw, Invalid
from latchgate.services.access_rules import ACCESS_RULE, AccessRuleService
from latchgate.services.actors import Actor, read_as
from latchgate.services.ports import Transaction
from latchgate.services.rights import find_reach, require_right

__all__ = ["RuleTrial", "RuleTrials", "TriedRequest", "decision_of", "describe"]

_SHOWN_MAX = 80
_WORDS: dict[Reason | None, str] = {
    Reason.NO_RULE: "no rule is for it",
    Reason.UNUSUAL_HOST: "the host is none",
    Reason.UNUSUAL_METHOD: "the method is none",
    Reason.UNUSUAL_PATH: "its path can be read in several ways",
    Reason.ROLE_MISSING: "the user lacks a role",
    Reason.SCOPE_MISSING: "the credential lacks a scope",
    Reason.USER_DISABLED: "the user is disabled",
}


@dataclass(frozen=True, slots=True)
class TriedRequest:
    """A request that nobody sends."""

    method: str
    url: str
    """The whole address; without a scheme, host and path."""
    user: str = GUEST
    scopes: tuple[str, ...] = ()
    """What the credential is limited to; none for everything."""


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """What would come of it."""

    method: str
    host: str
    target: str
    user: str
    explanation: Explanation
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class RuleTrials:
    """Asks the rules and the policy what the gate would ask them."""

    rules: AccessRuleService

    def try_out(self, actor: Actor, asked: TriedRequest) -> RuleTrial:
        """Tell what would come of a request.

        Raises:
            NotPermitted: The actor may not read the rules.
            Invalid: The address, user or scopes cannot be.
        """
        host, target = _split(asked.url)
        with read_as(self.rules.store, actor) as tx:
            require_right(tx, actor, ACCESS_RULE, Action.READ)
            who = _who(tx, actor, asked)
        explanation = explain(self.rules.get_all(actor), asked.method, host, target)
        judgement = decide(who, explanation.match.requirement)
        name = who.user if isinstance(who, Principal | Rejected) and who.user else GUEST
        return RuleTrial(asked.method, host, target, name, explanation, judgement)


def _split(url: str) -> tuple[str, str]:
    """Cut an address as a client does that changes nothing of its path."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        rest = url
    elif scheme.lower() not in {"http", "https"}:
        raise Invalid({"url": f"'{url[:_SHOWN_MAX]}' must begin with http:// or https://"})
    end = min((place for place in map(rest.find, "/?#") if place >= 0), default=len(rest))
    host, target = rest[:end], rest[end:].partition("#")[0]
    if not host:
        raise Invalid({"url": f"'{url[:_SHOWN_MAX]}' names no host: write it as https://api.example.com/path"})
    return host, target if target.startswith("/") else f"/{target}"


def _who(tx: Transaction, actor: Actor, asked: TriedRequest) -> Who:
    scopes = parse_scopes(asked.scopes)
    if isinstance(scopes, str):
        raise Invalid({"scopes": scopes})
    if asked.user in {"", GUEST}:
        return Anonymous()
    user = tx.users.find(parse_user_name(asked.user) or asked.user)
    if user is None or (user.name != actor.user and find_reach(tx, actor, "User", Action.READ) is not Reach.ALL):
        raise Invalid({"user": f"Could not find User: {asked.user[:_SHOWN_MAX]}"}, Flaw.LINK)
    if not user.enabled:
        return Rejected(Reason.USER_DISABLED, user=user.name)
    return Principal(
        user=user.name,
        user_id=user.id,
        user_type=user.user_type,
        full_name=user.full_name,
        roles=effective_roles(user),
        scheme=Scheme.TOKEN,
        source=USER_SOURCE,
        credential="",
        scopes=scopes or frozenset({ALL}),
    )


def decision_of(trial: RuleTrial) -> str:
    """Say what would be decided, in words."""
    judgement, rule = trial.judgement, trial.explanation.match.rule
    match judgement.decision:
        case Decision.ALLOWED:
            return "let in"
        case Decision.UNAUTHENTICATED:
            return f"refused, {_WORDS.get(judgement.reason, 'the credential opens nothing')}"
        case Decision.FORBIDDEN if judgement.reason is Reason.SCOPE_MISSING and rule and not rule.scopes:
            return f"refused, the credential is limited to scopes, and {rule.name} names none"
        case Decision.FORBIDDEN if judgement.reason is not None:
            return f"refused, {_WORDS.get(judgement.reason, judgement.reason.value)}"
        case Decision.FORBIDDEN:
            return f"refused, {rule.name if rule else 'it'} asks for a user"
        case _:
            assert_never(judgement.decision)


def describe(trial: RuleTrial) -> dict[str, Any]:
    """Give what would come of a request as one document."""
    explanation, judgement = trial.explanation, trial.judgement
    rule = explanation.match.rule
    return {
        "method": trial.method,
        "host": trial.host,
        "path": trial.target,
        "user": trial.user,
        "decision": judgement.decision.value,
        "reason": judgement.reason.value if judgement.reason else None,
        "rule": rule.name if rule else None,
        "position": rule.position if rule else None,
        "summary": summary_of(rule) if rule else None,
        "needed_scopes": sorted(rule.needed_scopes) if rule else None,
        "credentials": credentials_of(rule) if rule else "",
        "sentence": decision_of(trial),
        "note": explanation.note,
        "passed_over": [
            {"rule": miss.rule.name, "position": miss.rule.position, "why": miss.why} for miss in explanation.misses
        ],
    }
