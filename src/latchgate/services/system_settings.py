"""What administrators decide for everybody, kept in the database; the environment says what stands until then."""

from dataclasses import dataclass

from latchgate.core.permissions import Action
from latchgate.core.queries import Scalar
from latchgate.core.users import ADMINISTRATOR
from latchgate.services.activity import note
from latchgate.services.actors import Actor, require_system_manager, write_as
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import require_right
from latchgate.services.user_rights import get_user

__all__ = ["SYSTEM_SETTINGS", "SystemSettingsService", "allow_own_keys"]

SYSTEM_SETTINGS = "System Settings"
"""The document type, and the name of its one record."""
_ALLOW_OWN_KEYS = "allow_own_keys"
_MODIFIED = "system_settings_modified"
_MODIFIED_BY = "system_settings_modified_by"


@dataclass(frozen=True, slots=True)
class SystemSettingsService:
    """Every change of the settings. Only System Managers and the command line may."""

    store: Store
    clock: Clock
    own_keys_default: bool
    """Whether users may manage their own keys, until somebody decides it."""

    def get(self, actor: Actor) -> FoundDocument:
        """Give the settings. Raises NotPermitted."""
        with self.store.read() as tx:
            require_right(tx, actor, SYSTEM_SETTINGS, Action.READ)
            return self.get_values(tx)

    def get_values(self, tx: Transaction) -> FoundDocument:
        """Give the settings as the one record of their type; as old as the instance, and Administrator's."""
        administrator = get_user(tx, ADMINISTRATOR)
        values: dict[str, Scalar | list[str]] = {
            "name": SYSTEM_SETTINGS,
            "owner": ADMINISTRATOR,
            "creation": administrator.creation,
            "modified": int(tx.instance.find_fact(_MODIFIED) or administrator.creation),
            "modified_by": tx.instance.find_fact(_MODIFIED_BY) or ADMINISTRATOR,
            "allow_own_keys": int(allow_own_keys(tx, default=self.own_keys_default)),
        }
        return FoundDocument(id=1, values=values, owned_by=ADMINISTRATOR)

    def change(self, actor: Actor, *, allow_own_keys: bool) -> None:
        """Decide whether users may manage their own keys. Raises NotPermitted."""
        require_system_manager(actor)
        with write_as(self.store, actor) as tx:
            self.change_in(tx, actor, allow_own_keys=allow_own_keys)

    def change_in(self, tx: Transaction, actor: Actor, *, allow_own_keys: bool) -> None:
        """Do as `change`, in a caller's transaction."""
        require_system_manager(actor)
        require_right(tx, actor, SYSTEM_SETTINGS, Action.WRITE)
        stated = str(int(allow_own_keys))
        if tx.instance.find_fact(_ALLOW_OWN_KEYS) == stated:
            return
        tx.instance.set_fact(_ALLOW_OWN_KEYS, stated)
        tx.instance.set_fact(_MODIFIED, str(self.clock.now_us()))
        tx.instance.set_fact(_MODIFIED_BY, actor.user)
        note(tx, self.clock, actor, "settings.changed", SYSTEM_SETTINGS, detail=f"allow_own_keys: {allow_own_keys}")


def allow_own_keys(tx: Transaction, *, default: bool) -> bool:
    """Tell whether users may manage their own keys; `default` until an administrator decides it."""
    stated = tx.instance.find_fact(_ALLOW_OWN_KEYS)
    return default if stated is None else stated == "1"
