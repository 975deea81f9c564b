"""The only wiring: opens what the settings name and joins store, log and services."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Semaphore

from argon2 import Parameters
from limits.storage import Storage

from latchgate.core.passwords import PROFILES, SALT_BYTES
from latchgate.core.tokens import Peppers, Secret
from latchgate.core.users import ADMINISTRATOR
from latchgate.errors import Invalid, NotFound, SettingsError
from latchgate.oauth.metadata import ServerAddresses
from latchgate.opening import find_database, open_accounts, prepare_home
from latchgate.request_log.database import connect
from latchgate.request_log.log_entries import open_request_log
from latchgate.request_log.refusal_quota import RefusalRules
from latchgate.request_log.request_log import HostRequestLog
from latchgate.request_log.revisions import upgrade as upgrade_request_log
from latchgate.request_log.segment_keeper import SyncPolicy
from latchgate.request_log.segment_writer import LogRules, SegmentLog
from latchgate.services.access_rules import AccessRuleService
from latchgate.services.access_tokens import AccessTokenService
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.authentication import Authenticator, Rules
from latchgate.services.authorizations import AuthorizationService
from latchgate.services.cached_authentication import CachedAuthenticator
from latchgate.services.clients import ClientService
from latchgate.services.clock import SystemClock, boottime
from latchgate.services.connected_apps import ConnectedAppService
from latchgate.services.consents import ConsentService
from latchgate.services.devices import DeviceService
from latchgate.services.documents import DocumentService
from latchgate.services.enrolments import Enrolments
from latchgate.services.entropy import SystemEntropy
from latchgate.services.gate import Gate
from latchgate.services.imports import ImportService
from latchgate.services.log_outs import LogOutService
from latchgate.services.log_upkeep import LogUpkeep
from latchgate.services.measures import Measures, RequestMeasures
from latchgate.services.passwords import PasswordService
from latchgate.services.permissions import PermissionService
from latchgate.services.request_counts import RequestCountService
from latchgate.services.request_ids import RequestIds
from latchgate.services.request_lines import write_request_line
from latchgate.services.roles import RoleService
from latchgate.services.rule_books import CachedRules, StoredRules
from latchgate.services.rule_loading import load_rules
from latchgate.services.second_factors import SecondFactorService
from latchgate.services.sessions import SessionService
from latchgate.services.sign_in import SignIn
from latchgate.services.sign_in_steps import SignInStepService
from latchgate.services.signing_keys import SigningKeyService
from latchgate.services.sources import SourceService
from latchgate.services.standing_settings import StandingSettings
from latchgate.services.system_settings import SystemSettingsService
from latchgate.services.throttles import ThrottleRules, Throttles
from latchgate.services.tokens import TokenService
from latchgate.services.undos import UndoService
from latchgate.services.users import UserService
from latchgate.services.verified_cache import VerifiedCache
from latchgate.services.watchers import Watcher
from latchgate.settings import Settings, find_origins
from latchgate.storage.changes import open_feed
from latchgate.storage.data_folder import DataFolder, give_to_owner
from latchgate.storage.database import Database, open_database
from latchgate.storage.joined_counters import JoinedCounters, JoinedMemory
from latchgate.storage.key_file import load_key_file
from latchgate.storage.revisions import current_revision, head_revision, upgrade
from latchgate.storage.shared_counters import SharedCounters
from latchgate.storage.shared_slots import GUESTS, SharedSlots, Slot, make_shared_slots
from latchgate.storage.store import SqlStore

__all__ = [
    "Inherited",
    "Latchgate",
    "open_latchgate",
    "open_segments",
    "open_upkeep",
    "prepare_home",
    "share_memory",
    "upgrade_latchgate",
]

_PATIENCE_SECONDS = 5.0
_SQLITE = "sqlite:"
_WAITING = 8
_SALT_BYTES = 32
# The event loop waits with it: who holds the log's file for longer makes requests fail, not the server stand still.
_LOG_WAIT_SECONDS = 0.5
_WATCH_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a worker has from its master, all else being opened anew after the fork."""

    slot: Slot
    """Where it counts, so that all workers count together."""
    clock: SystemClock
    """Begun before the fork: a worker that starts after the wall clock was set back must not live in another time."""


@dataclass(frozen=True, slots=True)
class Latchgate:
    """An open instance: every service, ready to use from any thread, but not across a fork."""

    settings: Settings
    clock: SystemClock
    store: SqlStore
    request_log: HostRequestLog
    peppers: Peppers = field(repr=False)
    rules: Rules
    users: UserService
    roles: RoleService
    permissions: PermissionService
    sources: SourceService
    api_keys: ApiKeyService
    system_settings: SystemSettingsService
    documents: DocumentService
    access_tokens: AccessTokenService
    sign_in: SignIn
    sessions: SessionService
    clients: ClientService
    consents: ConsentService
    connected_apps: ConnectedAppService
    authorizations: AuthorizationService
    tokens: TokenService
    devices: DeviceService
    log_outs: LogOutService
    signing_keys: SigningKeyService
    passwords: PasswordService
    imports: ImportService
    gate: Gate
    cache: VerifiedCache | None
    """The verdicts that the gate remembers; None where every credential is looked up."""
    gate_may_wait: bool
    """Whether the gate's look-ups cross a network."""
    measures: Measures
    """What this process counts, and whom it reads the counts of: all workers', or its own where it is alone."""
    opened: ExitStack = field(repr=False)

    @property
    def access_rules(self) -> AccessRuleService:
        """Who reaches protected applications."""
        return self.documents.access_rules

    @property
    def request_counts(self) -> RequestCountService:
        """How many requests there were, for whoever may read their rows."""
        return RequestCountService(self.store, self.request_log)

    def reset_url(self, link: Secret) -> str:
        """Write a one-time link for a new password as the address that opens it."""
        return f"{self.settings.public_url}/reset-password/{link.text}"

    @property
    def second_factors(self) -> SecondFactorService:
        """Second factors of people who are signed in."""
        return SecondFactorService(self.sign_in, self._enrolments)

    @property
    def sign_in_steps(self) -> SignInStepService:
        """Sign-ins between password and session."""
        return SignInStepService(self.sign_in, self._enrolments)

    @property
    def undos(self) -> UndoService:
        """Changes that whoever made them can still undo."""
        return UndoService(self.store, self.clock, self.sign_in.entropy, self.documents, self.permissions)

    @property
    def _enrolments(self) -> Enrolments:
        return Enrolments(self.peppers, self.clock, self.sign_in.entropy, self.settings.public_url)

    def setup_url(self, link: Secret) -> str:
        """Write a one-time set-up link as the address that opens it."""
        return f"{self.settings.public_url}/setup/{link.text}"

    def load_access_rules(self) -> None:
        """Let the rules of the operator's file count, if there is one; where they do already nothing is written.

        Raises:
            SettingsError: It cannot be read, or holds what is no rule; then the rules stay as they were.
        """
        path = self.settings.access_rules
        if path is None:
            return
        try:
            if load_rules(self.access_rules, COMMAND_LINE, path, dry_run=True):
                load_rules(self.access_rules, COMMAND_LINE, path)
        except (Invalid, NotFound) as error:
            raise SettingsError(f"LATCHGATE_ACCESS_RULES: {error.public}") from None

    def close(self) -> None:
        """Close every connection and let the data folder go; a second call does nothing."""
        self.opened.close()


def share_memory(settings: Settings, slots: int) -> SharedSlots:
    """Make the memory in which so many processes count together, before they are forked. Raises StorageError."""
    return make_shared_slots(
        settings.home / "run", slots=slots + GUESTS, salt=SystemEntropy().random_bytes(_SALT_BYTES)
    )


def open_latchgate(
    settings: Settings,
    *,
    create: bool = True,
    cached: bool = False,
    inherited: Inherited | None = None,
    segments: SegmentLog | None = None,
) -> Latchgate:
    """Open the instance that the settings name.

    On an empty data folder this makes one, database and key file. While Administrator has no password
    and the settings name one, it is set.

    Args:
        settings: Where everything is.
        create: Whether to make an instance where there is none.
        cached: Whether it serves many requests: then the gate remembers verdicts, and a thread keeps them true.
        inherited: What this process has from its master; without it, it has a clock of its own, and counts in the
            memory of the server that runs beside it if it serves itself, else alone.
        segments: Where rows are written, if that is to outlast this opening; it is not closed with the rest.

    Raises:
        SettingsError: The folder, the key file or the database's revision keeps it from opening; says the next step.
        StorageError: The database cannot be reached.
    """
    stack = ExitStack()
    try:
        database, peppers = open_accounts(settings, stack, create=create)
        measures = inherited.slot.measures() if inherited else Measures.alone()
        request_log = _open_log(settings, measures, segments or open_segments(settings, measures))
        stack.callback(request_log.reader.close if segments else request_log.close)
        opened = database, request_log, peppers, measures
        latchgate = _wire(settings, opened, inherited, stack, cached=cached)
        _set_first_password(latchgate)
        give_to_owner(settings.home)
    except BaseException:
        stack.close()
        raise
    return latchgate


def open_segments(settings: Settings, measures: Measures) -> SegmentLog:
    """Give this process what it writes rows into; nothing is made before the first."""
    rules = LogRules(
        SyncPolicy(settings.log_sync),
        settings.log_backlog_bytes,
        RefusalRules(settings.log_refusals_per_address, settings.log_refusals),
    )
    return SegmentLog(settings.log_folder, rules, SystemClock(), SystemEntropy(), measures)


@contextmanager
def open_upkeep(settings: Settings) -> Iterator[LogUpkeep]:
    """Give the process that moves rows what it has to know of the accounts' database, and to clean there."""
    database = open_database(settings.database_url.get_secret_value())
    with closing(database):
        yield LogUpkeep(SqlStore(database), _standing(settings))


def upgrade_latchgate(settings: Settings) -> tuple[str | None, str]:
    """Bring database and request log to this release's revision, making the instance where there is none.

    Returns:
        The database's revision before (None if there was none) and after.

    Raises:
        SettingsError, StorageError: As `open_latchgate`.
    """
    prepare_home(settings)
    before = None
    with ExitStack() as stack:
        stack.callback(DataFolder(settings.home).close)
        database = find_database(settings, stack)
        if database is not None:
            load_key_file(settings.key_file)
            before = current_revision(database)
            upgrade(database)
            log_database = connect(settings.log_database_url.get_secret_value(), _PATIENCE_SECONDS)
            stack.callback(log_database.close)
            upgrade_request_log(log_database)
    open_latchgate(settings).close()
    return before, head_revision()


def _set_first_password(latchgate: Latchgate) -> None:
    wanted = latchgate.settings.admin_password
    if wanted is None or latchgate.users.get(ADMINISTRATOR).password_hash is not None:
        return
    try:
        latchgate.users.set_password(COMMAND_LINE, ADMINISTRATOR, Secret(wanted.get_secret_value()))
    except Invalid as error:
        raise SettingsError(f"LATCHGATE_ADMIN_PASSWORD: {error.fields['password']}") from None


def _wire(
    settings: Settings,
    opened: tuple[Database, HostRequestLog, Peppers, Measures],
    inherited: Inherited | None,
    stack: ExitStack,
    *,
    cached: bool,
) -> Latchgate:
    database, request_log, peppers, measures = opened
    store, entropy, clock = SqlStore(database), SystemEntropy(), inherited.clock if inherited else SystemClock()
    profile, issuer = PROFILES[settings.password_profile], settings.public_url
    storage_of = _counters(settings, clock, inherited, stack, serves=cached)
    rules, throttles = _rules(settings), _throttles(settings, clock, storage_of, store)
    sign_in = SignIn(store, peppers, clock, entropy, throttles, rules, profile, _decoy_hash(profile, entropy))
    authenticator = Authenticator(store, peppers, clock, rules, _in_background(sign_in.touch_session, stack))
    cache = _open_cache(database, clock, settings.cache_bytes, measures, stack) if cached else None
    standing, access_tokens = _standing(settings), AccessTokenService(store, peppers, clock, entropy)
    users, roles = UserService(store, clock, entropy, profile, *_turns(settings)), RoleService(store, clock)
    permissions, sources = PermissionService(store, clock), SourceService(store, clock)
    api_keys = ApiKeyService(store, peppers, clock, entropy, request_log, standing)
    system_settings = SystemSettingsService(store, clock, standing, find_origins())
    signing_keys = SigningKeyService(store, peppers, clock, entropy, settings.signing_key_days * 86_400)
    lifetimes, policy, consents = standing.lifetimes, standing.key_policy, ConsentService(store, clock)
    clients = ClientService(store, peppers, clock, entropy, issuer, throttles)
    accounts = store, request_log, clock, users, roles, permissions, sources, api_keys, system_settings
    return Latchgate(
        settings=settings,
        clock=clock,
        store=store,
        request_log=request_log,
        peppers=peppers,
        rules=rules,
        users=users,
        roles=roles,
        permissions=permissions,
        sources=sources,
        api_keys=api_keys,
        system_settings=system_settings,
        documents=DocumentService(*accounts, clients, consents, access_tokens, _access_rules(settings, store, clock)),
        access_tokens=access_tokens,
        sign_in=sign_in,
        sessions=SessionService(store, clock, rules),
        clients=clients,
        consents=consents,
        connected_apps=ConnectedAppService(store, clock),
        authorizations=AuthorizationService(store, peppers, clock, entropy, issuer, lifetimes, signing_keys),
        tokens=TokenService(store, peppers, clock, entropy, issuer, lifetimes, signing_keys, authenticator),
        devices=DeviceService(store, peppers, clock, entropy, issuer, lifetimes, throttles),
        log_outs=LogOutService(store, entropy, issuer, signing_keys),
        signing_keys=signing_keys,
        passwords=PasswordService(store, peppers, clock, entropy, users, sign_in),
        imports=ImportService(store, peppers, clock, entropy, profile, access_tokens, clients, lifetimes, policy),
        gate=_gate(authenticator, throttles, request_log, cache, measures, settings),
        cache=cache,
        gate_may_wait=settings.database_path is None,
        measures=measures,
        opened=stack,
    )


def _access_rules(settings: Settings, store: SqlStore, clock: SystemClock) -> AccessRuleService:
    return AccessRuleService(store, clock, settings.access_rules)


def _turns(settings: Settings) -> tuple[Semaphore, Semaphore]:
    """Tell how many passwords may be hashed at once, and how many may wait for that besides."""
    at_once = settings.password_hashes_at_once
    return Semaphore(at_once), Semaphore(at_once + _WAITING)


def _gate(  # what the straight line is joined of
    authenticator: Authenticator,
    throttles: Throttles,
    request_log: HostRequestLog,
    cache: VerifiedCache | None,
    measures: Measures,
    settings: Settings,
) -> Gate:
    stored = StoredRules(authenticator.store)
    return Gate(
        authenticator,
        throttles,
        request_log,
        authenticator.clock,
        RequestIds(SystemEntropy()),
        authenticator.peppers,
        cached=CachedAuthenticator(authenticator, cache) if cache else None,
        measures=RequestMeasures(measures),
        rule_book=CachedRules(stored, cache) if cache else stored,
        tell=write_request_line if settings.request_lines else None,
    )


def _open_cache(
    database: Database, clock: SystemClock, bytes_max: int, measures: Measures, stack: ExitStack
) -> VerifiedCache | None:
    if database.acknowledgements is None or not bytes_max:
        return None
    # By the clock that judges what is kept: two of them may differ once somebody has set the time.
    cache = VerifiedCache(lambda: open_feed(database), clock, boottime, SystemEntropy(), bytes_max, measures)
    stack.callback(cache.close)
    watcher = Watcher(cache.beat, _WATCH_SECONDS)
    watcher.start()
    # Before the cache closes what the thread looks at.
    stack.callback(watcher.stop)
    return cache


def _open_log(settings: Settings, measures: Measures, segments: SegmentLog) -> HostRequestLog:
    log_url = settings.log_database_url.get_secret_value()
    wait_seconds = _LOG_WAIT_SECONDS if log_url.startswith(_SQLITE) else _PATIENCE_SECONDS
    reader = open_request_log(log_url, wait_seconds=wait_seconds, folder=settings.log_folder, measures=measures)
    return HostRequestLog(segments, reader)


def _standing(settings: Settings) -> StandingSettings:
    return StandingSettings.of({name: getattr(settings, name) for name in settings.model_fields_set})


def _rules(settings: Settings) -> Rules:
    issuer = settings.public_url
    return Rules(
        zone=settings.zone,
        lifetime=_standing(settings).session_lifetime,
        issuer=issuer,
        client_audiences=frozenset({issuer, ServerAddresses(issuer).token}),
    )


def _throttles(
    settings: Settings, clock: SystemClock, storage_of: Callable[[str], Storage] | None, store: SqlStore
) -> Throttles:
    find_limits = partial(_standing(settings).sign_in_limits, store)
    rules = ThrottleRules(
        sign_ins_per_user=settings.sign_in_failures_per_user,
        sign_ins_per_address=settings.sign_in_failures_per_address,
        sign_in_window_seconds=settings.sign_in_window_seconds,
        credentials_per_minute=settings.credential_failures_per_minute,
    )
    return Throttles(clock, rules, storage_of, find_limits)


def _counters(
    settings: Settings, clock: SystemClock, inherited: Inherited | None, stack: ExitStack, *, serves: bool
) -> Callable[[str], Storage] | None:
    """Tell where each kind of limit is counted; None: in this process alone."""
    if inherited is not None:
        slot = inherited.slot
        return lambda kind: SharedCounters(slot.shared.table(kind), slot.number, clock)
    if not serves:
        return None
    memory = JoinedMemory(settings.home / "run", clock)
    stack.callback(memory.close)
    return lambda kind: JoinedCounters(memory, kind, clock)


def _in_background(work: Callable[[int], None], stack: ExitStack) -> Callable[[int], None]:
    """Let one thread do it, so that no request waits; what is left at the end is done before the store closes."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="latchgate-background")
    stack.callback(executor.shutdown)

    def begin(argument: int) -> None:
        executor.submit(work, argument)

    return begin


def _decoy_hash(profile: Parameters, entropy: SystemEntropy) -> str:
    """Write a hash that no password has and that takes as long to compare with as a real one.

    Written, not computed: each command would wait for it.
    """
    salt, digest = (
        base64.b64encode(entropy.random_bytes(length)).rstrip(b"=").decode()
        for length in (SALT_BYTES, profile.hash_len)
    )
    cost = f"m={profile.memory_cost},t={profile.time_cost},p={profile.parallelism}"
    return f"$argon2id$v={profile.version}${cost}${salt}${digest}"
