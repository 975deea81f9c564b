"""Ask the policy, with the permissions that stand in the database, before anything is read or changed."""

from collections.abc import Callable, Iterable

from latchgate.core.permissions import Action, Grant, Own, Reach
from latchgate.core.policy import gives_beyond, judge_action, may_act_for
from latchgate.core.principals import Reason
from latchgate.core.users import ROLES_OF_ALL, StoredUser, effective_roles
from latchgate.errors import NotPermitted
from latchgate.services.actors import Actor
from latchgate.services.ports import Store, Transaction

__all__ = [
    "find_reach",
    "is_manager",
    "is_self",
    "judge_early",
    "require_act_for",
    "require_covered",
    "require_covered_account",
    "require_on",
    "require_reach",
    "require_right",
    "require_roles",
]


def judge_early(store: Store, actor: Actor, judge: Callable[[Transaction], object]) -> None:
    """Judge in a read what will be judged again in the write: who is refused must not hold up who is not.

    Args:
        store: Where the permissions stand.
        actor: Who asks; for the command line nothing is judged.
        judge: What raises if the actor may not.
    """
    if actor.principal is not None:
        with store.read() as tx:
            judge(tx)


def find_reach(tx: Transaction, actor: Actor, doctype: str, action: Action) -> Reach | Reason:
    """Tell how far an actor may go, or why nowhere; the command line may do everything."""
    if actor.principal is None:
        return Reach.ALL
    return judge_action(actor.principal, tx.permissions.list_all(), doctype, action)


def require_reach(tx: Transaction, actor: Actor, doctype: str, action: Action) -> Reach:
    """Let nobody pass who has no right at all on a document type. Raises NotPermitted."""
    reach = find_reach(tx, actor, doctype, action)
    if isinstance(reach, Reason):
        scope = f"{doctype}:{action}" if reach is Reason.SCOPE_MISSING else ""
        raise NotPermitted(f"No permission for {doctype}", reason=reach.value, told=True, scope=scope)
    return reach


def require_right(tx: Transaction, actor: Actor, doctype: str, action: Action) -> None:
    """Let nobody pass who may not do this to all records of a document type. Raises NotPermitted."""
    if require_reach(tx, actor, doctype, action) is not Reach.ALL:
        raise NotPermitted(f"No permission for {doctype}", reason=Reason.ROLE_MISSING.value, told=True)


def require_on(tx: Transaction, actor: Actor, doctype: str, action: Action, name: str) -> None:
    """Let nobody pass who may not do this to one record; whether there is such a one is not told. Raises NotPermitted.

    For types whose records name their owner; whether a User or an API Key is one's own, their services judge.
    """
    if require_reach(tx, actor, doctype, action) is Reach.ALL or actor.principal is None:
        return
    found = tx.documents.find(doctype, name)
    if found is None or not found.is_own(Own(actor.principal.user, actor.principal.user_id)):
        raise NotPermitted(f"No permission for {doctype}", reason=Reason.ROLE_MISSING.value, told=True)


def require_act_for(actor: Actor, user: StoredUser) -> None:
    """Let nobody change an account that may do more than they may. Raises NotPermitted."""
    if actor.principal is not None and not may_act_for(actor.principal, effective_roles(user)):
        raise NotPermitted(f"{user.name} has roles that you lack", reason=Reason.ROLE_MISSING.value, told=True)


def require_roles(actor: Actor, roles: frozenset[str]) -> None:
    """Let nobody give or take roles that they lack. Raises NotPermitted."""
    if actor.principal is not None and not may_act_for(actor.principal, roles):
        raise NotPermitted(
            "You can neither give nor take roles that you lack", reason=Reason.ROLE_MISSING.value, told=True
        )


def require_covered(actor: Actor, roles: frozenset[str], grants: Iterable[Grant]) -> None:
    """Let no credential give roles, or these permissions to them, beyond its own scopes. Raises NotPermitted."""
    if actor.principal is not None and gives_beyond(actor.principal, roles, grants):
        told = "This would give rights that the scopes of the credential used do not cover"
        raise NotPermitted(told, reason="beyond", told=True)


def require_covered_account(tx: Transaction, actor: Actor, user: StoredUser) -> None:
    """Let no credential set an account free that may do more than its own scopes cover. Raises NotPermitted."""
    # What everybody may do with what is theirs is given to nobody.
    require_covered(actor, effective_roles(user) - ROLES_OF_ALL, tx.permissions.list_all())


def is_manager(actor: Actor) -> bool:
    """Whether it is the command line or a System Manager, who are bound by no other account's roles."""
    return actor.principal is None or actor.principal.is_manager


def is_self(actor: Actor, user: StoredUser) -> bool:
    """Whether an account is the actor's own."""
    return actor.principal is not None and actor.principal.user_id == user.id
