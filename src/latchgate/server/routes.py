"""The routes as one table. A route that does not say what it requires cannot be written."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.responses import Response

from latchgate.core.credentials import Scheme
from latchgate.core.policy import ANY_SCHEME, PUBLIC, SIGNED_IN, Requirement
from latchgate.core.principals import Principal
from latchgate.server.replies import Dialect, Reply
from latchgate.server.requests import Call

__all__ = [
    "DEFAULT_METHODS",
    "METHOD_PREFIXES",
    "WITHOUT_SESSION",
    "Handler",
    "Method",
    "Page",
    "RecordRoute",
    "Table",
    "Target",
]

METHOD_PREFIXES = {
    "/api/method/": Dialect.FRAPPE_V1,
    "/api/v1/method/": Dialect.FRAPPE_V1,
    "/api/v2/method/": Dialect.FRAPPE_V2,
}
"""Before the names of remote methods: the form that an address speaks."""

Handler = Callable[[Call], Awaitable[Reply | Response]]

# HEAD and PATCH are refused, as recorded; OPTIONS is answered before any handler.
DEFAULT_METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})

# Browsers send the session's cookie unasked. It must not stand in the way of signing in, when it is stale or its user
# disabled, and files that are the same for everybody are no requests of its user.
WITHOUT_SESSION = Requirement(user=False, schemes=ANY_SCHEME - {Scheme.SESSION})


@dataclass(frozen=True, slots=True)
class Method:
    """A remote method: reached under /api/method/…, /api/v2/method/… and as `cmd`."""

    requires: Requirement
    http_methods: frozenset[str]
    handler: Handler
    dialect: Dialect | None = None
    """The form that it speaks whatever its prefix; None for the prefix's own."""
    cross_origin: bool = False
    """Whether scripts of any origin may ask, without cookies, and read the answer."""
    requires_by: Mapping[str, Requirement] = field(default_factory=dict)
    """What it requires by an HTTP method for which it is not `requires`."""
    told_of: Callable[[Principal], Reply] | None = None
    """What the handler answers, where that depends on the caller alone: then it need not be run."""


@dataclass(frozen=True, slots=True)
class Page:
    """An address of its own, the same for all callers; a segment such as `{name}` stands for any text but none."""

    requires: Requirement
    http_methods: frozenset[str]
    handler: Handler
    dialect: Dialect
    cross_origin: bool = False
    """As of a method."""


RecordHandler = Callable[[Call, str, str], Awaitable[Reply | Response]]
"""Takes the document type and the record's name, which is empty where the address names none."""


@dataclass(frozen=True, slots=True)
class RecordRoute:
    """The addresses `<prefix><DocType>` and `<prefix><DocType>/<name>`; what is allowed there, the services judge."""

    prefix: str
    dialect: Dialect
    all: Mapping[str, RecordHandler]
    """By HTTP method, what the address without a name does."""
    one: Mapping[str, RecordHandler]
    """By HTTP method, what the address of one record does."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for, once its address was understood."""

    what: str
    """Its name, for messages."""
    requires: Requirement
    dialect: Dialect
    handler: Handler
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What stands in a page's address for its variable segments, decoded."""
    cross_origin: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """All there is to ask for."""

    methods: Mapping[str, Method]
    pages: Mapping[str, Page]
    records: Sequence[RecordRoute] = ()

    def find_method(self, name: str, http_method: str, dialect: Dialect) -> Target:
        """Find a remote method; what is not there is a target too, so that a bad credential is refused first."""
        method = self.methods.get(name)
        if method is None:
            return Target(f"method {name}", PUBLIC, dialect, _refuse_unknown_method(name))
        dialect, requires = method.dialect or dialect, method.requires_by.get(http_method, method.requires)
        if http_method not in method.http_methods:
            return Target(f"method {name}", PUBLIC, dialect, refuse_http_method, cross_origin=method.cross_origin)
        return Target(f"method {name}", requires, dialect, method.handler, cross_origin=method.cross_origin)

    def find_page(self, raw_path: str, http_method: str) -> Target | None:
        """Find a page by its address, still percent-encoded, with or without slashes at its end.

        A name in it may hold `/`, as %2F. Where several pages match, the one with fewer variable segments is meant.
        """
        segments = [unquote(segment) for segment in raw_path.rstrip("/").split("/")]
        matching = ((address, _match(address, segments)) for address in self.pages)
        found = [(address, parts) for address, parts in matching if parts is not None]
        if not found:
            return None
        address, parts = min(found, key=lambda one: len(one[1]))
        page = self.pages[address]
        allowed = http_method in page.http_methods or (http_method == "HEAD" and "GET" in page.http_methods)
        handler = page.handler if allowed else refuse_http_method
        what = "/".join(segments) or "/"
        return Target(what, page.requires, page.dialect, handler, parts, page.cross_origin)

    def find_records(self, raw_path: str, http_method: str) -> Target | None:
        """Find what an address of records asks for; still percent-encoded, so that a name may hold `/`."""
        route = next((route for route in self.records if raw_path.startswith(route.prefix)), None)
        if route is None:
            return None
        # A slash at the end is the client's habit; one in a name comes as %2F.
        path = raw_path.removeprefix(route.prefix).removesuffix("/")
        doctype, _, name = (unquote(part) for part in path.partition("/"))
        handlers = route.one if name else route.all
        handler = handlers.get(http_method)
        if not doctype or (handler is None and http_method == "PATCH") or not handlers:
            return None
        if handler is None:
            return Target(doctype, SIGNED_IN, route.dialect, refuse_http_method)
        return Target(doctype, SIGNED_IN, route.dialect, _bind(handler, doctype, name))


async def refuse_http_method(_call: Call) -> Reply:
    """Refuse a method that the address does not take. Source: recorded, `PATCH token`."""
    raise RefusedMethod


class RefusedMethod(Exception):
    """The address exists, and not for this HTTP method."""


class UnknownMethod(Exception):
    """There is no remote method of that name."""


def _match(address: str, segments: Sequence[str]) -> Mapping[str, str] | None:
    """Give what stands for a page's variable segments, None if it is another page's address."""
    wanted = address.rstrip("/").split("/")
    if len(wanted) != len(segments):
        return None
    parts = {}
    for want, segment in zip(wanted, segments, strict=True):
        if want.startswith("{") and segment:
            parts[want.strip("{}")] = segment
        elif want != segment:
            return None
    return parts


def _bind(handler: RecordHandler, doctype: str, name: str) -> Handler:
    async def handle(call: Call) -> Reply | Response:
        return await handler(call, doctype, name)

    return handle


def _refuse_unknown_method(name: str) -> Handler:
    async def refuse(_call: Call) -> Reply:
        raise UnknownMethod(name)

    return refuse
