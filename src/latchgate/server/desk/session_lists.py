"""Who is signed in as a user, and how the last sign-ins went: on one's account, and on anybody's form for managers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latchgate.core.permissions import Action
from latchgate.core.sessions import StoredSession
from latchgate.errors import NotPermitted
from latchgate.server.desk.browser_words import browser_words
from latchgate.server.desk.log_list import ACTIVITY_LOG, LogList
from latchgate.server.desk.views import View
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService
from latchgate.services.second_factors import SecondFactorService
from latchgate.services.sessions import SessionService

__all__ = ["SessionLists"]

_ROWS = 10
_SIGN_INS = ["session.started", "session.refused", "session.code_asked", "second_factor.refused"]
_KINDS = {"session.started": "good", "session.code_asked": "plain"}
_WORDS = {
    "session.started": "Signed in",
    "session.code_asked": "Password right",
    "second_factor.refused": "Code refused",
    "session.refused": "Refused",
}


@dataclass(frozen=True, slots=True)
class SessionLists:
    """Reads them as the services let the caller see them."""

    documents: DocumentService
    sessions: SessionService
    second_factors: SecondFactorService

    def read_own(self, call: Call) -> dict[str, Any]:
        """Read one's own; no sessions, but None, for a credential that may not see them."""
        try:
            found = self.sessions.list_own(call.actor)
        except NotPermitted:
            return {"sessions": None, "present": "", "sign_ins": None}
        return self._values(call, found, call.principal.user)

    def read_of(self, call: Call, user: str) -> dict[str, Any]:
        """Read a user's, and how their second factor stands. Raises NotFound."""
        factor = self.second_factors.find_for(call.actor, user)
        try:
            found = self.sessions.list_of(call.actor, user)
        except NotPermitted:
            return {"sessions": None, "present": "", "sign_ins": None, "factor": factor}
        return {**self._values(call, found, user), "factor": factor}

    def _values(self, call: Call, found: Sequence[StoredSession], user: str) -> dict[str, Any]:
        return {
            "sessions": [_shown(session) for session in found],
            "present": call.principal.credential,
            "sign_ins": self._sign_ins(call, user),
        }

    def _sign_ins(self, call: Call, user: str) -> list[dict[str, Any]] | None:
        if not self.documents.may(call.actor, ACTIVITY_LOG.doctype, Action.READ, None):
            return None
        wanted: list[list[Any]] = [["user", "=", user], ["operation", "in", _SIGN_INS]]
        rows = LogList(self.documents, ACTIVITY_LOG).read(call, View(call.path, {}), wanted, _ROWS).rows
        return [
            {**row, "words": _WORDS[row["operation"]], "kind": _KINDS.get(row["operation"], "warn")} for row in rows
        ]


def _shown(session: StoredSession) -> dict[str, Any]:
    return {
        "name": session.public_id,
        "since": session.created_at,
        "last_seen": session.last_seen_at,
        "ip_address": session.ip_address,
        "browser": browser_words(session.user_agent),
        "user_agent": session.user_agent,
        "second_factor": session.second_factor,
    }
