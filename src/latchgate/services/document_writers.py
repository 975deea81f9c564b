"""How records of each document type are made, changed and deleted: their fields as orders to the services.

What is permitted the services judge again; a writer only translates, both the order and what is wrong with it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from latchgate.core.document_types import Viewer
from latchgate.core.permissions import Action, Grant, Reach
from latchgate.core.sources import SourceRecord
from latchgate.core.users import parse_user_name
from latchgate.errors import Flaw, Invalid
from latchgate.services.actors import Actor
from latchgate.services.permissions import PermissionService, grant_name
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Transaction
from latchgate.services.rights import find_reach
from latchgate.services.roles import RoleService
from latchgate.services.sources import SourceService
from latchgate.services.system_settings import SystemSettingsService

__all__ = [
    "DocumentWriter",
    "Made",
    "PermissionWriter",
    "RoleWriter",
    "SettingsWriter",
    "SourceRecordWriter",
    "SourceWriter",
    "find_known_user",
    "in_fields",
]


@dataclass(frozen=True, slots=True)
class Made:
    """A new record: its name, and what is told of it this once."""

    name: str
    once: Mapping[str, str] = field(default_factory=dict, repr=False)


class DocumentWriter(Protocol):
    """The changes of one document type, on a caller's transaction."""

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a record, of all its fields. Raises NotPermitted, Conflict, Invalid."""
        ...

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Replace some fields of a record. Raises NotPermitted, Invalid."""
        ...

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a record. Raises NotPermitted, Conflict, Invalid."""
        ...


@contextmanager
def in_fields(**names: str) -> Iterator[None]:
    """Let what a service finds wrong be told under the names of the document's fields."""
    try:
        yield
    except Invalid as error:
        raise Invalid({names.get(name, name): told for name, told in error.fields.items()}, error.flaw) from None


@dataclass(frozen=True, slots=True)
class RoleWriter:
    """Roles, of which nothing changes but whether they require a second factor."""

    roles: RoleService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a role."""
        with in_fields(role="role_name"):
            name = self.roles.create_in(tx, actor, wanted["role_name"])
        if wanted["two_factor_auth"]:
            self.roles.require_second_factor_in(tx, actor, name, required=True)
        return Made(name)

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Let it require a second factor, or not."""
        name, required = str(found.values["name"]), bool(changes["two_factor_auth"])
        self.roles.require_second_factor_in(tx, actor, name, required=required)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a role."""
        self.roles.delete_in(tx, actor, str(found.values["name"]))


@dataclass(frozen=True, slots=True)
class PermissionWriter:
    """Permissions, whose actions are a field each."""

    permissions: PermissionService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a permission."""
        if not tx.roles.exists(wanted["role"]):
            raise Invalid({"role": f"Could not find Role: {wanted['role']}"}, Flaw.LINK)
        grant = _grant(wanted)
        return Made(grant_name(self.permissions.create_in(tx, actor, grant)))

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Replace its actions."""
        self.permissions.change_in(tx, actor, _grant({**found.values, **changes}))

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a permission."""
        grant = _grant(found.values)
        self.permissions.delete_in(tx, actor, grant.role, grant.doctype, if_owner=grant.if_owner)


@dataclass(frozen=True, slots=True)
class SourceWriter:
    """Authorization sources; nothing of them changes."""

    sources: SourceService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a source."""
        with in_fields(source="source_name"):
            return Made(self.sources.create_in(tx, actor, wanted["source_name"]))

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Never happens: no field can be changed."""
        raise AssertionError(changes)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a source."""
        self.sources.delete_in(tx, actor, str(found.values["name"]))


@dataclass(frozen=True, slots=True)
class SourceRecordWriter:
    """The records of one source."""

    sources: SourceService
    source: str

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a record."""
        name, user = wanted["record_name"], find_known_user(tx, actor, wanted["user"])
        with in_fields(name="record_name"):
            record = SourceRecord(0, self.source, name, user, bool(wanted["enabled"]))
            return Made(self.sources.create_record_in(tx, actor, record).name)

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Replace whom a record's keys run as, or whether they work."""
        stored = {**found.values, **changes}
        user = find_known_user(tx, actor, stored["user"]) if "user" in changes else stored["user"]
        record = SourceRecord(found.id, self.source, str(stored["name"]), user, bool(stored["enabled"]))
        self.sources.change_record_in(tx, actor, record)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a record with its keys."""
        self.sources.delete_record_in(tx, actor, self.source, str(found.values["name"]))


@dataclass(frozen=True, slots=True)
class SettingsWriter:
    """The one record of System Settings."""

    system_settings: SystemSettingsService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Refuse: it is there."""
        raise Invalid({"doctype": "There is one record of System Settings, which can be changed"})

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Replace settings."""
        self.system_settings.change_in(tx, actor, changes)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:  # noqa: ARG002
        """Refuse."""
        raise Invalid({"name": "System Settings cannot be deleted"})


def find_known_user(tx: Transaction, actor: Actor, name: str | None) -> str | None:
    """Give the user that a record is to run as; one that the actor may not know of is as good as absent.

    Raises:
        Invalid: With Flaw.LINK, if there is none.
    """
    if not name:
        return None
    user = parse_user_name(name) or name
    viewer = Viewer.of(actor.principal, Reach.NONE)
    known = tx.users.find(user) is not None and (
        viewer.manager or user == actor.user or find_reach(tx, actor, "User", Action.READ) is Reach.ALL
    )
    if not known:
        raise Invalid({"user": f"Could not find User: {name}"}, Flaw.LINK)
    return user


def _grant(values: Mapping[str, Any]) -> Grant:
    actions = frozenset(action for action in Action if values[action.value])
    return Grant(values["role"], values["document_type"], bool(values["if_owner"]), actions)
