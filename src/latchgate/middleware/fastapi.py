"""For FastAPI and Starlette: who asks, and what a route requires, as dependencies that the OpenAPI document shows."""

from collections.abc import Iterable

from fastapi import HTTPException
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from latchgate.middleware.identities import Identity, get_identity
from latchgate.middleware.refusals import Refused

__all__ = ["current_identity", "require"]

_DESCRIPTION = (
    "An API key or an access token: `token <api_key>:<api_secret>`, `Basic base64(<api_key>:<api_secret>)` or "
    "`Bearer <access_token>`."
)


class _Require(SecurityBase):
    """A dependency that gives the caller, or refuses; FastAPI takes it for a security scheme of the document."""

    def __init__(self, role: str | Iterable[str] | None, scope: str | None) -> None:
        self.model = APIKey(**{"in": APIKeyIn.header}, name="Authorization", description=_DESCRIPTION)
        self.scheme_name = "Latchgate"
        self._role = role if role is None or isinstance(role, str) else frozenset(role)
        self._scope = scope

    async def __call__(self, connection: HTTPConnection) -> Identity:
        identity = get_identity(connection.scope)
        try:
            identity.require(role=self._role, scope=self._scope)
        except Refused as refused:
            refusal = refused.refusal
            # The application's own handlers of errors may dress it.
            raise HTTPException(refusal.status, refusal.document, dict(refusal.headers)) from None
        return identity


def require(*, role: str | Iterable[str] | None = None, scope: str | None = None) -> _Require:
    """Give a dependency for a signed-in user with one of the roles, if any are named, and the scope, if one is.

    `Depends(require(role="Auditor"))` gives the `Identity`; without the right, the route is answered 401 or 403.
    """
    return _Require(role, scope)


async def current_identity(connection: HTTPConnection) -> Identity:
    """Give who asks, Guest included; a dependency that refuses nobody."""
    return get_identity(connection.scope)
