"""All services over a real SQLite database, with a clock that tests move, steady randomness and a log in memory."""

import base64
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path
from threading import Semaphore
from typing import Any

from argon2.profiles import CHEAPEST
from sqlalchemy import event, text

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import USER_SOURCE, Presented, Scheme
from latchgate.core.log_entries import ActivityEntry, LogEntry
from latchgate.core.passwords import SALT_BYTES, hash_password
from latchgate.core.policy import SIGNED_IN, Requirement
from latchgate.core.principals import Principal
from latchgate.core.questions import Asked
from latchgate.core.sessions import SessionLifetime
from latchgate.core.tokens import Peppers, Secret, derive_pepper
from latchgate.core.users import StoredUser
from latchgate.services.access_rules import AccessRuleService
from latchgate.services.access_tokens import AccessTokenService, TokenOrder
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.admissions import Admission
from latchgate.services.api_keys import ApiKeyService, IssuedKey, KeyOrder, Owner
from latchgate.services.authentication import Authenticator, Rules
from latchgate.services.clients import ClientService
from latchgate.services.consents import ConsentService
from latchgate.services.documents import DocumentService
from latchgate.services.enrolments import Enrolments
from latchgate.services.gate import Gate
from latchgate.services.passwords import PasswordService
from latchgate.services.permissions import PermissionService
from latchgate.services.port_values import UserChanges
from latchgate.services.request_ids import RequestIds
from latchgate.services.roles import RoleService
from latchgate.services.rule_books import StoredRules
from latchgate.services.second_factors import SecondFactorService
from latchgate.services.sessions import SessionService
from latchgate.services.sign_in import CodeAsked, SignedIn, SignIn, SignInAttempt
from latchgate.services.sign_in_steps import SignInStepService
from latchgate.services.sources import SourceService
from latchgate.services.standing_settings import StandingSettings
from latchgate.services.system_settings import SystemSettingsService
from latchgate.services.throttles import ThrottleRules, Throttles
from latchgate.services.users import UserOrder, UserService
from latchgate.storage.database import Database, open_database
from latchgate.storage.revisions import upgrade
from latchgate.storage.store import SqlStore
from support.databases import forget_generation
from support.memory_log import MemoryLog

__all__ = [
    "ADDRESS",
    "EVERYTHING",
    "ISSUER",
    "LIFETIME",
    "NOTHING_PRESENTED",
    "NOW",
    "OLD_PEPPERS",
    "OTHER_PEPPERS",
    "PASSWORD",
    "PEPPERS",
    "PROFILE",
    "THROTTLES",
    "TOKEN_TEXT",
    "USER",
    "CountingEntropy",
    "FakeClock",
    "House",
    "build_house",
    "make_blank_database",
    "open_houses",
    "present_pair",
    "present_session",
    "present_token",
]

NOW = 1_800_000_000
"""2027-01-15, 08:00:00 UTC, a Friday."""
ISSUER = "https://auth.example.com"
ADDRESS = "192.0.2.1"
USER = "api@example.com"
PASSWORD = Secret("correct horse battery")
TOKEN_TEXT = "access-token-made-elsewhere"
EVERYTHING = Limits(frozenset({"all"}))
LIFETIME = SessionLifetime(idle_seconds=6 * 3600, absolute_seconds=3 * 86400)
THROTTLES = ThrottleRules(
    sign_ins_per_user=5, sign_ins_per_address=50, sign_in_window_seconds=600, credentials_per_minute=300
)

_FIRST, _SECOND = derive_pepper(1, bytes(32)), derive_pepper(2, bytes(range(32)))
OLD_PEPPERS = Peppers([_FIRST])
"""The key file before its rotation: what was hashed then, PEPPERS recognise too."""
PEPPERS = Peppers([_FIRST, _SECOND])
OTHER_PEPPERS = Peppers([derive_pepper(1, b"\x01" * 32), derive_pepper(2, b"\x02" * 32)])
"""Another installation's key file, with the same numbers."""

NOTHING_PRESENTED = Presented("GET", "/api/method/frappe.auth.get_logged_user", ADDRESS, user_agent="test")

PROFILE = replace(CHEAPEST, salt_len=SALT_BYTES)
_DECOY_HASH = hash_password(Secret("nobody's"), bytes(SALT_BYTES), PROFILE)


class FakeClock:
    """Fulfils the port Clock; moves only when a test moves it, but for the microsecond that tells two calls apart."""

    def __init__(self, seconds: int = NOW) -> None:
        self.seconds = seconds
        self._last_us = 0

    def now(self) -> int:
        return self.seconds

    def now_us(self) -> int:
        self._last_us = max(self._last_us + 1, self.seconds * 1_000_000)
        return self._last_us

    def advance(self, seconds: int) -> None:
        self.seconds += seconds


class CountingEntropy:
    """Fulfils the port Entropy with bytes that no call gives twice, the same in each run.

    `interrupt` runs once, before the next bytes are given: what another process does meanwhile.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.interrupt: Callable[[], object] | None = None

    def random_bytes(self, count: int) -> bytes:
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            interrupt()
        self.calls += 1
        return hashlib.shake_256(self.calls.to_bytes(8, "big")).digest(count)


@dataclass(frozen=True)
class House:
    """Every service, what they stand on, and the few steps that most tests begin with."""

    database: Database
    store: SqlStore
    clock: FakeClock
    entropy: CountingEntropy
    log: MemoryLog
    peppers: Peppers = field(repr=False)
    throttles: Throttles
    users: UserService
    roles: RoleService
    permissions: PermissionService
    sources: SourceService
    keys: ApiKeyService
    system_settings: SystemSettingsService
    documents: DocumentService
    access_rules: AccessRuleService
    tokens: AccessTokenService
    sign_in: SignIn
    sessions: SessionService
    passwords: PasswordService
    enrolments: Enrolments
    second_factors: SecondFactorService
    sign_in_steps: SignInStepService
    gate: Gate

    def add_user(self, wanted: str | UserOrder = USER) -> StoredUser:
        """Make a user as ordered; if only named, one that can sign in with PASSWORD."""
        order = UserOrder(wanted, password=PASSWORD) if isinstance(wanted, str) else wanted
        return self.users.create(COMMAND_LINE, order)

    def change_user(self, user: StoredUser, changes: UserChanges) -> None:
        """Change fields that no service changes yet."""
        with self.store.write() as tx:
            tx.users.change(user.id, changes, self.clock.now_us())

    def add_key(self, record: str = USER, limits: Limits = EVERYTHING, *, source: str = USER_SOURCE) -> IssuedKey:
        """Generate a key for a user or a source's record."""
        return self.keys.generate(COMMAND_LINE, Owner(source, record), KeyOrder(limits=limits))

    def add_token(self, user: str = USER, text: str = TOKEN_TEXT, limits: Limits = EVERYTHING) -> str:
        """Import an access token that lives for an hour unless the limits say else; tells its public id."""
        expires_at = limits.expires_at or self.clock.now() + 3600
        order = TokenOrder(Secret(text), user, "client", limits.scopes, expires_at)
        return self.tokens.import_token(COMMAND_LINE, order).public_id

    def open_session(self, user: str = USER, password: Secret = PASSWORD, address: str = ADDRESS) -> SignedIn:
        """Sign a user in. Raises as `SignIn.sign_in`."""
        opened = self.sign_in.sign_in(SignInAttempt(user, password, address, "browser"))
        assert isinstance(opened, SignedIn)
        return opened

    def ask_code(self, user: str = USER, password: Secret = PASSWORD, address: str = ADDRESS) -> CodeAsked:
        """Begin a sign-in that the password alone does not end."""
        asked = self.sign_in.sign_in(SignInAttempt(user, password, address, "browser"))
        assert isinstance(asked, CodeAsked)
        return asked

    def carry(self, scheme: Scheme, user: str = USER) -> Presented:
        """Give a user a new credential of a scheme; tell what a request that carries it presents."""
        match scheme:
            case Scheme.TOKEN | Scheme.BASIC:
                issued = self.add_key(user)
                return present_pair(issued.key.key_id, issued.secret.text, scheme)
            case Scheme.BEARER:
                text_ = f"{TOKEN_TEXT}-{self.entropy.calls}"
                self.add_token(user, text_)
                return present_token(text_)
            case Scheme.SESSION:
                return present_session(self.open_session(user).sid.text)
            case Scheme.CLIENT:
                raise AssertionError("a client acts for no user")

    def admit(self, presented: Presented, requirement: Requirement = SIGNED_IN) -> Admission:
        """Ask the gate."""
        return self.gate.admit(presented, requirement)

    def logged(self, presented: Presented, requirement: Requirement = SIGNED_IN, *, status: int = 200) -> LogEntry:
        """Let a request pass the gate both ways; give its row."""
        self.gate.record(self.admit(presented, requirement), status, 0.25)
        return self.log.entries[-1]

    def key_ids(self, actor: Actor = COMMAND_LINE, **filters: str) -> list[str]:
        """List the keys that an actor sees, oldest first; a filter is a value, or whether the field is set."""
        wanted = [[name, "is" if value in {"set", "not set"} else "=", value] for name, value in filters.items()]
        asked = Asked(filters=wanted, order_by="creation asc", limit=0)
        return [name for (name,) in self.documents.list_rows(actor, "API Key", asked).rows]

    def principal(self, presented: Presented) -> Principal:
        """Give the principal of a request that must be let in."""
        principal = self.admit(presented).principal
        assert principal is not None
        return principal

    def actor(self, user: str = USER, limits: Limits = EVERYTHING, address: str = ADDRESS) -> Actor:
        """Give the actor of a request by a new key with these limits."""
        issued = self.add_key(user, limits)
        presented = replace(present_pair(issued.key.key_id, issued.secret.text), peer_address=address)
        admission = self.admit(presented)
        assert admission.principal is not None
        return Actor.of(admission.principal, address, admission.judge_again)

    def activity(self) -> list[ActivityEntry]:
        """List the activity log, oldest first."""
        with self.store.read() as tx:
            return tx.activity.list_latest(10_000)[::-1]

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run SQL behind the services' back, as whoever holds the database file can."""
        with self.database.writing.begin() as connection:
            result = connection.execute(text(statement), dict(parameters or {}))
            return [tuple(row) for row in result] if result.returns_rows else []

    def with_peppers(self, peppers: Peppers) -> "House":
        """Open the same database with another key file."""
        return build_house(self.database, peppers, self.clock, self.entropy)


def present_pair(key_id: str, secret: str, scheme: Scheme = Scheme.TOKEN, source: str | None = None) -> Presented:
    """Tell what a request with a key and secret presents."""
    pair = f"{key_id}:{secret}".encode()
    value = b"Basic " + base64.b64encode(pair) if scheme is Scheme.BASIC else b"token " + pair
    return replace(NOTHING_PRESENTED, authorization=(value,), source=() if source is None else (source.encode(),))


def present_token(token: str) -> Presented:
    """Tell what a request with an access token presents."""
    return replace(NOTHING_PRESENTED, authorization=(b"Bearer " + token.encode(),))


def present_session(sid: str) -> Presented:
    """Tell what a request with a session's cookie presents."""
    return replace(NOTHING_PRESENTED, session_cookie=sid)


def make_blank_database(path: Path) -> None:
    """Make a database of this release's revision."""
    with _open(path) as database:
        upgrade(database)
    forget_generation(path)


@contextmanager
def open_houses(blank: Path, path: Path) -> Iterator[Callable[[], House]]:
    """Give what builds all services over a copy of a blank database, anew at each call.

    The copies lie in one file, one after the other: an open database has its statements compiled already.
    """
    with _open(path) as database:

        def build() -> House:
            with closing(sqlite3.connect(blank)) as source, closing(database.writing.raw_connection()) as target:
                assert isinstance(target.driver_connection, sqlite3.Connection)
                source.backup(target.driver_connection)
            return build_house(database, PEPPERS, FakeClock(), CountingEntropy())

        yield build


def build_house(database: Database, peppers: Peppers, clock: FakeClock, entropy: CountingEntropy) -> House:
    """Join the services over a database, as a start of the server does."""
    store, log, throttles = SqlStore(database), MemoryLog(), Throttles(clock, THROTTLES)
    standing = StandingSettings.undecided()
    rules = Rules(UTC, lambda _tx: LIFETIME, ISSUER, frozenset({ISSUER}))
    sign_in = SignIn(store, peppers, clock, entropy, throttles, rules, PROFILE, _DECOY_HASH)
    authenticator = Authenticator(store, peppers, clock, rules, sign_in.touch_session)
    users, roles = UserService(store, clock, entropy, PROFILE, Semaphore(2), Semaphore(2)), RoleService(store, clock)
    permissions, sources = PermissionService(store, clock), SourceService(store, clock)
    keys = ApiKeyService(store, peppers, clock, entropy, log, standing)
    system_settings = SystemSettingsService(store, clock, standing)
    enrolments = Enrolments(peppers, clock, entropy, ISSUER)
    return House(
        database=database,
        store=store,
        clock=clock,
        entropy=entropy,
        log=log,
        peppers=peppers,
        throttles=throttles,
        users=users,
        roles=roles,
        permissions=permissions,
        sources=sources,
        keys=keys,
        system_settings=system_settings,
        documents=DocumentService(
            store,
            log,
            clock,
            users,
            roles,
            permissions,
            sources,
            keys,
            system_settings,
            clients=ClientService(store, peppers, clock, entropy, ISSUER, throttles),
            consents=ConsentService(store, clock),
            access_tokens=AccessTokenService(store, peppers, clock, entropy),
            access_rules=AccessRuleService(store, clock),
        ),
        access_rules=AccessRuleService(store, clock),
        tokens=AccessTokenService(store, peppers, clock, entropy),
        sign_in=sign_in,
        sessions=SessionService(store, clock, rules),
        passwords=PasswordService(store, peppers, clock, entropy, users, sign_in),
        enrolments=enrolments,
        second_factors=SecondFactorService(sign_in, enrolments),
        sign_in_steps=SignInStepService(sign_in, enrolments),
        gate=Gate(authenticator, throttles, log, clock, RequestIds(entropy), peppers, rule_book=StoredRules(store)),
    )


@contextmanager
def _open(path: Path) -> Iterator[Database]:
    # Without sync: what tests write need not survive the machine.
    database = open_database(f"sqlite:///{path}", create=True)

    @event.listens_for(database.writing, "connect")
    def _hurry(connection: sqlite3.Connection, _entry: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    try:
        yield database
    finally:
        database.close()
