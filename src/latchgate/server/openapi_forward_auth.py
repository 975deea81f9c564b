"""What the OpenAPI document says of `/auth/verify`, which proxies ask and no client."""

from collections.abc import Mapping
from typing import Any

from latchgate.core.forwarded import Proxy
from latchgate.core.identity_headers import IDENTITY_HEADERS
from latchgate.server.openapi_errors import error_references
from latchgate.server.openapi_schemas import required_credentials
from latchgate.server.replies import Dialect

__all__ = ["verify_operations"]

_TEXT = {"type": "string"}
_DESCRIPTION = """\
For proxies that `LATCHGATE_TRUSTED_PROXIES` names, and for nobody else. What is judged and logged is the original
request, by the access rules: its method, host and target as the proxy tells them, and its own `Authorization`, cookie
and `Frappe-Authorization-Source`, passed on as they came. Which headers tell of it depends on `proxy`; each must be
there once, and those of other proxies count for nothing. Envoy asks below this address, `/auth/verify` and the original
target, by the original's method, and is answered 200.
"""
_TELLS: Mapping[str, str] = {
    "X-Forwarded-For": "Ends with the caller's address; needed",
    "X-Original-Method": "nginx: the original's method; its host is in `Host`",
    "X-Original-URI": "nginx: the original's path and query",
    "X-Forwarded-Method": "Traefik, Caddy, HAProxy: the original's method",
    "X-Forwarded-Host": "Traefik, Caddy, HAProxy: the original's host",
    "X-Forwarded-Uri": "Traefik, Caddy, HAProxy: the original's path and query",
}
_SAYS: Mapping[str, str] = dict(
    zip(
        IDENTITY_HEADERS,
        (
            "Who asks; empty for a guest, as all of these",
            "The same, where it is an e-mail address",
            "The roles, by commas",
            "The scopes of the credential, by commas",
            "The public id of the key, token or session",
            "All of it, signed for the application's host (a JSON Web Token)",
        ),
        strict=True,
    )
)
_REFUSALS: Mapping[str, str] = {
    "400": "Two credentials, or a question that does not tell all of the original request",
    "401": "No credential, or one that opens nothing: the original is to be refused",
    "403": "No rule lets this caller in; or the proxy is none that may ask",
    "429": "The key is over its limit, or too many wrong credentials came from the caller's address",
}


def verify_operations() -> dict[str, Any]:
    """Describe the address, by HTTP method."""
    return {"get": _verify()}


def _verify() -> dict[str, Any]:
    refusals = error_references(Dialect.FRAPPE_V1, "GET")
    met = {status: found for status, found in refusals.items() if status not in {"404", "417"}}
    told = {status: {**found, "description": _REFUSALS[status]} for status, found in met.items() if status in _REFUSALS}
    return {
        "summary": "Tell a proxy whether a request for a protected application may pass, and as whom",
        "description": _DESCRIPTION,
        "operationId": "verify",
        "tags": ["Forward-auth"],
        # The original request's; a rule may let in whoever has none.
        "security": [*required_credentials("GET"), {}],
        "parameters": [
            {
                "name": "proxy",
                "in": "query",
                "description": "Who asks, if it is not the one that `LATCHGATE_PROXY` names",
                "schema": {"enum": [proxy.value for proxy in Proxy]},
            },
            *({"name": name, "in": "header", "description": told, "schema": _TEXT} for name, told in _TELLS.items()),
        ],
        "responses": {
            "204": {
                "description": "It may pass; to Envoy 200. The application gets these headers instead of a caller's",
                "headers": {name: {"description": told, "schema": _TEXT} for name, told in _SAYS.items()},
            },
            "303": {
                "description": "A browser signs in first (`LATCHGATE_SIGN_IN_FOR`); to nginx a 401 with `Location`",
                "headers": {"Location": {"description": "Where", "schema": _TEXT}},
            },
            **met,
            **told,
        },
    }
