"""For FastAPI and Starlette: who asks, and what a route requires, as dependencies that the OpenAPI document shows."""

from collections.abc import Iterable
from dataclasses import replace

from fastapi import HTTPException
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from latchgate.core.policy import Requirement
from latchgate.middleware.identities import Identity, get_identity, requirement_of
from latchgate.middleware.refusals import Refusal, Refused

__all__ = ["current_identity", "require"]

_DESCRIPTION = (
    "An API key or an access token: `token <api_key>:<api_secret>`, `Basic base64(<api_key>:<api_secret>)` or "
    "`Bearer <access_token>`."
)


class _HttpRefused(Refused, HTTPException):
    """A refusal as FastAPI answers it by itself; the application's own handlers of errors may dress it."""

    def __init__(self, refusal: Refusal) -> None:
        Refused.__init__(self, refusal)
        HTTPException.__init__(self, refusal.status, refusal.document, dict(refusal.headers))


class _Require(SecurityBase):
    """A dependency that gives the caller, or refuses; FastAPI takes it for a security scheme of the document."""

    def __init__(self, requirement: Requirement) -> None:
        self.model = APIKey(**{"in": APIKeyIn.header}, name="Authorization", description=_DESCRIPTION)
        self.scheme_name = "Latchgate"
        self._requirement = requirement

    async def __call__(self, connection: HTTPConnection) -> Identity:
        identity = await current_identity(connection)
        identity.require_all(self._requirement)
        return identity


def require(*, role: str | Iterable[str] | None = None, scope: str | None = None) -> _Require:
    """Give a dependency for a user with one of the roles, if any are named, by a credential with the scope.

    Without a scope the credential is to be limited to nothing; `*` takes any.
    `Depends(require(role="Auditor"))` gives the `Identity`; without the right, the route is answered 401 or 403.

    Raises:
        ValueError: As `requirement_of`, when the route is defined.
    """
    return _Require(requirement_of(role, scope))


async def current_identity(connection: HTTPConnection) -> Identity:
    """Give who asks, Guest included; a dependency that refuses nobody."""
    return replace(get_identity(connection.scope), refused=_HttpRefused)
