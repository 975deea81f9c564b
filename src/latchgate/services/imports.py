"""Take users, keys, clients, tokens and sources over from another server: all of a document, or nothing of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from argon2 import Parameters
from pydantic import SecretStr

from latchgate.core.api_keys import secret_matches
from latchgate.core.credentials import USER_SOURCE
from latchgate.core.passwords import SALT_BYTES, hash_password, password_problem
from latchgate.core.sources import SourceRecord
from latchgate.core.system_settings import KeyPolicy, Lifetimes
from latchgate.core.tokens import Peppers, Secret
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER, parse_user_name
from latchgate.errors import Invalid
from latchgate.services.access_tokens import AccessTokenService
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, require_system_manager, require_within, write_as
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.clients import ClientService
from latchgate.services.import_clients import ClientImport
from latchgate.services.import_documents import (
    NEVER,
    ImportDocument,
    ImportedRecord,
    ImportedSource,
    ImportedUser,
    parse_document,
)
from latchgate.services.import_reports import ImportReport, naming
from latchgate.services.key_orders import import_pair
from latchgate.services.port_values import UserChanges
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.roles import add_role
from latchgate.services.sources import add_record, add_source
from latchgate.services.users import AUTOMATIC_ROLES, UserOrder, add_user

__all__ = ["ImportService"]

_LEFT_WHOLE = {
    "todos": "Latchgate has no such document type",
    "oauth_settings_note": "Latchgate has settings of its own",
    "system_settings": "Latchgate has settings of its own",
}


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A password of the document, hashed."""

    text: str = field(repr=False)
    weak: bool


@dataclass(frozen=True, slots=True)
class ImportService:
    """Reads documents. Only System Managers and the command line may."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    profile: Parameters = field(repr=False)
    access_tokens: AccessTokenService
    clients: ClientService
    lifetimes: Callable[[Transaction], Lifetimes]
    """A refresh token that is taken over lives as long as one of our own."""
    key_policy: Callable[[Transaction], KeyPolicy]
    """A key that is taken over lives no longer than one of our own."""

    def import_document(self, actor: Actor, text: bytes, on_progress: Callable[[int, int], None]) -> ImportReport:
        """Take a document over, in one transaction. What exists already stays as it is.

        Args:
            actor: Who asks.
            text: The document, JSON in UTF-8.
            on_progress: Told how many passwords are hashed and how many there are: what takes the time.

        Raises:
            Invalid: Something in it cannot be taken; names each entry and field. Nothing was written.
            NotPermitted: The actor is no System Manager, or uses a credential that is limited.
        """
        require_system_manager(actor)
        require_within(actor, UNLIMITED)
        document = parse_document(text)
        hashes = self._hash_passwords(document, on_progress)
        with write_as(self.store, actor) as tx:
            work = _Import(self, tx, actor, hashes)
            return work.run(document)

    def _hash_passwords(self, document: ImportDocument, on_progress: Callable[[int, int], None]) -> dict[str, _Hashed]:
        # Before the transaction: nobody else could write while it lasts.
        with self.store.read() as tx:
            known = {user.name: user for user in tx.users.list_all()}
        wanted = {}
        for user in document.users:
            name = parse_user_name(user.name) or ""
            password = document.passwords.get(user.name, document.passwords.get("*"))
            stands = name in known and (name != ADMINISTRATOR or known[name].password_hash is not None)
            if password and password.get_secret_value() and not stands:
                wanted[name] = Secret(password.get_secret_value())
        hashes: dict[str, _Hashed] = {}
        on_progress(0, len(wanted))
        for name, secret in wanted.items():
            text = hash_password(secret, self.entropy.random_bytes(SALT_BYTES), self.profile)
            hashes[name] = _Hashed(text, weak=password_problem(secret, name) is not None)
            on_progress(len(hashes), len(wanted))
        return hashes


@dataclass(frozen=True, slots=True)
class _Import:
    """One import, in its transaction."""

    service: ImportService
    tx: Transaction
    actor: Actor
    hashes: dict[str, _Hashed] = field(repr=False)
    report: ImportReport = field(default_factory=ImportReport)
    created: set[str] = field(default_factory=set)
    """Users that this import makes."""

    def run(self, document: ImportDocument) -> ImportReport:
        for index, user in enumerate(document.users):
            with naming(f"users[{index}]"):
                self._take_user(f"users[{index}]", user)
        for index, source in enumerate(document.alternate_sources):
            self._take_source(f"alternate_sources[{index}]", source)
        service = self.service
        oauth = ClientImport(
            self.tx,
            self.actor,
            self.report,
            service.clients,
            service.access_tokens,
            service.lifetimes(self.tx).refresh_token_seconds,
        )
        for user_name in oauth.take(document):
            self._count_credential(user_name)
        for name, reason in _LEFT_WHOLE.items():
            if getattr(document, name) is not None:
                self.report.leave(name, reason)
        return self.report

    def _take_user(self, place: str, entry: ImportedUser) -> None:
        name = parse_user_name(entry.name)
        if name is None:
            raise Invalid({"name": f"'{entry.name[:60]}' is not an e-mail address"})
        if self.tx.users.find(name) is not None:
            self.report.existed["users"] += 1
            if name in self.hashes:
                self._give_password(name)
        else:
            self._add_user(place, entry, name)
            self.created.add(name)
        if self._take_key(place, Owner(USER_SOURCE, name), entry.api_key, entry.api_secret):
            self._count_credential(name)

    def _count_credential(self, user: str | None) -> None:
        name = parse_user_name(user or "")
        if name and name not in self.created and name not in self.report.new_keys:
            self.report.new_keys.append(name)

    def _add_user(self, place: str, entry: ImportedUser, name: str) -> None:
        roles = frozenset(role.strip() for role in entry.roles)
        for role in sorted(roles & AUTOMATIC_ROLES):
            self.report.leave(f"{place}.roles", f"{role} comes with the user's type")
        for role in sorted(roles - AUTOMATIC_ROLES):
            if not self.tx.roles.exists(role):
                add_role(self.tx, self.service.clock, self.actor, role)
                self.report.taken["roles"] += 1
        order = UserOrder(
            name=name,
            first_name=entry.first_name,
            last_name=entry.last_name,
            user_type=entry.user_type,
            enabled=entry.enabled,
            roles=roles - AUTOMATIC_ROLES,
            restrict_ip=entry.restrict_ip,
            login_after=NEVER if entry.login_hours_closed else entry.login_after,
            login_before=0 if entry.login_hours_closed else entry.login_before,
        )
        hashed = self.hashes.get(name)
        add_user(self.tx, self.service.clock, self.actor, order, hashed.text if hashed else None)
        self.report.taken["users"] += 1
        if SYSTEM_MANAGER in roles:
            self.report.new_managers.append(name)
        if hashed:
            self._count_password(name, hashed)

    def _give_password(self, name: str) -> None:
        # Administrator's first; what somebody chose here is never replaced by a file.
        user = self.tx.users.find(name)
        if user is not None and user.password_hash is None:
            hashed = self.hashes[name]
            changes = UserChanges(password_hash=hashed.text, modified_by=self.actor.user)
            self.tx.users.change(user.id, changes, self.service.clock.now_us())
            note(self.tx, self.service.clock, self.actor, "user.password_set", name, detail="by import")
            self._count_password(name, hashed)

    def _count_password(self, name: str, hashed: _Hashed) -> None:
        self.report.taken["passwords"] += 1
        if hashed.weak:
            self.report.weak_passwords.append(name)

    def _take_key(self, place: str, owner: Owner, key_id: str | None, hidden: SecretStr | None) -> bool:
        """Take a key unless it must be left; tell whether it is new here."""
        secret = hidden.get_secret_value() if hidden else ""
        if not key_id or not secret:
            if key_id or secret:
                self.report.leave(f"{place}.api_key", "a key works with its secret only, and one of the two is missing")
            return False
        found = self.tx.api_keys.find(owner.source, key_id)
        if found is not None:
            same = secret_matches(self.service.peppers, found, Secret(secret), self.service.clock.now())
            if same and found.owner.record == owner.record:
                self.report.existed["api_keys"] += 1
            else:
                self.report.leave(f"{place}.api_key", "there is a key of that name with another secret or owner")
        elif ":" in secret or ":" in key_id:
            self.report.leave(f"{place}.api_secret", "it holds a colon, so that no header can present it")
        else:
            # Keys of Frappe have no end: they get the latest that there is.
            end = self.service.key_policy(self.tx).latest_end(self.service.clock.now())
            order = KeyOrder("Imported", replace(UNLIMITED, expires_at=end))
            if end is not None:
                self.report.leave(f"{place}.api_key", f"it ends on {_day(end)}: the settings let no key live longer")
            pair = PairText(key_id, Secret(secret))
            import_pair(self.tx, self.service.clock, self.service.peppers, self.actor, (owner, pair, order))
            self.report.taken["api_keys"] += 1
            return True
        return False

    def _take_source(self, place: str, entry: ImportedSource) -> None:
        with naming(place, name="doctype"):
            if self.tx.sources.exists(entry.doctype):
                self.report.existed["sources"] += 1
            else:
                add_source(self.tx, self.service.clock, self.actor, entry.doctype)
                self.report.taken["sources"] += 1
        for index, row in enumerate(entry.rows):
            with naming(f"{place}.rows[{index}]"):
                self._take_record(f"{place}.rows[{index}]", entry.doctype, row)

    def _take_record(self, place: str, source: str, row: ImportedRecord) -> None:
        if self.tx.sources.find_record(source, row.name) is not None:
            self.report.existed["records"] += 1
        else:
            wanted = SourceRecord(0, source, row.name, row.user, row.enabled)
            add_record(self.tx, self.service.clock, self.actor, wanted)
            self.report.taken["records"] += 1
        if self._take_key(place, Owner(source, row.name), row.api_key, row.api_secret):
            self._count_credential(row.user)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
