"""An instance for the tests of the pages of roles: a user of every kind, and how each asks for pages."""

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, Service, opened_service

__all__ = [
    "API",
    "FORM",
    "LIST",
    "MANAGER",
    "READER",
    "WEB",
    "ask_as",
    "grants_of",
    "post_as",
    "seen_in",
    "send_json",
    "staffed_service",
    "ticked_in",
]

MANAGER, API, WEB, READER = "manager@example.com", "api@example.com", "web@example.com", "reader@example.com"
LIST, FORM = "/app/role", "/app/role/Deployer"
_HTML = ("accept", "text/html")


@contextmanager
def staffed_service(home: Path) -> Iterator[Service]:
    """Open an instance where a user has the role Deployer, and another may read roles and permissions."""
    with opened_service(home) as service:
        roles, permissions = service.latchgate.roles, service.latchgate.permissions
        for role in ("Deployer", "Reader"):
            roles.create(COMMAND_LINE, role)
        for doctype in ("Role", "Role Permission"):
            permissions.grant(COMMAND_LINE, Grant("Reader", doctype, if_owner=False, actions=frozenset({Action.READ})))
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API, first_name="Othello", roles=frozenset({"Deployer"}))
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.make_user(READER, roles=frozenset({"Reader"}))
        yield service


def ask_as(service: Service, path: str, user: str) -> Answer:
    """Ask for a page with a session of a user; without any for an empty name."""
    cookie = [("cookie", f"sid={service.sign_in(user).sid}")] if user else []
    return service.ask(path, headers=[*cookie, _HTML])


def post_as(service: Service, path: str, user: str, typed: Mapping[str, object]) -> Answer:
    """Send a page's form as a user."""
    sid = service.sign_in(user).sid
    sent = {**typed, "csrf_token": service.csrf_token(sid)}
    return service.post(path, sent, form=True, headers=[("cookie", f"sid={sid}"), _HTML])


def send_json(service: Service, path: str, sent: Mapping[str, object]) -> Answer:
    """Send a page JSON, as the manager."""
    sid = service.sign_in(MANAGER).sid
    token = service.csrf_token(sid)
    return service.post(path, sent, headers=[("cookie", f"sid={sid}"), ("x-frappe-csrf-token", token), _HTML])


def grants_of(service: Service, role: str = "Deployer") -> dict[tuple[str, bool], set[str]]:
    """Give what a role may do, by document type and if_owner."""
    found = service.latchgate.permissions.show(COMMAND_LINE, role).grants
    return {(grant.doctype, grant.if_owner): {str(action) for action in grant.actions} for grant in found}


def seen_in(text: str) -> str:
    """Give what a page says of the permissions that it shows."""
    (found,) = re.findall(r'name="seen" value="([^"]*)"', text)
    return html.unescape(found)


def ticked_in(text: str) -> set[str]:
    """Give the names of the boxes that are ticked on a page."""
    return {html.unescape(label) for label in re.findall(r'aria-label="([^"]*)" checked', text)}
