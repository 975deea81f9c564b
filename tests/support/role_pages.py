"""An instance for the tests of the pages of roles: a user of every kind, and what the pages show."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service, opened_service

__all__ = [
    "API",
    "FORM",
    "LIST",
    "MANAGER",
    "READER",
    "WEB",
    "grants_of",
    "seen_in",
    "staffed_service",
    "ticked_in",
]

MANAGER, API, WEB, READER = "manager@example.com", "api@example.com", "web@example.com", "reader@example.com"
LIST, FORM = "/app/role", "/app/role/Deployer"


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
