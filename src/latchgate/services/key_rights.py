"""Whose API keys an actor may manage, as the permissions and the settings stand in a transaction."""

from functools import cached_property

from latchgate.core.api_keys import StoredKey
from latchgate.core.permissions import Action, Reach
from latchgate.core.policy import may_manage_keys
from latchgate.core.principals import Reason
from latchgate.core.system_settings import KeyPolicy
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.actors import Actor
from latchgate.services.key_owners import Owner, OwnerIds, require_owner
from latchgate.services.ports import Transaction
from latchgate.services.rights import find_reach, is_manager, require_act_for
from latchgate.services.standing_settings import StandingSettings

__all__ = ["API_KEY", "KeyRights", "only_key", "user_of"]

API_KEY = "API Key"


class KeyRights:
    """What one actor may do to keys, in one transaction.

    Whoever reaches everybody's keys still makes and changes only those of accounts that may do no more than they may;
    whoever does not learns of no other owner, and of no other key, that there is one.
    """

    def __init__(self, tx: Transaction, actor: Actor, standing: StandingSettings) -> None:
        self._tx = tx
        self._actor = actor
        self._standing = standing

    @cached_property
    def _policy(self) -> KeyPolicy:
        # Found when it is wanted: for managers and others who reach all keys nobody asks it.
        return self._standing.key_policy(self._tx)

    def require_owner(self, owner: Owner, action: Action) -> OwnerIds:
        """Find an owner whose keys the actor may do this to. Raises NotPermitted, NotFound, Invalid for Guest."""
        try:
            ids = require_owner(self._tx, owner)
        except (NotFound, Invalid):
            self.require(None, action)
            if not self._may_know(owner.source):
                raise _refused(Reason.ROLE_MISSING) from None
            raise
        self.require(ids.user, action)
        return ids

    def allow(self, owner: Owner, action: Action) -> bool:
        """Whether the actor may do this to an owner's keys."""
        try:
            self.require_owner(owner, action)
        except (NotPermitted, NotFound, Invalid):
            return False
        return True

    def get_key(self, key_id: str, source: str | None, action: Action) -> StoredKey:
        """Give a key that the actor may do this to; those they may not are as good as absent.

        Raises NotPermitted, NotFound, Conflict if several sources have one.
        """
        self.require_any(action)
        keys = [key for key in self._tx.api_keys.find_any(key_id) if self._refusal(user_of(key), action) is None]
        key = only_key(keys, key_id, source)
        if key.owner.user is not None:
            require_act_for(self._actor, key.owner.user)
        return key

    def require_any(self, action: Action) -> None:
        """Let nobody pass who may not do this even to their own keys. Raises NotPermitted."""
        self._require_reach(self._actor.user, action)

    def require(self, user: str | None, action: Action) -> None:
        """Let nobody pass who may not do this to the keys that run as a user. Raises NotPermitted."""
        self._require_reach(user, action)
        found = self._tx.users.find(user) if user is not None else None
        if found is None:
            return
        try:
            require_act_for(self._actor, found)
        except NotPermitted:
            if self._may_know("User"):
                raise
            # That there is such a user, and that it may do more, would be as good as a list of the administrators.
            raise _refused(Reason.ROLE_MISSING) from None

    def _require_reach(self, user: str | None, action: Action) -> None:
        reason = self._refusal(user, action)
        if reason:
            raise _refused(reason)

    def _refusal(self, user: str | None, action: Action) -> Reason | None:
        if self._actor.principal is None:
            return None
        reach = find_reach(self._tx, self._actor, API_KEY, action)
        if isinstance(reach, Reason):
            return reach
        own_keys = reach is not Reach.ALL and self._policy.gives_own_keys(self._actor.principal.roles)
        return may_manage_keys(self._actor.principal, user, reach, own_keys=own_keys)

    def _may_know(self, source: str) -> bool:
        """Whether an actor may hear that a source, or its record, is not there; System Managers may of any."""
        return is_manager(self._actor) or find_reach(self._tx, self._actor, source, Action.READ) is Reach.ALL


def only_key(keys: list[StoredKey], key_id: str, source: str | None) -> StoredKey:
    """Give the one key of a source, or of any. Raises NotFound, Conflict."""
    keys = [key for key in keys if source is None or key.source == source]
    if not keys:
        raise NotFound(f"API Key {key_id} not found")
    if len(keys) > 1:
        raise Conflict(f"Several sources have a key {key_id}: name one of {', '.join(key.source for key in keys)}")
    return keys[0]


def user_of(key: StoredKey) -> str | None:
    """Tell whom a key's requests run as."""
    return key.owner.user.name if key.owner.user else None


def _refused(reason: Reason) -> NotPermitted:
    return NotPermitted("Not permitted to manage these keys", reason=reason.value)
