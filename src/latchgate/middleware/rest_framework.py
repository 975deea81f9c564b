"""For Django REST framework: an authentication class and permissions, upon the middleware for Django."""

from collections.abc import Iterable
from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from latchgate.middleware.identities import Identity, get_identity, requirement_of
from latchgate.middleware.refusals import Refused

__all__ = ["LatchgateAuthentication", "LatchgateUser", "requires"]


@dataclass(frozen=True, slots=True)
class LatchgateUser:
    """The caller as `request.user`; it has no row in Django's own table of users."""

    identity: Identity
    is_authenticated: bool = True
    is_anonymous: bool = False
    is_active: bool = True

    @property
    def pk(self) -> str:
        """What throttles count by."""
        return self.identity.user

    @property
    def username(self) -> str:
        """The user's name."""
        return self.identity.user

    def __str__(self) -> str:
        return self.identity.user


class LatchgateAuthentication(BaseAuthentication):  # type: ignore[misc]  # the library has no types
    """Tells the framework whom the middleware let in: `request.user`, and the `Identity` as `request.auth`."""

    def authenticate(self, request: Request) -> tuple[LatchgateUser, Identity] | None:
        """Give the caller; None for Guest. Raises LookupError without the middleware."""
        identity = get_identity(request.META)
        return None if identity.is_guest else (LatchgateUser(identity), identity)

    def authenticate_header(self, request: Request) -> str:
        """Give what a 401 asks for."""
        del request
        return 'Bearer realm="latchgate"'


def requires(*, role: str | Iterable[str] | None = None, scope: str | None = None) -> type[BasePermission]:
    """Give a permission class for a user with one of the roles, if any are named, by a credential with the scope.

    Without a scope the credential is to be limited to nothing; `*` takes any.

    Raises:
        ValueError: As `requirement_of`, when the view is defined.
    """
    requirement = requirement_of(role, scope)

    class Requires(BasePermission):  # type: ignore[misc]  # as above
        def has_permission(self, request: Request, view: object) -> bool:
            del view
            try:
                get_identity(request.META).require_all(requirement)
            except Refused as refused:
                self.message, self.code = refused.refusal.message, refused.refusal.error
                return False
            return True

    return Requires
