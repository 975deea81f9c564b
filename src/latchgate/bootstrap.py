"""The only wiring: opens what the settings name and joins store, log and services."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial

from argon2 import Parameters

from latchgate.core.passwords import PROFILES, SALT_BYTES, decoy_hash
from latchgate.core.tokens import Peppers, Secret
from latchgate.core.users import ADMINISTRATOR
from latchgate.errors import Invalid, NotFound, SettingsError
from latchgate.opening import open_accounts, open_log, open_segments, upgrade_files
from latchgate.request_log.request_log import HostRequestLog
from latchgate.request_log.segment_writer import SegmentLog
from latchgate.services.access_rules import AccessRuleService
from latchgate.services.access_tokens import AccessTokenService
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.authentication import Authenticator, Rules
from latchgate.services.authorizations import AuthorizationService
from latchgate.services.clients import ClientService
from latchgate.services.clock import SystemClock
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
from latchgate.services.measures import Measures
from latchgate.services.passwords import PasswordService
from latchgate.services.permissions import PermissionService
from latchgate.services.request_counts import RequestCountService
from latchgate.services.roles import RoleService
from latchgate.services.rule_loading import load_rules
from latchgate.services.second_factors import SecondFactorService
from latchgate.services.sessions import SessionService
from latchgate.services.sign_in import SignIn
from latchgate.services.sign_in_steps import SignInStepService
from latchgate.services.signing_keys import SigningKeyService
from latchgate.services.sources import SourceService
from latchgate.services.system_settings import SystemSettingsService
from latchgate.services.throttles import Throttles
from latchgate.services.tokens import TokenService
from latchgate.services.undos import UndoService
from latchgate.services.users import UserService
from latchgate.services.verified_cache import VerifiedCache
from latchgate.settings import Settings, find_origins
from latchgate.storage.data_folder import give_to_owner
from latchgate.storage.database import Database, open_database
from latchgate.storage.revisions import head_revision
from latchgate.storage.store import SqlStore
from latchgate.wiring.gate import in_background, join_gate, open_cache
from latchgate.wiring.inheritance import Inherited, find_counters
from latchgate.wiring.rules import rules_of, standing_of, throttle_rules_of, turns_of

__all__ = ["Latchgate", "open_latchgate", "open_upkeep", "upgrade_latchgate"]


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
        request_log = open_log(settings, measures, segments or open_segments(settings, measures))
        stack.callback(request_log.reader.close if segments else request_log.close)
        opened = database, request_log, peppers, measures
        latchgate = _wire(settings, opened, inherited, stack, cached=cached)
        _set_first_password(latchgate)
        give_to_owner(settings.home)
    except BaseException:
        stack.close()
        raise
    return latchgate


@contextmanager
def open_upkeep(settings: Settings) -> Iterator[LogUpkeep]:
    """Give the process that moves rows what it has to know of the accounts' database, and to clean there."""
    database = open_database(settings.database_url.get_secret_value())
    with closing(database):
        yield LogUpkeep(SqlStore(database), standing_of(settings))


def upgrade_latchgate(settings: Settings) -> tuple[str | None, str]:
    """Bring database and request log to this release's revision, making the instance where there is none.

    Returns:
        The database's revision before (None if there was none) and after.

    Raises:
        SettingsError, StorageError: As `open_latchgate`.
    """
    before = upgrade_files(settings)
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
    profile, issuer, standing = PROFILES[settings.password_profile], settings.public_url, standing_of(settings)
    rules, storage_of = rules_of(settings), find_counters(settings, clock, inherited, stack, serves=cached)
    throttles = Throttles(clock, throttle_rules_of(settings), storage_of, partial(standing.sign_in_limits, store))
    sign_in = SignIn(store, peppers, clock, entropy, throttles, rules, profile, _decoy(profile, entropy))
    authenticator = Authenticator(store, peppers, clock, rules, in_background(sign_in.touch_session, stack))
    cache = open_cache(database, clock, settings.cache_bytes, measures, stack) if cached else None
    access_tokens = AccessTokenService(store, peppers, clock, entropy)
    users, roles = UserService(store, clock, entropy, profile, *turns_of(settings)), RoleService(store, clock)
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
        gate=join_gate(authenticator, throttles, request_log, cache, measures, settings),
        cache=cache,
        gate_may_wait=settings.database_path is None,
        measures=measures,
        opened=stack,
    )


def _decoy(profile: Parameters, entropy: SystemEntropy) -> str:
    return decoy_hash(profile, entropy.random_bytes(SALT_BYTES), entropy.random_bytes(profile.hash_len))


def _access_rules(settings: Settings, store: SqlStore, clock: SystemClock) -> AccessRuleService:
    return AccessRuleService(store, clock, settings.access_rules)
