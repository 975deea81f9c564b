"""What the OpenAPI document says of the endpoints of OAuth 2: forms in, plain JSON or a redirect out.

They stand at one address each, whatever prefix a client uses: it is the one in the metadata (RFC 8414).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from latchgate.server.openapi_errors import error_references
from latchgate.server.replies import Dialect
from latchgate.server.routes import Method

__all__ = ["OAUTH_METHODS", "OAUTH_PREFIX", "oauth_operations"]

_PREFIX = "/api/method/"
OAUTH_PREFIX = "frappe.integrations.oauth2."
_FORM = "application/x-www-form-urlencoded"
_TEXT: Mapping[str, Any] = {"type": "string"}
_NUMBER: Mapping[str, Any] = {"type": "integer"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
_ANY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    summary: str
    asks: tuple[str, ...] = ()
    """The names of its parameters."""
    done: str = "200"
    json_body: bool = False
    answers: Mapping[str, Mapping[str, Any]] | None = None
    """The fields of its answer; None where it is a page or a redirect."""
    always: tuple[str, ...] = ()
    """Which of them each answer has."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """By status, what it refuses in OAuth's form."""
    credential: str = ""
    """By which scheme a credential comes, if it asks for one."""


_CLIENT = ("client_id", "client_secret", "client_assertion_type", "client_assertion")
_INVALID_CLIENT = "The client did not prove itself: `invalid_client`"
_OF_TOKENS = {
    "400": "`invalid_request`, `invalid_grant`, `invalid_scope`, `invalid_target`, `unauthorized_client`,"
    " `unsupported_grant_type`; of devices also `authorization_pending`, `slow_down`, `expired_token`, `access_denied`",
    "401": _INVALID_CLIENT,
}
_WHO = {"sub": _TEXT, "name": _TEXT, "given_name": _TEXT, "family_name": _TEXT, "email": _TEXT, "roles": _TEXTS}
_STATUSES = {
    "429": "Too many, of wrong credentials or registrations: `temporarily_unavailable`",
    "503": "The database or the log does not answer: `temporarily_unavailable`",
}
_HEADERS = {"401": "WWW-Authenticate", "429": "Retry-After"}

OAUTH_METHODS: Mapping[str, _Endpoint] = {
    "authorize": _Endpoint(
        "Ask the user at the browser what a client may do (RFC 6749, section 3.1)",
        (
            "client_id",
            "response_type",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "prompt",
            "max_age",
            "login_hint",
            "id_token_hint",
            "resource",
        ),
    ),
    "approve": _Endpoint(
        "Take what the user says on the page of consent", ("decision", "csrf_token"), "303", credential="session"
    ),
    "get_token": _Endpoint(
        "Exchange a code, a refresh token, a device's code or a client's own proof for tokens (RFC 6749, section 3.2)",
        (
            "grant_type",
            "code",
            "redirect_uri",
            "code_verifier",
            "refresh_token",
            "device_code",
            "scope",
            "resource",
            *_CLIENT,
        ),
        answers={
            "access_token": _TEXT,
            "token_type": {"const": "Bearer"},
            "expires_in": _NUMBER,
            "scope": _TEXT,
            "refresh_token": _TEXT,
            "id_token": _TEXT,
        },
        always=("access_token", "token_type", "expires_in", "scope"),
        refuses=_OF_TOKENS,
        credential="client",
    ),
    "revoke_token": _Endpoint(
        "End a token (RFC 7009)",
        ("token", "token_type_hint", *_CLIENT),
        answers={},
        refuses={"400": "`invalid_request`, or `invalid_grant` for another client's token", "401": _INVALID_CLIENT},
        credential="client",
    ),
    "introspect_token": _Endpoint(
        "Tell what a token is (RFC 7662)",
        ("token", "token_type_hint", *_CLIENT),
        answers={
            "active": {"type": "boolean"},
            "client_id": _TEXT,
            "trusted_client": {"enum": [0, 1]},
            "scope": _TEXT,
            "username": _TEXT,
            "iss": _TEXT,
            "aud": _TEXTS,
            "token_type": {"const": "Bearer"},
            "exp": _NUMBER,
            "iat": _NUMBER,
            **_WHO,
        },
        always=("active",),
        refuses={"400": "`invalid_request`", "401": _INVALID_CLIENT},
        credential="client",
    ),
    "openid_profile": _Endpoint(
        "Tell who the user of an access token is (OpenID Connect Core, section 5.3)",
        answers={**_WHO, "iss": _TEXT},
        always=("sub", "iss"),
        credential="bearer",
    ),
    "register_client": _Endpoint(
        "Register a client, where the administrator allows it (RFC 7591)",
        ("client_name", "redirect_uris", "grant_types", "token_endpoint_auth_method", "scope"),
        "201",
        json_body=True,
        answers={
            "client_id": _TEXT,
            "client_id_issued_at": _NUMBER,
            "client_name": _TEXT,
            "client_secret": _TEXT,
            "client_secret_expires_at": {"const": 0},
            "grant_types": _TEXTS,
            "id_token_signed_response_alg": _TEXT,
            "redirect_uris": _TEXTS,
            "response_types": _TEXTS,
            "scope": _TEXT,
            "token_endpoint_auth_method": _TEXT,
        },
        always=("client_id", "client_id_issued_at", "client_name", "redirect_uris", "grant_types"),
        refuses={
            "400": "`invalid_request`, `invalid_client_metadata` or `invalid_redirect_uri`",
            "401": "The credential opens nothing: `invalid_token`",
            "403": "Clients do not register themselves here (`access_denied`), or not with this credential",
        },
    ),
    "device_authorization": _Endpoint(
        "Let a device begin to wait for its user (RFC 8628)",
        ("scope", "resource", *_CLIENT),
        answers={
            "device_code": _TEXT,
            "user_code": _TEXT,
            "verification_uri": _TEXT,
            "verification_uri_complete": _TEXT,
            "expires_in": _NUMBER,
            "interval": _NUMBER,
        },
        always=("device_code", "user_code", "verification_uri", "expires_in", "interval"),
        refuses={
            "400": "`invalid_request`, `invalid_scope`, `invalid_target` or `unauthorized_client`",
            "401": _INVALID_CLIENT,
        },
        credential="client",
    ),
    "end_session": _Endpoint(
        "Sign the user of a browser out (OpenID Connect RP-Initiated Logout)",
        ("id_token_hint", "client_id", "post_logout_redirect_uri", "state"),
    ),
}


def oauth_operations(methods: Mapping[str, Method]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Describe the endpoints: path, HTTP method, operation."""
    for name, endpoint in OAUTH_METHODS.items():
        method = methods[OAUTH_PREFIX + name]
        for verb in sorted(method.http_methods):
            yield _PREFIX + OAUTH_PREFIX + name, verb, _operation(endpoint, verb)


def _operation(endpoint: _Endpoint, verb: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "tags": ["OAuth 2"],
        "responses": {endpoint.done: _done(endpoint), **_refusals(endpoint, verb)},
        "security": _credentials(endpoint),
    }
    if verb == "POST":
        properties = dict.fromkeys(endpoint.asks, _ANY if endpoint.json_body else _TEXT)
        kind = "application/json" if endpoint.json_body else _FORM
        operation["requestBody"] = {"content": {kind: {"schema": {"type": "object", "properties": properties}}}}
    else:
        operation["parameters"] = [{"name": name, "in": "query", "schema": _TEXT} for name in endpoint.asks]
    return operation


def _credentials(endpoint: _Endpoint) -> list[dict[str, list[str]]]:
    if not endpoint.credential:
        return []
    # A public client says who it is in the form, and so may one that has a secret.
    in_the_form: list[dict[str, list[str]]] = [{}] if endpoint.credential == "client" else []
    return [{endpoint.credential: []}, *in_the_form]


def _done(endpoint: _Endpoint) -> dict[str, Any]:
    if endpoint.answers is None:
        return {"description": "A page, or a redirect"}
    schema: dict[str, Any] = {"type": "object", "properties": dict(endpoint.answers)}
    if endpoint.always:
        schema["required"] = list(endpoint.always)
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def _refusals(endpoint: _Endpoint, verb: str) -> dict[str, Any]:
    if endpoint.answers is None:
        return {"default": {"description": "A redirect that tells the client, or a page that tells the user"}}
    if not endpoint.refuses:
        # Under Frappe's name it refuses in Frappe's words, as recorded.
        return error_references(Dialect.FRAPPE_V1, verb)
    refused = {status: _refusal(status, told) for status, told in {**endpoint.refuses, **_STATUSES}.items()}
    return {**refused, "default": {"description": "What is refused before the endpoint: no proper HTTP, or too much"}}


def _refusal(status: str, told: str) -> dict[str, Any]:
    # What the wire refuses looks alike under every address.
    forms = [{"$ref": f"#/components/schemas/{form}"} for form in ("OAuthError", "Error")]
    headers = {"headers": {_HEADERS[status]: {"schema": _TEXT}}} if status in _HEADERS else {}
    return {"description": told, **headers, "content": {"application/json": {"schema": {"anyOf": forms}}}}
