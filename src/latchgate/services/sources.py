"""Authorization sources: document types whose records own keys, and those records."""

from dataclasses import dataclass

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.sources import SourceRecord, parse_record_name, parse_source_name
from latchgate.core.users import GUEST
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, require_system_manager
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.users import get_user

__all__ = ["SourceService", "add_record", "add_source"]


@dataclass(frozen=True, slots=True)
class SourceService:
    """Every change of sources and their records. Only System Managers and the command line may."""

    store: Store
    clock: Clock

    def create(self, actor: Actor, name: str) -> str:
        """Define a source; tells its name. Raises Conflict, Invalid, NotPermitted."""
        require_system_manager(actor)
        with self.store.write() as tx:
            return add_source(tx, self.clock, actor, name)

    def list_sources(self) -> list[tuple[str, int]]:
        """List the sources by name, each with the number of its records."""
        with self.store.read() as tx:
            return tx.sources.list_all()

    def create_record(
        self, actor: Actor, source: str, name: str, user: str | None, *, enabled: bool = True
    ) -> SourceRecord:
        """Make a record that keys can be generated for. Without a user its keys are refused.

        Raises Conflict, Invalid, NotFound (source, user), NotPermitted.
        """
        require_system_manager(actor)
        with self.store.write() as tx:
            return add_record(tx, self.clock, actor, SourceRecord(0, source, name, user, enabled))

    def list_records(self, source: str) -> list[SourceRecord]:
        """List the records of a source by name. Raises NotFound, Invalid for User."""
        with self.store.read() as tx:
            _require_own_records(tx, source)
            return tx.sources.list_records(source)

    def enable_record(self, actor: Actor, source: str, name: str, *, enabled: bool) -> SourceRecord:
        """Let a record's keys work, or refuse them from the next request on. Raises NotFound, NotPermitted."""
        require_system_manager(actor)
        with self.store.write() as tx:
            _require_own_records(tx, source)
            record = _get_record(tx, source, name)
            if record.enabled != enabled:
                tx.sources.enable_record(record.id, enabled=enabled)
                operation = "source_record.enabled" if enabled else "source_record.disabled"
                note(tx, self.clock, actor, operation, name, detail=source)
            return _get_record(tx, source, name)


def add_source(tx: Transaction, clock: Clock, actor: Actor, name: str) -> str:
    """Store a source in a caller's transaction; tells its name. Raises Conflict, Invalid."""
    parsed = parse_source_name(name)
    if parsed is None:
        raise Invalid({"source": f"'{name[:60]}' is not a name such as API Device: letters, digits, single spaces"})
    for existing, _ in tx.sources.list_all():
        if existing.lower() == parsed.lower():
            # "api device" beside "API Device": whoever reads a header or the log would take one for the other.
            raise Conflict(f"Authorization Source {existing} exists already")
    tx.sources.add(parsed, clock.now_us())
    note(tx, clock, actor, "source.created", parsed)
    return parsed


def add_record(tx: Transaction, clock: Clock, actor: Actor, wanted: SourceRecord) -> SourceRecord:
    """Store a record in a caller's transaction; its id is ignored. Raises Conflict, Invalid, NotFound."""
    _require_own_records(tx, wanted.source)
    name = parse_record_name(wanted.name)
    if name is None:
        raise Invalid({"name": "must be 1 to 140 printable characters"})
    user = get_user(tx, wanted.user) if wanted.user else None
    if user and user.name == GUEST:
        raise Invalid({"user": "Guest is who carries no credential; no record runs as it"})
    tx.sources.add_record(wanted.source, name, user.id if user else None, enabled=wanted.enabled)
    told = f"{wanted.source}, user {user.name if user else 'none'}"
    note(tx, clock, actor, "source_record.created", name, detail=told)
    return _get_record(tx, wanted.source, name)


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
