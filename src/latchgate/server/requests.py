"""Collect what a request presents, and read its arguments: the first step of the straight line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

from latchgate.core.addresses import Network
from latchgate.core.credentials import Presented, PresentedClient, Scheme
from latchgate.core.heads import Head, collect_presented
from latchgate.core.policy import Requirement
from latchgate.core.principals import Principal
from latchgate.errors import BadRequest, Invalid
from latchgate.services.actors import Actor
from latchgate.services.admissions import Admission

__all__ = [
    "Call",
    "collect",
    "collect_head",
    "find_raw_path",
    "read_arguments",
    "read_body",
    "read_parameters",
    "refuse_constant",
    "require_text",
]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FIELDS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the gate let in, as a handler sees it."""

    request: Request
    admission: Admission
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What stands in the address where the page has `{name}` or another such, decoded; some are secrets."""
    changed: bool = False
    """Whether it did what it was let in to do, and only the answer is still to be read."""

    @property
    def path(self) -> str:
        """The address as it was asked for, still percent-encoded, without query and slash at its end."""
        return find_raw_path(self.request).rstrip("/") or "/"

    @property
    def principal(self) -> Principal:
        """The caller, on a route that requires a user."""
        principal = self.admission.principal
        if principal is None:
            raise AssertionError("the route did not require a user")
        return principal

    @property
    def actor(self) -> Actor:
        """The caller, as services take it."""
        admission = self.admission
        if self.changed:
            # By its own change the caller may not be anymore whom the gate let in, such as a key whose secret was
            # replaced: it is told all the same what came of it, or the new secret would be nobody's.
            return Actor.of(self.principal, admission.presented.peer_address)
        waited = _has_body(self.request)
        return Actor.of(self.principal, admission.presented.peer_address, admission.judge_again, waited=waited)

    def after_change(self) -> "Call":
        """Give the call as it reads for its answer, once what it asked for was done."""
        return replace(self, changed=True)

    async def read_arguments(self) -> dict[str, Any]:
        """Read query, form and JSON body as one, the body's word over the query's. Raises BadRequest.

        A handler that takes none does not read any: a megabyte sent to `ping` must cost nothing but its way here.
        """
        return await read_arguments(self.request)


async def collect(request: Request, requires: Requirement, trusted_proxies: Sequence[Network]) -> Presented:
    """Collect all that authentication looks at; never raises for anything sent."""
    presented = collect_head(request, requires, trusted_proxies)
    if requires.client:
        return replace(presented, client=await _find_client(request))
    if presented.session_cookie is None or presented.csrf_token is not None or request.method in _SAFE_METHODS:
        return presented
    return replace(presented, csrf_token=await _csrf_token_of_form(request))


def collect_head(request: Request, requires: Requirement, trusted_proxies: Sequence[Network]) -> Presented:
    """Collect what stands in the head of a request; never raises for anything sent."""
    client = request.scope.get("client")
    head = Head(request.method, _target(request), client[0] if client else "", request.scope["headers"])
    return collect_presented(head, trusted_proxies, sessions=Scheme.SESSION in requires.schemes)


def find_raw_path(request: Request) -> str:
    """Give the path as it was sent, still percent-encoded, so that a name in it may hold `/`."""
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return raw.partition(b"?")[0].decode("latin-1")


async def read_arguments(request: Request) -> dict[str, Any]:
    """Read query, form and JSON object into one.

    Raises:
        BadRequest: The body is not what its content type says.
    """
    return {**request.query_params, **await read_body(request)}


async def read_body(request: Request) -> dict[str, Any]:
    """Read form or JSON object, without the query: what a record's fields come from. Raises BadRequest."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/x-www-form-urlencoded":
        return await _read_form(request)
    if content_type == "multipart/form-data":
        # Nothing here takes a file, and each library that reads this form has had its day of endless work.
        raise BadRequest("Send the form as application/x-www-form-urlencoded, or its fields as JSON")
    return await _read_json(request) if content_type == "application/json" else {}


async def read_parameters(request: Request) -> list[tuple[str, str]]:
    """Read a form as OAuth 2 sends it: names and values in order, each as often as it came; the query says nothing.

    Source: RFC 6749, section 3.2 and appendix B. Raises BadRequest.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/x-www-form-urlencoded":
        return await _read_form_pairs(request)
    if await request.body():
        raise BadRequest("Send the parameters as a form: application/x-www-form-urlencoded")
    return []


def require_text(arguments: dict[str, Any], name: str) -> str:
    """Give an argument that must be a text and not empty. Raises Invalid."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        kind = "" if value is None or value == "" else f", not {type(value).__name__}"
        raise Invalid({name: f"is required, as a text{kind}"})
    return value


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0").strip("0 ") != "" or "transfer-encoding" in request.headers


def _target(request: Request) -> bytes:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "surrogatepass")
    query: bytes = request.scope["query_string"]
    return raw.partition(b"?")[0] + (b"?" + query if query else b"")


async def _csrf_token_of_form(request: Request) -> str | None:
    try:
        found = (await read_arguments(request)).get("csrf_token")
    except BadRequest:
        return None
    return found if isinstance(found, str) else None


async def _find_client(request: Request) -> PresentedClient:
    try:
        sent = await read_parameters(request)
    except BadRequest:
        # Told once the header was judged.
        return PresentedClient()
    found: dict[str, tuple[str, ...]] = {}
    for name, value in sent:
        found[name] = (*found.get(name, ()), value)
    return PresentedClient(
        client_ids=found.get("client_id", ()),
        client_secrets=found.get("client_secret", ()),
        assertion_types=found.get("client_assertion_type", ()),
        assertions=found.get("client_assertion", ()),
    )


async def _read_form(request: Request) -> dict[str, Any]:
    return dict(await _read_form_pairs(request))


async def _read_form_pairs(request: Request) -> list[tuple[str, str]]:
    try:
        text = (await request.body()).decode()
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise BadRequest(f"The body is no form of at most {_FIELDS_MAX} fields in UTF-8") from error


async def _read_json(request: Request) -> dict[str, Any]:
    body = await request.body()
    if not body.strip():
        return {}
    try:
        document = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON") from error
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object")
    return document


def refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python reads and JSON has not. Raises ValueError."""
    raise ValueError(f"{name} is no JSON")
