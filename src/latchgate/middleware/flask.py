"""For Flask: who asks, and what a view requires, as a decorator."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import abort, current_app, make_response, request

from latchgate.middleware.identities import Identity, get_identity
from latchgate.middleware.refusals import Refused

__all__ = ["current_identity", "require"]

P = ParamSpec("P")
T = TypeVar("T")


def current_identity() -> Identity:
    """Give who the present request acts as, Guest included. Raises LookupError without the middleware."""
    return get_identity(request.environ)


def require(
    *, role: str | Iterable[str] | None = None, scope: str | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let only a signed-in user with one of the roles, if any are named, and the scope, if one is, come to a view.

    It stands below `route`, next to the function. Who lacks the right is answered 401 or 403.
    """
    roles = role if role is None or isinstance(role, str) else frozenset(role)

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        @wraps(view)
        def judged(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                current_identity().require(role=roles, scope=scope)
            except Refused as refused:
                refusal = refused.refusal
                abort(make_response(refusal.body, refusal.status, refusal.all_headers))
            # Views that are coroutines are run as Flask runs them.
            answer: T = current_app.ensure_sync(view)(*args, **kwargs)
            return answer

        return judged

    return decorate
