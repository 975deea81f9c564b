"""What the OpenAPI document says of refusals: their statuses, their form in each dialect, and examples.

The examples are faults, written by what writes the answers themselves; a test provokes each of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.errors import BadRequest, Conflict, Flaw, Invalid, NotFound, NotPermitted, RateLimited
from latchgate.server.replies import Dialect, Fault, fault_of, render_fault_json
from latchgate.server.wire import Refusal, WireLimits, bad_request, body_too_large, header_too_large

__all__ = ["ERRORS", "EXAMPLES", "ErrorExample", "error_document", "error_references", "error_responses"]

ERRORS: Mapping[str, Any] = {
    "OAuthError": {
        "type": "object",
        "description": "What the endpoints of OAuth 2 refuse with (RFC 6749, section 5.2)",
        "required": ["error"],
        "properties": {
            "error": {"type": "string", "description": "The RFC's code of the fault: what to branch on"},
            "error_description": {"type": "string", "description": "For whoever writes the client"},
        },
    },
    "Error": {
        "type": "object",
        "required": ["exc_type"],
        "properties": {
            "exc_type": {"type": "string", "description": "Frappe's name of the fault: what to branch on"},
            "exception": {"type": "string", "description": "One line: Frappe's name in full, and the text if any"},
            "exc": {"type": "string", "description": "The same as a JSON list of one line; never a traceback"},
            "_server_messages": {"type": "string", "description": "A JSON list of JSON texts, each with a message"},
            "_error_message": {"type": "string"},
            "message": {"type": "string", "description": "Where signing in failed: why"},
            "session_expired": {"const": 1, "description": "Where a session's cookie came that opens nothing now"},
        },
    },
    "ErrorV2": {
        "type": "object",
        "required": ["errors"],
        "properties": {
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {
                        "type": {"type": "string", "description": "Frappe's name of the fault: what to branch on"},
                        "message": {"type": "string"},
                        "title": {"type": "string"},
                        "indicator": {"type": "string"},
                    },
                },
            }
        },
    },
}
_STATUSES = {
    "400": "What was sent cannot be read",
    "401": "The credential opens nothing",
    "403": "No right, or no credential",
    "404": "There is no such record, or none that the caller may know of",
    "409": "The name is taken",
    "413": "The body is too large",
    "417": "A value cannot be accepted; the message names it",
    "429": "Too many requests or wrong credentials",
    "431": "The request's head is too large",
    "500": "A fault of Latchgate's own",
    "503": "The database or the log does not answer",
}
_TAKEN = "409"
_HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "How to authenticate"}},
    "429": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait"}},
}


@dataclass(frozen=True, slots=True)
class ErrorExample:
    """A refusal that can be met, by the application (a fault) or by the wire before it (a refusal)."""

    status: str
    summary: str
    cause: Fault | Refusal


_GUEST = "You are not permitted to access User as a guest. Sign in, or send an Authorization header."
_STALE = (
    "Document has been modified after you have opened it (2026-02-19 09:30:00.123456, 2026-02-19 09:31:00.123456)."
    " Please refresh to get the latest document."
)
_TOO_MANY = RateLimited("Too many wrong credentials from this address.", retry_after_seconds=60)
_LIMITS = WireLimits()

EXAMPLES: Mapping[str, ErrorExample] = {
    "body_no_json": ErrorExample("400", "A body that is no JSON", fault_of(BadRequest("The body is not JSON"))),
    "csrf": ErrorExample(
        "400", "A change by a session without its token", Fault(400, "CSRFTokenError", "Invalid Request")
    ),
    "no_http": ErrorExample("400", "What is not proper HTTP", bad_request("There is more than one Host header.")),
    "credential": ErrorExample("401", "A credential that opens nothing", Fault(401, "AuthenticationError")),
    "no_credential": ErrorExample(
        "403", "No credential came", Fault(403, "PermissionError", _GUEST, title="Method Not Allowed")
    ),
    "no_right": ErrorExample(
        "403", "The roles do not allow it", fault_of(NotPermitted("No permission for User", told=True))
    ),
    "no_record": ErrorExample("404", "No such record", fault_of(NotFound("User nobody@example.com not found"))),
    "taken": ErrorExample("409", "The name is taken", fault_of(Conflict("There is a user ann@example.com already"))),
    "too_large": ErrorExample("413", "More than a mebibyte", body_too_large(_LIMITS)),
    "missing": ErrorExample(
        "417", "A field is missing", fault_of(Invalid({"email": "Value missing for User: Email"}, Flaw.MISSING))
    ),
    "stale": ErrorExample("417", "Somebody changed it in between", fault_of(Invalid({"modified": _STALE}, Flaw.STALE))),
    "too_many": ErrorExample("429", "Too many wrong credentials", fault_of(_TOO_MANY)),
    "head_too_large": ErrorExample("431", "More than 32 KiB, or 100 headers", header_too_large(_LIMITS)),
    "internal": ErrorExample(
        "500", "A fault of ours", Fault(500, "InternalError", "Something went wrong here; it was logged.")
    ),
    "not_logged": ErrorExample(
        "503", "It could not be logged", Fault(503, "ServiceUnavailable", "The request could not be logged.")
    ),
}


def error_document(example: ErrorExample, dialect: Dialect) -> Any:  # noqa: ANN401  # any JSON
    """Give the body that an example is answered with; what the wire refuses looks alike under every address."""
    if isinstance(example.cause, Refusal):
        return json.loads(example.cause.render(()).partition(b"\r\n\r\n")[2])
    return json.loads(bytes(render_fault_json(example.cause, dialect).body))


def error_references(dialect: Dialect, verb: str) -> dict[str, Any]:
    """List the refusals of an HTTP method, as an operation refers to them."""
    met = [status for status in _STATUSES if verb != "GET" or status != _TAKEN]
    return {status: {"$ref": f"#/components/responses/{_name(status, dialect)}"} for status in met}


def error_responses() -> dict[str, Any]:
    """Describe every refusal in the form of both dialects, by the names that `error_references` gives."""
    return {
        _name(status, dialect): _response(status, dialect)
        for dialect in (Dialect.FRAPPE_V1, Dialect.FRAPPE_V2)
        for status in _STATUSES
    }


def _name(status: str, dialect: Dialect) -> str:
    return f"Refused{status}V2" if dialect is Dialect.FRAPPE_V2 else f"Refused{status}"


def _response(status: str, dialect: Dialect) -> dict[str, Any]:
    examples = {name: example for name, example in EXAMPLES.items() if example.status == status}
    by_wire = [isinstance(example.cause, Refusal) for example in examples.values()]
    own = "ErrorV2" if dialect is Dialect.FRAPPE_V2 else "Error"
    forms = sorted({"Error" if wire else own for wire in by_wire})
    schemas = [{"$ref": f"#/components/schemas/{form}"} for form in forms]
    shown = {
        name: {"summary": example.summary, "value": error_document(example, dialect)}
        for name, example in examples.items()
    }
    content: dict[str, Any] = {
        "application/json": {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, "examples": shown}
    }
    if not all(by_wire):
        content["text/html"] = {"schema": {"type": "string", "description": "Where `Accept` asks for a page"}}
    headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    return {"description": _STATUSES[status], **headers, "content": content}
