"""What administrators decide for everybody, kept in the database: how it is shown and changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Action
from latchgate.core.queries import Scalar
from latchgate.core.system_settings import SETTING_NAMES, SettingValue
from latchgate.core.users import ADMINISTRATOR
from latchgate.errors import Flaw, Invalid, NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, require_system_manager, write_as
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import require_right
from latchgate.services.standing_settings import StandingSettings, fact_of
from latchgate.services.user_rights import get_user

__all__ = ["SYSTEM_SETTINGS", "SystemSettingsService"]

SYSTEM_SETTINGS = "System Settings"
"""The document type, and the name of its one record."""
_MODIFIED = "system_settings_modified"
_MODIFIED_BY = "system_settings_modified_by"


@dataclass(frozen=True, slots=True)
class SystemSettingsService:
    """Every change of the settings. Only System Managers and the command line may."""

    store: Store
    clock: Clock
    standing: StandingSettings
    origins: Mapping[str, str] = field(default_factory=dict)
    """By setting: where the operator set it, for those that the operator did set."""

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
            **self.standing.find(tx),
        }
        return FoundDocument(id=1, values=values, owned_by=ADMINISTRATOR)

    def list_decided(self, actor: Actor) -> frozenset[str]:
        """List the settings that somebody decided and that count. Raises NotPermitted."""
        with self.store.read() as tx:
            require_right(tx, actor, SYSTEM_SETTINGS, Action.READ)
            facts = tx.instance.find_facts([fact_of(name) for name in SETTING_NAMES])
        return frozenset(
            name for name in SETTING_NAMES if fact_of(name) in facts and name not in self.standing.operator
        )

    def change(self, actor: Actor, **changes: SettingValue) -> None:
        """Decide settings. Raises as `change_in`."""
        require_system_manager(actor)
        with write_as(self.store, actor) as tx:
            self.change_in(tx, actor, changes)

    def change_in(self, tx: Transaction, actor: Actor, changes: Mapping[str, SettingValue]) -> None:
        """Decide settings, in a caller's transaction; what holds its value already is left alone.

        Raises:
            NotPermitted: The actor is no System Manager, or its credential does not reach so far.
            Invalid: A value that cannot be, a role that is none, or what the operator has set.
        """
        require_system_manager(actor)
        require_right(tx, actor, SYSTEM_SETTINGS, Action.WRITE)
        present = self.standing.find(tx)
        wanted = {name: value for name, value in _parse(changes).items() if present[name] != value}
        self._require_open(wanted)
        _require_roles(tx, wanted.get("own_key_roles"))
        for name, value in wanted.items():
            tx.instance.set_fact(fact_of(name), json.dumps(value))
        self._note(tx, actor, [f"{name}: {_told(value)}" for name, value in wanted.items()])

    def reset(self, actor: Actor, name: str) -> bool:
        """Let the default of a setting count again; False if nobody had decided it.

        Raises:
            NotFound: There is no such setting.
            NotPermitted, Invalid: As `change_in`.
        """
        require_system_manager(actor)
        if name not in SETTING_NAMES:
            raise NotFound(f"There is no setting {name[:60]}")
        with write_as(self.store, actor) as tx:
            require_right(tx, actor, SYSTEM_SETTINGS, Action.WRITE)
            self._require_open({name: None})
            forgotten = tx.instance.forget_fact(fact_of(name))
            self._note(tx, actor, [f"{name}: default"] if forgotten else [])
        return forgotten

    def origin(self, name: str) -> str:
        """Tell where the operator set a setting; empty where the operator did not."""
        if name not in self.standing.operator:
            return ""
        found = self.origins.get(name, "default")
        # An option of who opened the instance stands in no file.
        return found if found != "default" else "its start"

    def _require_open(self, wanted: Mapping[str, object]) -> None:
        told = "is set by the operator, in {}, and is changed there alone"
        fixed = {name: told.format(self.origin(name)) for name in wanted if name in self.standing.operator}
        if fixed:
            raise Invalid(fixed)

    def _note(self, tx: Transaction, actor: Actor, told: list[str]) -> None:
        if told:
            tx.instance.set_fact(_MODIFIED, str(self.clock.now_us()))
            tx.instance.set_fact(_MODIFIED_BY, actor.user)
            note(tx, self.clock, actor, "settings.changed", SYSTEM_SETTINGS, detail="; ".join(told))


def _parse(changes: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    """Read values as the document's fields are read, whoever gives them. Raises Invalid."""
    parsed: dict[str, SettingValue] = {}
    problems: dict[str, str] = {}
    for name, value in changes.items():
        try:
            parsed[name] = DOCUMENT_TYPES[SYSTEM_SETTINGS].fields[name].parse(value)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise Invalid(problems)
    return parsed


def _require_roles(tx: Transaction, roles: SettingValue) -> None:
    for role in roles if isinstance(roles, list) else []:
        if not tx.roles.exists(role):
            raise Invalid({"own_key_roles": f"Could not find Role: {role}"}, Flaw.LINK)


def _told(value: SettingValue) -> str:
    match value:
        case None:
            return "none"
        case list():
            return ", ".join(value) or "none"
        case _:
            return str(value)
