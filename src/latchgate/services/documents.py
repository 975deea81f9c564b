"""Records of every document type through one door: list, count, get, create, update, delete, as their fields."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from latchgate.core.document_types import DocumentType, Viewer
from latchgate.core.documents import API_KEY, DOCUMENT_TYPES, USER
from latchgate.core.permissions import Action, Reach
from latchgate.core.queries import DocumentQuery
from latchgate.core.questions import Asked, parse_question
from latchgate.core.tokens import Secret
from latchgate.core.undos import Undo
from latchgate.core.users import parse_user_name
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.access_rules import AccessRuleService
from latchgate.services.access_tokens import AccessTokenService
from latchgate.services.actors import Actor, read_as, write_as
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.clients import ClientService
from latchgate.services.consents import ConsentService
from latchgate.services.document_lists import DocumentPage, list_page, whole
from latchgate.services.document_rights import Seen, get_type, require_action, require_extends, see
from latchgate.services.document_values import parse_changes, parse_new, show
from latchgate.services.document_writers import (
    DocumentWriter,
    PermissionWriter,
    RoleWriter,
    SettingsWriter,
    SourceRecordWriter,
    SourceWriter,
    in_fields,
)
from latchgate.services.key_documents import ApiKeyWriter
from latchgate.services.key_rights import KeyRights
from latchgate.services.key_values import KeyValues
from latchgate.services.oauth_documents import ClientWriter, ConsentWriter, TokenWriter
from latchgate.services.permissions import PermissionService
from latchgate.services.ports import Clock, Documents, RequestLog, Store, Transaction
from latchgate.services.rights import find_reach
from latchgate.services.roles import RoleService
from latchgate.services.rule_documents import AccessRuleWriter
from latchgate.services.settings_documents import SettingsDocuments
from latchgate.services.sources import SourceService
from latchgate.services.system_settings import SystemSettingsService
from latchgate.services.user_documents import UserWriter
from latchgate.services.users import UserService

__all__ = ["RECORDS_MAX", "Changed", "DocumentService", "require_few"]

RECORDS_MAX = 200
"""The most records that are made or changed at once."""
PASSWORDS_MAX = 10
"""The most passwords among them: each takes as long to hash as somebody would take to guess it."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A record after a change."""

    record: Mapping[str, Any]
    """As `get` gives it."""
    undo: Undo | None
    """What would put the change back; None where nothing was changed, or something that its maker may not see."""


@dataclass(frozen=True, slots=True)
class DocumentService:
    """What a caller may do to records, and what they see of them, judged in `core/policy.py`.

    A change is judged twice: first in a read, so that nobody without the right holds up those who have it, then again
    in the transaction that writes.
    """

    store: Store
    request_log: RequestLog
    clock: Clock
    users: UserService
    roles: RoleService
    permissions: PermissionService
    sources: SourceService
    api_keys: ApiKeyService
    system_settings: SystemSettingsService
    clients: ClientService
    consents: ConsentService
    access_tokens: AccessTokenService
    access_rules: AccessRuleService

    def get_type(self, actor: Actor, doctype: str) -> DocumentType:
        """Give the description of a type that the actor may read. Raises NotPermitted, NotFound."""
        with read_as(self.store, actor) as tx:
            found_type = get_type(tx, actor, doctype)
            require_action(tx, actor, found_type, Action.READ)
        return found_type

    def list_rows(self, actor: Actor, doctype: str, asked: Asked) -> DocumentPage:
        """Give a page of records, of each the fields that were asked for. Raises NotPermitted, NotFound, Invalid."""
        with read_as(self.store, actor) as tx:
            found_type, viewer, query = _ask(tx, actor, doctype, asked)
            return list_page(self._documents(tx, found_type), found_type, viewer, query, self._key_values)

    def list_whole(self, actor: Actor, doctype: str, asked: Asked) -> DocumentPage:
        """Give a page of records with all the fields that the actor sees of each. Raises as `list_rows`."""
        with read_as(self.store, actor) as tx:
            found_type, viewer, query = _ask(tx, actor, doctype, asked)
            query = whole(query, found_type, viewer)
            return list_page(self._documents(tx, found_type), found_type, viewer, query, self._key_values)

    def count(self, actor: Actor, doctype: str, asked: Asked) -> int:
        """Count the records that the filters allow and the actor may read. Raises as `list_rows`."""
        with read_as(self.store, actor) as tx:
            found_type, viewer, query = _ask(tx, actor, doctype, asked)
            return self._documents(tx, found_type).count(found_type.name, query, viewer.own_only)

    def get(self, actor: Actor, doctype: str, name: str) -> dict[str, Any]:
        """Give a record with all the fields that the actor may see. Raises NotPermitted, NotFound."""
        with read_as(self.store, actor) as tx:
            found_type = get_type(tx, actor, doctype)
            require_action(tx, actor, found_type, Action.READ)
            return self._shown(found_type, self._see(tx, actor, found_type, name))

    def create(self, actor: Actor, doctype: str, values: Mapping[str, object]) -> dict[str, Any]:
        """Make a record and give it as `get` does, an API Key with `api_secret`, this once.

        Raises:
            NotPermitted, NotFound: There is no right, or no such type.
            Conflict: The name is taken.
            Invalid: A field that cannot be accepted, is missing (Flaw.MISSING) or names nothing (Flaw.LINK).
        """
        return self.create_many(actor, [(doctype, values)])[0]

    def create_many(self, actor: Actor, new: Sequence[tuple[str, Mapping[str, object]]]) -> list[dict[str, Any]]:
        """Make all of these records, each a type and its fields, or none; give them in their order.

        Whoever may not read what they made is told its name and type.

        Raises:
            NotPermitted, NotFound, Conflict, Invalid: As `create`; Invalid also if they are too many.
        """
        require_few([values for _, values in new])
        with read_as(self.store, actor) as tx:
            orders = [self._order(tx, actor, *one) for one in new]
        hashes = [self._hash(actor, wanted, str(wanted.get("email"))) for _, wanted in orders]
        with write_as(self.store, actor) as tx:
            return [self._create(tx, actor, one, hashed) for one, hashed in zip(new, hashes, strict=True)]

    def update(self, actor: Actor, doctype: str, name: str, values: Mapping[str, object]) -> dict[str, Any]:
        """Replace fields of a record; those that already hold the value sent are left alone.

        Raises:
            NotPermitted, NotFound, Conflict, Invalid: As `create`.
            Invalid: With Flaw.STALE, if `modified` is given and the record has been changed since.
        """
        return dict(self.change(actor, doctype, name, values).record)

    def change(self, actor: Actor, doctype: str, name: str, values: Mapping[str, object]) -> Changed:
        """Replace fields of a record, and tell what would put them back. Raises as `update`."""
        with read_as(self.store, actor) as tx:
            found_type, seen, changes = self._changes(tx, actor, (doctype, name), values)
            if not changes:
                return Changed(self._shown(found_type, seen), None)
        hashed = self._hash(actor, changes, name)
        with write_as(self.store, actor) as tx:
            return self.change_in(tx, actor, (doctype, name), values, hashed)

    def change_in(
        self,
        tx: Transaction,
        actor: Actor,
        record: tuple[str, str],
        values: Mapping[str, object],
        hashed: Mapping[str, Any] | None = None,
    ) -> Changed:
        """Replace fields of a record, a type and a name, in a caller's transaction.

        Args:
            tx: The transaction.
            actor: Who asks.
            record: Its type and name.
            values: As they were sent.
            hashed: A new password's hash, if there is one among them.

        Raises:
            NotPermitted, NotFound, Conflict, Invalid: As `update`.
        """
        found_type, seen, changes = self._changes(tx, actor, record, values)
        if not changes:
            return Changed(self._shown(found_type, seen), None)
        before = show(found_type, seen.found, seen.viewer, own=seen.own)
        self._writer(found_type).change(tx, actor, seen.found, {**changes, **(hashed or {})})
        after = self._shown(found_type, self._see(tx, actor, found_type, record[1]))
        # A password is never shown, nor is what whoever may write a record may not read of it.
        known = {field: before[field] for field in changes if field in before}
        undo = Undo(found_type.name, str(after["name"]), known, str(after["modified"]))
        return Changed(after, undo if known.keys() == changes.keys() else None)

    def delete(self, actor: Actor, doctype: str, name: str) -> None:
        """Delete a record; an API Key is revoked and stays to be seen. Raises NotPermitted, NotFound, Invalid."""
        with read_as(self.store, actor) as tx:
            self._require(tx, actor, (doctype, name), Action.DELETE)
        with write_as(self.store, actor) as tx:
            found_type, seen = self._require(tx, actor, (doctype, name), Action.DELETE)
            self._writer(found_type).delete(tx, actor, seen.found)

    def may(self, actor: Actor, doctype: str, action: Action, name: str | None) -> bool:
        """Whether the actor may do this to a record, or to any of the type where none is named; never raises."""
        try:
            with read_as(self.store, actor) as tx:
                if name is None or action is Action.CREATE:
                    self._reach(tx, actor, get_type(tx, actor, doctype), action)
                else:
                    self._require(tx, actor, (doctype, name), action)
        except (NotPermitted, NotFound, Invalid, Conflict):
            return False
        return True

    def list_readable(self, actor: Actor, doctypes: Iterable[str]) -> frozenset[str]:
        """List those of these types of which the actor may read all records, not only their own."""
        with read_as(self.store, actor) as tx:
            return frozenset(name for name in doctypes if find_reach(tx, actor, name, Action.READ) is Reach.ALL)

    def list_allowed(self, actor: Actor) -> dict[str, tuple[Action, ...]]:
        """List what the actor may do to some records at least: by document type, those of sources too, the actions."""
        with read_as(self.store, actor) as tx:
            doctypes = [
                get_type(tx, actor, name) for name in {**DOCUMENT_TYPES, **dict.fromkeys(tx.sources.list_names())}
            ]
            allowed = {one.name: tuple(filter(partial(self._allows, tx, actor, one), Action)) for one in doctypes}
        return {doctype: actions for doctype, actions in allowed.items() if actions}

    def _allows(self, tx: Transaction, actor: Actor, doctype: DocumentType, action: Action) -> bool:
        try:
            self._reach(tx, actor, doctype, action)
        except NotPermitted:
            return False
        return True

    def _reach(self, tx: Transaction, actor: Actor, doctype: DocumentType, action: Action) -> Reach:
        reach = require_action(tx, actor, doctype, action)
        if doctype is API_KEY and action is not Action.READ:
            KeyRights(tx, actor, self.api_keys.standing).require_any(action)
        return reach

    def _documents(self, tx: Transaction, doctype: DocumentType) -> Documents:
        match doctype.name:
            case "API Request Log":
                return self.request_log.documents
            case "System Settings":
                return SettingsDocuments(self.system_settings.get_values(tx))
            case _:
                return tx.documents

    def _see(self, tx: Transaction, actor: Actor, doctype: DocumentType, name: str) -> Seen:
        if doctype is USER:
            # As wherever else a user is named: in any case.
            name = parse_user_name(name) or name
        return see(tx, self._documents(tx, doctype), actor, doctype, name)

    def _shown(self, doctype: DocumentType, seen: Seen) -> dict[str, Any]:
        values = self._key_values.complete(doctype, [seen.found.values])[0]
        return show(doctype, replace(seen.found, values=values), seen.viewer, own=seen.own)

    @property
    def _key_values(self) -> KeyValues:
        return KeyValues(self.clock, self.request_log)

    def _require(
        self, tx: Transaction, actor: Actor, record: tuple[str, str], action: Action
    ) -> tuple[DocumentType, Seen]:
        doctype, name = record
        found_type = get_type(tx, actor, doctype)
        reach = self._reach(tx, actor, found_type, action)
        seen = self._see(tx, actor, found_type, name)
        require_extends(seen, found_type, action, reach)
        return found_type, seen

    def _order(
        self, tx: Transaction, actor: Actor, doctype: str, values: Mapping[str, object]
    ) -> tuple[DocumentType, dict[str, Any]]:
        found_type = get_type(tx, actor, doctype)
        reach = self._reach(tx, actor, found_type, Action.CREATE)
        wanted = parse_new(found_type, Viewer.of(actor.principal, reach), actor.user, values)
        if found_type is API_KEY:
            # Everybody may ask for a key: whoever asks for another's holds up nobody.
            ApiKeyWriter(self.api_keys).judge(tx, actor, wanted)
        return found_type, wanted

    def _create(
        self, tx: Transaction, actor: Actor, new: tuple[str, Mapping[str, object]], hashed: dict[str, Any]
    ) -> dict[str, Any]:
        found_type, wanted = self._order(tx, actor, *new)
        made = self._writer(found_type).create(tx, actor, {**wanted, **hashed})
        try:
            shown = self._shown(found_type, self._see(tx, actor, found_type, made.name))
        except NotFound:
            shown = {"name": made.name, "doctype": found_type.name}
        return {**shown, **made.once}

    def _changes(
        self, tx: Transaction, actor: Actor, record: tuple[str, str], values: Mapping[str, object]
    ) -> tuple[DocumentType, Seen, dict[str, Any]]:
        found_type, seen = self._require(tx, actor, record, Action.WRITE)
        reach = self._reach(tx, actor, found_type, Action.WRITE)
        shown = show(found_type, seen.found, seen.viewer, own=seen.own)
        viewer = Viewer.of(actor.principal, reach)
        return found_type, seen, parse_changes(found_type, viewer, shown, values, own=seen.own)

    def _hash(self, actor: Actor, wanted: Mapping[str, Any], user: str) -> dict[str, Any]:
        """Hash a new password before anything is locked: it takes long."""
        if not wanted.get("new_password"):
            return {}
        with in_fields(password="new_password"):
            return {"password_hash": self.users.hash_password(actor, Secret(wanted["new_password"]), user)}

    def _writer(self, doctype: DocumentType) -> DocumentWriter:
        writers: dict[str, Callable[[], DocumentWriter]] = {
            "User": lambda: UserWriter(self.users, self.roles),
            "Role": lambda: RoleWriter(self.roles),
            "Role Permission": lambda: PermissionWriter(self.permissions),
            "API Key": lambda: ApiKeyWriter(self.api_keys),
            "Authorization Source": lambda: SourceWriter(self.sources),
            "System Settings": lambda: SettingsWriter(self.system_settings),
            "OAuth Client": lambda: ClientWriter(self.clients),
            "OAuth Bearer Token": lambda: TokenWriter(self.access_tokens),
            "OAuth Consent": lambda: ConsentWriter(self.consents),
            "Access Rule": lambda: AccessRuleWriter(self.access_rules),
        }
        return writers.get(doctype.name, lambda: SourceRecordWriter(self.sources, doctype.name))()


def require_few(records: Sequence[object]) -> None:
    """Refuse more records at once than are answered in reasonable time. Raises Invalid."""
    if len(records) > RECORDS_MAX:
        raise Invalid({"docs": f"must be a list of at most {RECORDS_MAX} records"})
    passwords = sum(isinstance(record, Mapping) and bool(record.get("new_password")) for record in records)
    if passwords > PASSWORDS_MAX:
        raise Invalid({"docs": f"must hold at most {PASSWORDS_MAX} records with new_password"})


def _ask(tx: Transaction, actor: Actor, doctype: str, asked: Asked) -> tuple[DocumentType, Viewer, DocumentQuery]:
    found_type = get_type(tx, actor, doctype)
    viewer = Viewer.of(actor.principal, require_action(tx, actor, found_type, Action.READ))
    return found_type, viewer, parse_question(found_type, viewer, asked)
