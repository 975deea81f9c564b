"""latchgate.access_rules.test: what would come of a request for a protected application."""

from dataclasses import dataclass

import anyio.to_thread

from latchgate.core.users import GUEST
from latchgate.errors import Invalid
from latchgate.server.replies import Reply
from latchgate.server.requests import Call, require_text
from latchgate.services.rule_trials import RuleTrials, TriedRequest, describe

__all__ = ["TryRules"]


@dataclass(frozen=True, slots=True)
class TryRules:
    """Tell which rule a request falls under, and what is decided; nothing is sent anywhere."""

    trials: RuleTrials

    async def __call__(self, call: Call) -> Reply:
        """Answer with the decision, the rule and those that were passed over; for whoever may read the rules."""
        arguments = await call.read_arguments()
        method, url = require_text(arguments, "method"), require_text(arguments, "url")
        user, scopes = arguments.get("user") or GUEST, arguments.get("scopes") or []
        if not isinstance(user, str):
            raise Invalid({"user": "must be the name of a user"})
        listed = scopes.split(",") if isinstance(scopes, str) else scopes
        if not isinstance(listed, list) or not all(isinstance(scope, str) for scope in listed):
            raise Invalid({"scopes": "must be a list of scopes"})
        asked = TriedRequest(method, url, user, tuple(listed))
        return Reply(describe(await anyio.to_thread.run_sync(self.trials.try_out, call.actor, asked)))
