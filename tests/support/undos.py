"""An instance for the tests of Undo, with something of every kind that can be changed, and what its pages offer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy

from latchgate.core.questions import Asked
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, Service
from support.client_office import peopled_service

__all__ = [
    "API",
    "CONSUMER",
    "FORM",
    "GONE",
    "MANAGER",
    "OTHER",
    "RECORD",
    "RECORD_PAGE",
    "SETTINGS",
    "SOURCE",
    "STALE",
    "TYPED",
    "WEB",
    "changed_since",
    "count_changes",
    "is_offered",
    "location_of",
    "open_changeable",
    "stored_undos",
    "undo_id_in",
    "user_of",
]

MANAGER, OTHER, API, WEB = "manager@example.com", "other@example.com", "api@example.com", "web@example.com"
CONSUMER, SOURCE, RECORD = "Event Consumer", "API Device", "Front door"
FORM, SETTINGS = "/app/user/api%40example.com", "/app/settings"
RECORD_PAGE = "/app/source/API%20Device/record/Front%20door"
GONE, STALE = "This cannot be undone any more", "Somebody else changed this since, or you did; nothing was undone."
TYPED = {"tab": "details", "first_name": "", "last_name": "", "user_type": "System User", "enabled": "1"}
"""What the form of the user sends as it is."""
_ALL = Asked(fields=["operation"], order_by="time asc", limit=0)


@contextmanager
def open_changeable(home: Path) -> Iterator[Service]:
    """Open it, with two System Managers, and a user, a Website User, roles, a record and a consumer."""
    with peopled_service(home) as service:
        latchgate = service.latchgate
        service.make_user(OTHER, roles=frozenset({SYSTEM_MANAGER}))
        for role in ("Deployer", "Auditor", "Passing"):
            latchgate.roles.create(COMMAND_LINE, role)
        latchgate.sources.create(COMMAND_LINE, SOURCE)
        for source, name in ((SOURCE, RECORD), (CONSUMER, "Billing")):
            latchgate.sources.create_record(COMMAND_LINE, source, name, API)
        yield service


def location_of(answer: Answer) -> str:
    """Give where a form that was taken leads."""
    assert answer.status == 303, answer.text
    return answer.header("location") or ""


def undo_id_in(answer: Answer) -> str:
    """Give the id under which a change is offered to be undone; empty if it is not."""
    return location_of(answer).partition("&undo=")[2]


def is_offered(text: str) -> bool:
    """Whether a page offers to undo something."""
    return 'action="/undo"' in text


def user_of(service: Service, name: str = API) -> dict[str, Any]:
    """Give what can be changed of a user."""
    found = service.latchgate.documents.get(COMMAND_LINE, "User", name)
    return {field: found[field] for field in ("first_name", "enabled", "restrict_ip", "user_type", "roles")}


def count_changes(service: Service) -> int:
    """Count the rows of the activity log."""
    return len(service.latchgate.documents.list_rows(COMMAND_LINE, "Activity Log", _ALL).rows)


def changed_since(service: Service, count: int) -> list[str]:
    """List what the activity log says of changes since it had so many rows, the oldest first."""
    rows = service.latchgate.documents.list_rows(COMMAND_LINE, "Activity Log", _ALL).documents()
    return [row["operation"] for row in rows[count:] if not row["operation"].startswith("session.")]


def stored_undos(service: Service) -> list[tuple[str, str]]:
    """List the ids of what can be undone, and what lies on the disk of each, the oldest first."""
    with service.latchgate.store._database.reading.connect() as connection:  # what nobody else looks at
        found = connection.execute(sqlalchemy.text("SELECT public_id, change FROM undo ORDER BY id"))
        return [(public_id, change) for public_id, change in found]
