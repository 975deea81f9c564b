"""Who a request acts as, as the application sees it; what it may do is judged by the one policy, nowhere else."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from latchgate.core.heads import Head
from latchgate.core.policy import Decision, Requirement, decide
from latchgate.core.principals import Principal, Who
from latchgate.core.scopes import ALL
from latchgate.core.users import GUEST
from latchgate.middleware.refusals import Refusal, Refused, refusal_of
from latchgate.services.principal_memories import PrincipalMemory

__all__ = ["ANY_SCOPE", "JUDGED_KEY", "KEY", "Identity", "Judged", "get_identity", "identity_of", "requirement_of"]

ANY_SCOPE = "*"
"""Said instead of a scope: it does not matter what the credential is limited to. It is no scope that one can have."""
KEY = "latchgate.identity"
"""Under which name a scope or an environ holds the identity."""
JUDGED_KEY = "latchgate.judged"
"""Under which it holds what was judged: with all headers, and so apart from the identity, which may be shown."""


# Not frozen, for the sake of Presented's reason.
@dataclass(slots=True)
class Judged:
    """What was judged, and where: so that a second middleware of the same instance need not judge it again."""

    instance: Final[Hashable] = field(repr=False)
    """Names the instance; see `Keeper.instance`."""
    head: Final[Head] = field(repr=False)
    by_rules: Final[bool]
    """Whether the access rules let the request in."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request acts as; Guest where an open address was asked without a credential."""

    user: str
    roles: frozenset[str]
    scopes: frozenset[str]
    """What the credential is limited to; it can only narrow what the roles allow."""
    credential: str | None
    """The public id of the key or token; None for Guest."""
    scheme: str | None
    """How it was carried: `token`, `Basic`, `Bearer` or `session`."""
    source: str | None
    """Whose records the key was looked up among."""
    full_name: str
    request_id: str
    """Under which the log has the request; empty where another process has logged it."""
    who: Who = field(repr=False)
    note: Callable[[str], None] = field(repr=False, compare=False)
    """Takes for the log why the request is refused."""
    refused: Callable[[Refusal], Refused] = field(default=Refused, repr=False, compare=False)
    """As what it refuses: a framework may answer exceptions of its own alone."""

    @property
    def is_guest(self) -> bool:
        """Whether nobody is signed in."""
        return not isinstance(self.who, Principal)

    def allows(self, *, role: str | Iterable[str] | None = None, scope: str | None = None) -> bool:
        """Whether the caller is a user with one of the roles, if any are named, and a credential with the scope.

        Raises:
            ValueError: As `requirement_of`.
        """
        return decide(self.who, requirement_of(role, scope)).decision is Decision.ALLOWED

    def require(self, *, role: str | Iterable[str] | None = None, scope: str | None = None) -> None:
        """Refuse the request unless the caller has one of the roles, if any are named, and the credential the scope.

        Raises:
            Refused: It is not; the middleware answers 401 or 403, and the log has the reason.
            ValueError: As `requirement_of`.
        """
        self.require_all(requirement_of(role, scope))

    def require_all(self, requirement: Requirement) -> None:
        """Refuse the request unless the caller has all that a requirement asks. Raises Refused."""
        judgement = decide(self.who, requirement)
        if judgement.decision is Decision.ALLOWED:
            return
        if judgement.reason:
            self.note(judgement.reason.value)
        raise self.refused(refusal_of(self.who, judgement, requirement.scope))


# Of its digests no application needs one, and some show all that is here.
_shown = PrincipalMemory(lambda who: (replace(who, proof=b""), who.scheme.value))


def requirement_of(role: str | Iterable[str] | None, scope: str | None) -> Requirement:
    """Tell what is asked of a caller: a user with one of the roles, if any are named, and a credential with the scope.

    Without a scope it is to be limited to nothing, as where an access rule names none: a token by which some program
    may know who somebody is, with `openid`, is not the whole of an application.

    Args:
        role: One role, or several of which one is enough; None: any user.
        scope: A scope; `ANY_SCOPE`: whatever the credential is limited to.

    Raises:
        ValueError: A role or scope is given but names none: to take that for "any user" would let everybody in.
    """
    roles = frozenset([role] if isinstance(role, str) else role or ())
    if role is not None and not (roles and all(map(_is_name, roles))):
        raise ValueError(
            f'role={role!r} names no role: write role="Reports", or several of which one is enough, role=["Reports", '
            '"Auditor"]; leave it out where any user may come'
        )
    if scope is not None and not _is_name(scope):
        raise ValueError(
            f'scope={scope!r} names no scope: write one as text, scope="reports"; leave it out where none is needed'
        )
    needed = None if scope == ANY_SCOPE else scope or ALL
    return Requirement(user=True, scope=needed, roles=roles)


def get_identity(request: Mapping[str, Any]) -> Identity:
    """Give who a request acts as.

    Args:
        request: Its scope or environ, as the middleware hands it on.

    Raises:
        LookupError: The middleware is not before the application, which therefore knows nothing of who asks.
    """
    identity: Identity | None = request.get(KEY)
    if identity is None:
        raise LookupError("Latchgate's middleware is not before this application: nobody has been judged")
    return identity


def identity_of(who: Who, request_id: str, note: Callable[[str], None]) -> Identity:
    """Tell an application who was let in."""
    if isinstance(who, Principal):
        shown, scheme = _shown.get(who)
        return Identity(
            user=who.user,
            roles=who.roles,
            scopes=who.scopes,
            credential=who.credential,
            scheme=scheme,
            source=who.source,
            full_name=who.full_name,
            request_id=request_id,
            who=shown,
            note=note,
        )
    return Identity(GUEST, frozenset({GUEST}), frozenset(), None, None, None, GUEST, request_id, who, note)


def _is_name(given: object) -> bool:
    return isinstance(given, str) and bool(given.strip())
