"""Where somebody may go in the desk: what they may read, of the pages that there are."""

from dataclasses import dataclass, field

from latchgate.core.permissions import Action
from latchgate.core.policy import Requirement
from latchgate.core.principals import Principal
from latchgate.core.users import DESK_USER, UserType
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService

__all__ = ["DESK", "ENTRIES", "HOME", "KEYS", "Entry", "Link", "Navigation", "start_of"]


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead somewhere."""

    label: str
    address: str


DESK = Requirement(user=True, roles=frozenset({DESK_USER}))
"""Who may come to the desk at all; what they see there, the services judge."""
HOME = Link("Home", "/app")
KEYS = "/app/api-key"


def start_of(principal: Principal | None) -> Link:
    """Give the way on for somebody who came to where nothing is: their first page, or the sign-in page."""
    if principal is None:
        return Link("Sign in", "/login")
    if principal.user_type is UserType.SYSTEM:
        return Link("Go to Home", HOME.address)
    return Link("Go to My account", "/me")


@dataclass(frozen=True, slots=True)
class Entry:
    """A room of the desk."""

    label: str
    address: str
    doctype: str
    """Whose records one must be able to read, others' too."""
    own: bool = False
    """Whether its page is also for who may read their own records alone."""

    @property
    def link(self) -> Link:
        """The way there."""
        return Link(self.label, self.address)


ENTRIES = (
    Entry("Users", "/app/user", "User"),
    Entry("API Keys", KEYS, "API Key", own=True),
    Entry("Roles", "/app/role", "Role"),
    Entry("Sources", "/app/source", "Authorization Source"),
    Entry("Access Rules", "/app/access-rule", "Access Rule"),
    Entry("OAuth Clients", "/app/oauth-client", "OAuth Client"),
    Entry("Event Consumers", "/app/event-consumer", "Event Consumer"),
    Entry("Request Log", "/app/request-log", "API Request Log", own=True),
    Entry("Activity", "/app/activity", "Activity Log", own=True),
    Entry("Settings", "/app/settings", "System Settings"),
)


@dataclass(frozen=True, slots=True)
class Navigation:
    """Tells the rooms of a caller; what they may read, the service says."""

    documents: DocumentService
    addresses: set[str] = field(default_factory=set)
    """Of all pages that there are, once they are known."""

    def readable(self, call: Call) -> list[Entry]:
        """List the rooms whose records the caller may read, others' too, whether or not there is a page of them."""
        doctypes = self.documents.list_readable(call.actor, [entry.doctype for entry in ENTRIES])
        return [entry for entry in ENTRIES if entry.doctype in doctypes]

    def has_page(self, entry: Entry) -> bool:
        """Whether there is a page at an entry's address."""
        return entry.address in self.addresses

    def links(self, call: Call) -> list[tuple[Link, bool]]:
        """List the ways of a System User, and of each whether the caller is there."""
        readable = self.readable(call)
        rooms = [
            entry for entry in ENTRIES if self.has_page(entry) and (entry in readable or self._has_own(call, entry))
        ]
        inside = [(entry.link, f"{call.path}/".startswith(f"{entry.address}/")) for entry in rooms]
        return [(Link("Home", "/app"), call.path == "/app"), *inside]

    def _has_own(self, call: Call, entry: Entry) -> bool:
        return entry.own and self.documents.may(call.actor, entry.doctype, Action.READ, None)
