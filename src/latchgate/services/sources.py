"""Authorization sources: document types whose records own keys, and those records."""

from dataclasses import dataclass, replace

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import EVERY_ACTION, Action, Grant, Reach
from latchgate.core.sources import (
    BUILT_IN_SOURCES,
    RESERVED_NAMES,
    SourceRecord,
    parse_record_name,
    parse_source_name,
)
from latchgate.core.users import GUEST, SYSTEM_MANAGER, StoredUser, effective_roles
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.activity import note
from latchgate.services.actors import Actor, require_within, write_as
from latchgate.services.key_makers import require_makers
from latchgate.services.key_owners import Owner
from latchgate.services.port_values import KeyFilter, NewRecord, RecordChanges
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import (
    find_reach,
    judge_early,
    require_act_for,
    require_on,
    require_reach,
)
from latchgate.services.user_rights import get_user

__all__ = ["AUTHORIZATION_SOURCE", "SourceService", "add_record", "add_source"]

AUTHORIZATION_SOURCE = "Authorization Source"


@dataclass(frozen=True, slots=True)
class SourceService:
    """Every change of sources and their records, as far as the matrix allows: each source is a document type.

    A method that ends in `_in` works on its caller's transaction.
    """

    store: Store
    clock: Clock

    def create(self, actor: Actor, name: str) -> str:
        """Define a source, of whose records System Managers may do everything; tells its name.

        Raises Conflict, Invalid, NotPermitted.
        """
        judge_early(self.store, actor, lambda tx: require_reach(tx, actor, AUTHORIZATION_SOURCE, Action.CREATE))
        with write_as(self.store, actor) as tx:
            return self.create_in(tx, actor, name)

    def create_in(self, tx: Transaction, actor: Actor, name: str) -> str:
        """Define a source. Raises as `create`."""
        require_reach(tx, actor, AUTHORIZATION_SOURCE, Action.CREATE)
        return add_source(tx, self.clock, actor, name)

    def delete(self, actor: Actor, name: str) -> None:
        """Delete a source that has no records, with the permissions on them.

        Raises NotFound, NotPermitted, Conflict if it has records, Invalid for the sources that are always there.
        """
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, AUTHORIZATION_SOURCE, Action.DELETE, name))
        with write_as(self.store, actor) as tx:
            self.delete_in(tx, actor, name)

    def delete_in(self, tx: Transaction, actor: Actor, name: str) -> None:
        """Delete a source. Raises as `delete`."""
        require_on(tx, actor, AUTHORIZATION_SOURCE, Action.DELETE, name)
        if name in BUILT_IN_SOURCES:
            raise Invalid({"source": f"{name} is always there; it cannot be deleted"})
        if not tx.sources.exists(name):
            raise NotFound(f"Authorization Source {name} not found")
        tx.sources.delete(name)
        for grant in tx.permissions.list_all():
            if grant.doctype == name:
                # A later source of this name begins anew.
                tx.permissions.delete(grant.role, name, if_owner=grant.if_owner)
        note(tx, self.clock, actor, "source.deleted", name)

    def list_sources(self) -> list[tuple[str, int]]:
        """List the sources by name, each with the number of its records."""
        with self.store.read() as tx:
            return tx.sources.list_all()

    def create_record(
        self, actor: Actor, source: str, name: str, user: str | None, *, enabled: bool = True
    ) -> SourceRecord:
        """Make a record that keys can be generated for. Without a user its keys are refused.

        Raises Conflict, Invalid, NotFound (source, user), NotPermitted, also for a user with roles the actor lacks.
        """
        record = SourceRecord(0, source, name, user, enabled)
        judge_early(self.store, actor, lambda tx: _require_create(tx, actor, record))
        with write_as(self.store, actor) as tx:
            return self.create_record_in(tx, actor, record)

    def create_record_in(self, tx: Transaction, actor: Actor, record: SourceRecord) -> SourceRecord:
        """Make a record; its id is ignored. Raises as `create_record`."""
        _require_create(tx, actor, record)
        return add_record(tx, self.clock, actor, record)

    def require_source(self, name: str) -> None:
        """Let nothing pass that is no source with records of its own. Raises NotFound, Invalid for User."""
        with self.store.read() as tx:
            _require_own_records(tx, name)

    def list_records(self, source: str) -> list[SourceRecord]:
        """List the records of a source by name. Raises NotFound, Invalid for User."""
        with self.store.read() as tx:
            _require_own_records(tx, source)
            return tx.sources.list_records(source)

    def enable_record(self, actor: Actor, source: str, name: str, *, enabled: bool) -> SourceRecord:
        """Let a record's keys work, or refuse them from the next request on. Raises NotFound, NotPermitted."""
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, source, Action.WRITE, name))
        with write_as(self.store, actor) as tx:
            record = _get_record_to(tx, actor, source, name, Action.WRITE)
            return self.change_record_in(tx, actor, replace(record, enabled=enabled))

    def change_record_in(self, tx: Transaction, actor: Actor, wanted: SourceRecord) -> SourceRecord:
        """Replace whom the record of that source and name runs its keys as, or whether they work.

        Raises:
            NotFound: There is no such record or user.
            NotPermitted: The actor may not, lacks a role of the user, or uses a credential that reaches less far than
                the record's keys, which would run as that user.
            Invalid: It is a user, or Guest is named.
        """
        record = _get_record_to(tx, actor, wanted.source, wanted.name, Action.WRITE)
        if wanted.enabled != record.enabled:
            if wanted.enabled:
                self._require_within_keys(tx, actor, record)
            self._change(tx, actor, record, RecordChanges(enabled=wanted.enabled))
            operation = "source_record.enabled" if wanted.enabled else "source_record.disabled"
            note(tx, self.clock, actor, operation, record.name, detail=record.source)
        if wanted.user != record.user:
            user = _get_runner(tx, actor, wanted.user)
            self._require_within_keys(tx, actor, record)
            if user is not None:
                owner = Owner(record.source, record.name)
                require_makers(tx, owner, user, effective_roles(user), self.clock.now())
            self._change(tx, actor, record, RecordChanges(user_id=user.id if user else None, names_user=True))
            note(tx, self.clock, actor, "source_record.changed", record.name, detail=_told(record.source, user))
        return _get_record(tx, record.source, record.name)

    def delete_record(self, actor: Actor, source: str, name: str) -> None:
        """Delete a record with its keys. Raises NotFound, NotPermitted, Invalid for User."""
        judge_early(self.store, actor, lambda tx: require_on(tx, actor, source, Action.DELETE, name))
        with write_as(self.store, actor) as tx:
            self.delete_record_in(tx, actor, source, name)

    def delete_record_in(self, tx: Transaction, actor: Actor, source: str, name: str) -> None:
        """Delete a record. Raises as `delete_record`."""
        record = _get_record_to(tx, actor, source, name, Action.DELETE)
        tx.sources.delete_record(record.id)
        note(tx, self.clock, actor, "source_record.deleted", name, detail=source)

    def _change(self, tx: Transaction, actor: Actor, record: SourceRecord, changes: RecordChanges) -> None:
        tx.sources.change_record(record.id, changes, actor.user, self.clock.now_us())

    def _require_within_keys(self, tx: Transaction, actor: Actor, record: SourceRecord) -> None:
        # Keys that are there already would work, or run as somebody else, without the limits of the credential used.
        for key in tx.api_keys.list_some(KeyFilter(record.source, record.name), self.clock.now()):
            require_within(actor, key.limits)


def add_source(tx: Transaction, clock: Clock, actor: Actor, name: str) -> str:
    """Store a source in a caller's transaction; tells its name. Raises Conflict, Invalid."""
    parsed = parse_source_name(name)
    if parsed is None:
        raise Invalid({"source": f"'{name[:60]}' is not a name such as API Device: letters, digits, single spaces"})
    for existing in (*tx.sources.list_names(), *DOCUMENT_TYPES):
        if existing.lower() == parsed.lower():
            # "api device" beside "API Device": whoever reads a header or the log would take one for the other.
            raise Conflict(f"There is a document type {existing} already")
    if parsed.lower() in {name.lower() for name in RESERVED_NAMES}:
        raise Invalid({"source": f"'{parsed}' is kept for a document type of Latchgate's own"})
    now_us = clock.now_us()
    tx.sources.add(parsed, actor.user, now_us)
    tx.permissions.add(Grant(SYSTEM_MANAGER, parsed, if_owner=False, actions=EVERY_ACTION), actor.user, now_us)
    note(tx, clock, actor, "source.created", parsed)
    return parsed


def add_record(tx: Transaction, clock: Clock, actor: Actor, wanted: SourceRecord) -> SourceRecord:
    """Store a record in a caller's transaction; its id is ignored. Raises Conflict, Invalid, NotFound."""
    _require_own_records(tx, wanted.source)
    name = parse_record_name(wanted.name)
    if name is None:
        raise Invalid({"name": "must be 1 to 140 printable characters"})
    user = _get_runner(tx, actor, wanted.user)
    new = NewRecord(wanted.source, name, user.id if user else None, wanted.enabled, actor.user)
    tx.sources.add_record(new, clock.now_us())
    note(tx, clock, actor, "source_record.created", name, detail=_told(wanted.source, user))
    return _get_record(tx, wanted.source, name)


def _require_create(tx: Transaction, actor: Actor, record: SourceRecord) -> None:
    require_reach(tx, actor, record.source, Action.CREATE)
    _get_runner(tx, actor, record.user)


def _get_record_to(tx: Transaction, actor: Actor, source: str, name: str, action: Action) -> SourceRecord:
    require_on(tx, actor, source, action, name)
    _require_own_records(tx, source)
    record = _get_record(tx, source, name)
    user = tx.users.find(record.user) if record.user else None
    if user is not None:
        # Its keys act as that user.
        require_act_for(actor, user)
    return record


def _get_runner(tx: Transaction, actor: Actor, name: str | None) -> StoredUser | None:
    """Give the user whom the actor may let a record's keys run as.

    Raises NotPermitted, Invalid for Guest, NotFound; that there is none is told only to whoever may read all users.
    """
    if not name:
        return None
    try:
        user = get_user(tx, name)
    except NotFound:
        if find_reach(tx, actor, "User", Action.READ) is not Reach.ALL:
            raise NotPermitted(f"{name} has roles that you lack", reason="role_missing") from None
        raise
    if user.name == GUEST:
        raise Invalid({"user": "Guest is who carries no credential; no record runs as it"})
    require_act_for(actor, user)
    return user


def _told(source: str, user: StoredUser | None) -> str:
    return f"{source}, user {user.name if user else 'none'}"


def _require_own_records(tx: Transaction, source: str) -> None:
    if source == USER_SOURCE:
        raise Invalid({"source": "User's records are the users themselves"})
    if not tx.sources.exists(source):
        raise NotFound(f"Authorization Source {source} not found")


def _get_record(tx: Transaction, source: str, name: str) -> SourceRecord:
    record = tx.sources.find_record(source, name)
    if record is None:
        raise NotFound(f"{source} {name} not found")
    return record
