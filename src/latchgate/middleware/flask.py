"""For Flask: who asks, and what a view requires, as a decorator."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import current_app, make_response, request
from werkzeug.exceptions import HTTPException

from latchgate.middleware.identities import Identity, get_identity, requirement_of
from latchgate.middleware.refusals import Refusal, Refused

__all__ = ["current_identity", "require"]

P = ParamSpec("P")
T = TypeVar("T")


class _FlaskRefused(Refused, HTTPException):
    """A refusal as Flask answers it by itself: of no code, and therefore unchanged."""

    def __init__(self, refusal: Refusal) -> None:
        Refused.__init__(self, refusal)
        HTTPException.__init__(self, refusal.message, make_response(refusal.body, refusal.status, refusal.all_headers))


def current_identity() -> Identity:
    """Give who the present request acts as, Guest included. Raises LookupError without the middleware."""
    return replace(get_identity(request.environ), refused=_FlaskRefused)


def require(
    *, role: str | Iterable[str] | None = None, scope: str | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let only a user with one of the roles, if any are named, by a credential with the scope, come to a view.

    Without a scope the credential is to be limited to nothing; `*` takes any. It stands below `route`, next
    to the function. Who lacks the right is answered 401 or 403.

    Raises:
        ValueError: As `requirement_of`, when the view is defined.
    """
    requirement = requirement_of(role, scope)

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        @wraps(view)
        def judged(*args: P.args, **kwargs: P.kwargs) -> T:
            current_identity().require_all(requirement)
            # Views that are coroutines are run as Flask runs them.
            answer: T = current_app.ensure_sync(view)(*args, **kwargs)
            return answer

        return judged

    return decorate
