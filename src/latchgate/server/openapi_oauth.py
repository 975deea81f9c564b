"""What the OpenAPI document says of the endpoints of OAuth 2: forms in, plain JSON or a redirect out.

They stand at one address each, whatever prefix a client uses: it is the one in the metadata (RFC 8414).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.server.routes import Method

__all__ = ["OAUTH_METHODS", "OAUTH_PREFIX", "oauth_operations"]

_PREFIX = "/api/method/"
OAUTH_PREFIX = "frappe.integrations.oauth2."
_FORM = "application/x-www-form-urlencoded"
_TEXT: Mapping[str, Any] = {"type": "string"}
_ANY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    summary: str
    asks: tuple[str, ...] = ()
    """The names of its parameters."""
    done: str = "200"
    json_body: bool = False


_CLIENT = ("client_id", "client_secret", "client_assertion_type", "client_assertion")
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
            "resource",
        ),
    ),
    "approve": _Endpoint("Take what the user says on the page of consent", ("decision", "csrf_token"), "302"),
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
    ),
    "revoke_token": _Endpoint("End a token (RFC 7009)", ("token", "token_type_hint", *_CLIENT)),
    "introspect_token": _Endpoint("Tell what a token is (RFC 7662)", ("token", "token_type_hint", *_CLIENT)),
    "openid_profile": _Endpoint("Tell who the user of an access token is (OpenID Connect Core, section 5.3)"),
    "register_client": _Endpoint(
        "Register a client, where the administrator allows it (RFC 7591)",
        ("client_name", "redirect_uris", "grant_types", "token_endpoint_auth_method", "scope"),
        "201",
        json_body=True,
    ),
    "device_authorization": _Endpoint(
        "Let a device begin to wait for its user (RFC 8628)", ("scope", "resource", *_CLIENT)
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
        "responses": {
            endpoint.done: {"description": "What was asked for"},
            "default": {"description": "A redirect, a page, or the RFC's code of what is wrong"},
        },
        "security": [],
    }
    if verb == "POST":
        properties = dict.fromkeys(endpoint.asks, _ANY if endpoint.json_body else _TEXT)
        kind = "application/json" if endpoint.json_body else _FORM
        operation["requestBody"] = {"content": {kind: {"schema": {"type": "object", "properties": properties}}}}
    else:
        operation["parameters"] = [{"name": name, "in": "query", "schema": _TEXT} for name in endpoint.asks]
    return operation
