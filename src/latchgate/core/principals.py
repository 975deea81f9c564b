"""The outcome of authentication: who a request acts as, or why it is refused."""

from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum

from latchgate.core.addresses import Network
from latchgate.core.clients import AuthMethod, StoredClient
from latchgate.core.credentials import Scheme
from latchgate.core.users import SYSTEM_MANAGER, StoredUser, UserType, hours_allow, networks_allow

__all__ = ["Anonymous", "Client", "Principal", "Reason", "Rejected", "Who", "judge_user"]


class Reason(StrEnum):
    """Why a request was refused; written to the log, told to nobody else."""

    TWO_AUTHORIZATIONS = "two_authorization_headers"
    TWO_SOURCES = "two_source_headers"
    BASE64 = "basic_not_base64"
    BYTES_LITERAL = "basic_python_bytes_literal"
    UNREADABLE = "authorization_unreadable"
    UNKNOWN_SCHEME = "unknown_scheme"
    TWO_CLIENT_AUTHENTICATIONS = "two_client_authentications"
    UNKNOWN_SOURCE = "unknown_source"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SECRET = "wrong_secret"
    UNKNOWN_TOKEN = "unknown_token"
    UNKNOWN_CLIENT = "unknown_client"
    WRONG_ASSERTION = "wrong_assertion"
    ASSERTION_REPLAYED = "assertion_replayed"
    OTHER_AUDIENCE = "other_audience"
    CLIENT_ROLE_MISSING = "client_role_missing"
    REVOKED = "revoked"
    EXPIRED = "expired"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    RECORD_WITHOUT_USER = "record_without_user"
    RECORD_DISABLED = "record_disabled"
    USER_DISABLED = "user_disabled"
    USER_ADDRESS_NOT_ALLOWED = "user_address_not_allowed"
    OUTSIDE_HOURS = "outside_hours"
    STORAGE = "storage"
    OVER_LIMIT = "over_limit"
    TOO_MANY_FAILURES = "too_many_failures"
    CSRF = "csrf_token_missing_or_wrong"
    SCHEME_NOT_ACCEPTED = "scheme_not_accepted"
    ROLE_MISSING = "role_missing"
    SCOPE_MISSING = "scope_missing"
    NO_RULE = "no_rule"
    UNUSUAL_HOST = "unusual_host"
    UNUSUAL_METHOD = "unusual_method"
    UNUSUAL_PATH = "unusual_path"
    NOT_PERMITTED = "not_permitted"
    CHANGED = "changed_meanwhile"
    BODY_TOO_LARGE = "body_too_large"
    CLIENT_GONE = "client_gone"
    MORE_REFUSED = "more_refused"
    """No request of its own: so many more were refused from an address in a minute."""


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular: the user Guest."""

    session_expired: bool = False
    """Whether a session cookie was sent that opens nothing any more."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, as one verified credential lets it act."""

    user: str
    user_id: int
    user_type: UserType
    full_name: str
    roles: frozenset[str]
    """The effective roles, `All` included."""
    scheme: Scheme
    source: str
    credential: str
    """The public id of the key, token or session: what the log names."""
    scopes: frozenset[str]
    allowed_networks: tuple[Network, ...] = ()
    """From where the credential may be used; none means from anywhere."""
    per_minute: int | None = None
    """How many requests a minute the credential may make."""
    expires_at: int | None = None
    """When the credential ends by itself, in Unix seconds."""
    proof: bytes = field(default=b"", repr=False, compare=False)
    """Which of a key's digests its secret matched; not for the other schemes, whose secrets are never replaced."""
    former_until: int | None = field(default=None, compare=False)
    """Where that is the secret before a rotation: until when it works, in Unix seconds."""

    @property
    def is_manager(self) -> bool:
        """Whether it is a System Manager, who is bound by no other account's roles; Administrator always is."""
        return SYSTEM_MANAGER in self.roles


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client that proved itself, or a public one that said who it is; it acts for no user."""

    client: StoredClient
    method: AuthMethod

    @property
    def credential(self) -> str:
        """The public id: what the log names."""
        return self.client.client_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """What was presented opens nothing.

    `user` is named only if the secret was right, `credential` only if such a one exists: what a stranger typed must
    never stand in the log as if it were somebody's.
    """

    reason: Reason
    scheme: Scheme | None = None
    source: str | None = None
    credential: str | None = None
    user: str | None = None
    retry_after_seconds: int | None = None


Who = Anonymous | Principal | Client | Rejected


def judge_user(user: StoredUser, now: int, address: str, zone: tzinfo) -> Reason | None:
    """Tell why a user is refused whatever the credential, or None. `now` is Unix seconds."""
    if not user.enabled:
        return Reason.USER_DISABLED
    if not networks_allow(user, address):
        return Reason.USER_ADDRESS_NOT_ALLOWED
    if not hours_allow(user, now, zone):
        return Reason.OUTSIDE_HOURS
    return None
