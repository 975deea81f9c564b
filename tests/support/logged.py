"""An instance whose logs have something in them, for the tests of their pages; and what such a page shows."""

import re
from pathlib import Path

from latchgate.core.credentials import Presented
from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Answer, Pair, Service
from support.envelopes import assert_page

__all__ = ["API", "AUDITOR", "HOST", "MANAGER", "OTHER", "PEER_OF_OTHER", "WEB", "LoggedService", "names_in", "rows_in"]

MANAGER, API, OTHER, WEB = "manager@example.com", "api@example.com", "other@example.com", "web@example.com"
AUDITOR = "auditor@example.com"
"""Whom a role lets read both logs, without being a System Manager."""
PEER_OF_OTHER = "198.51.100.9"
HOST = "reports.example.com"
"""Of a protected application that somebody has asked for."""
_SCRIPT_PATH = "/api/method/<script>alert(1)</script>"
_SCRIPT_AGENT = '"><img src=x onerror=alert(2)>'


class LoggedService:
    """A service with a user of every kind, of whom two have made requests of every outcome."""

    def __init__(self, home: Path) -> None:
        self.service = Service(home)
        service = self.service
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Auditor")
        service.make_user(AUDITOR, roles=frozenset({"Auditor"}))
        for doctype in ("API Request Log", "Activity Log"):
            grant = Grant("Auditor", doctype, if_owner=False, actions=frozenset({Action.READ}))
            service.latchgate.permissions.grant(COMMAND_LINE, grant)
        self.pairs: dict[str, Pair] = {}
        for user in (API, OTHER):
            service.make_user(user)
            self.pairs[user] = service.make_key(user)
        self._make_requests()
        self.ask_for(f"{HOST}:8443", "/reports/quarter?page=2", service.make_key(AUDITOR))

    def ask_for(self, host: str, path: str, pair: Pair) -> None:
        """Have a request for a protected application refused, since no rule is for it."""
        gate = self.service.latchgate.gate
        presented = Presented("GET", path, "203.0.113.5", (pair.token.encode(),), host=host)
        gate.record(gate.admit_protected(presented), 403, 0.01)

    def open(self, path: str, user: str) -> Answer:
        """Ask for a page as the browser of a user who is signed in, or of nobody."""
        cookie = [("cookie", f"sid={self.service.sign_in(user).sid}")] if user else []
        return self.service.ask(path, headers=[*cookie, ("accept", "text/html")])

    def show(self, path: str, user: str = MANAGER) -> str:
        """Give the text of a page that must be there."""
        answer = self.open(path, user)
        assert answer.status == 200, answer.text
        return assert_page(answer)

    def _make_requests(self) -> None:
        ask, pairs = self.service.ask, self.pairs
        for number in range(3):
            ask(f"/api/method/ping?number={number}", pairs[API].token)
        ask(LOGGED_USER, pairs[OTHER].basic, peer=PEER_OF_OTHER, headers=[("user-agent", "other-agent/1")])
        ask("/api/method/100%25_sure", pairs[API].token)
        ask(_SCRIPT_PATH, pairs[API].token, headers=[("user-agent", _SCRIPT_AGENT)])
        ask(LOGGED_USER, f"token {pairs[API].key_id}:wrong-secret")
        ask("/api/method/ping?api_secret=hidden-in-a-query", pairs[API].token)
        ask("/api/resource/Role/Auditor", pairs[API].token, method="DELETE")


def rows_in(text: str) -> list[str]:
    """Give the rows of a page's table, each as its text alone, without what opened below one."""
    rows = re.findall(r"<tr(?: class=\"opened\")?><td>(.*?)</tr>", text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows]


def names_in(text: str) -> list[str]:
    """Give the names of the rows of a page's table."""
    return re.findall(r'id="row-([0-9]+)"', text)
