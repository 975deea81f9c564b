"""The values that pass through the ports: what is to be stored, changed or looked for.

Times are Unix seconds but `creation`, `modified` and log times (microseconds).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from latchgate.core.addresses import Network
from latchgate.core.api_keys import Limits
from latchgate.core.permissions import Own
from latchgate.core.queries import Scalar
from latchgate.core.users import ADMINISTRATOR, UserType

__all__ = [
    "ActivityQuery",
    "CountQuery",
    "CountedBy",
    "FoundDocument",
    "KeyFilter",
    "LastUse",
    "LiveCredentials",
    "LogPosition",
    "LogQuery",
    "LogState",
    "NewKey",
    "NewRecord",
    "NewSession",
    "NewToken",
    "NewUser",
    "OutcomeCount",
    "RecordChanges",
    "Stamp",
    "TopCount",
    "UserChanges",
]


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be stored."""

    name: str
    first_name: str
    last_name: str
    user_type: UserType
    enabled: bool
    password_hash: str | None
    restrict_ip: tuple[Network, ...]
    login_after: int
    login_before: int
    owner: str = ADMINISTRATOR
    """Who made it."""


@dataclass(frozen=True, slots=True)
class UserChanges:
    """Fields of a user to replace; None leaves a field as it is."""

    modified_by: str | None = None

    first_name: str | None = None
    last_name: str | None = None
    user_type: UserType | None = None
    enabled: bool | None = None
    password_hash: str | None = None
    restrict_ip: tuple[Network, ...] | None = None
    login_after: int | None = None
    login_before: int | None = None


@dataclass(frozen=True, slots=True)
class LiveCredentials:
    """How many credentials of a user have neither been revoked nor expired."""

    api_keys: int
    access_tokens: int
    sessions: int


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be stored, for a user (source User) or for a source's record."""

    key_id: str
    source: str
    user_id: int | None
    record_id: int | None
    label: str
    primary: bool
    limits: Limits
    created_by: str


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys to list; None means any."""

    source: str | None = None
    record: str | None = None
    """The owner's name: a user's for the source User."""
    include_ended: bool = False
    """Whether to list what was revoked or has expired too."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """An access token to be stored."""

    public_id: str
    lookup: bytes
    user_id: int
    client: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    revoked_at: int | None
    audience: frozenset[str] = frozenset()
    client_row_id: int | None = None
    family_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be stored."""

    digest: bytes
    public_id: str
    user_id: int
    ip_address: str
    user_agent: str
    second_factor: bool = False
    """Whether a second factor was given for it."""


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """Which rows of the activity log to give, newest first; None means any."""

    user: str | None = None
    """Who did it, or whom it was done to."""
    since: int | None = None
    """Microseconds since 1970."""
    limit: int = 20
    """0 means all."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which rows of the request log to give, newest first; None means any. Times are microseconds since 1970."""

    user: str | None = None
    api_key: str | None = None
    path: str | None = None
    """A prefix of the path."""
    status: int | None = None
    since: int | None = None
    until: int | None = None
    """Exclusive."""
    limit: int = 20
    """0 means all."""
    host: str | None = None
    """As a row has it."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """How far somebody has followed the log: which rows of the database, and which of the segments, were given."""

    id: int
    shown: Mapping[str, int] = field(default_factory=dict)
    """By segment: the number below which its rows were given before the database had them."""


class CountedBy(Enum):
    """What requests are counted by; each has its own roll-ups."""

    ALL = "all"
    USER = "user"
    """Of requests whose secret was right; the detail is the user's id, empty where the row has none."""
    KEY = "key"
    """API keys and OAuth clients, whether the secret was right or not; the detail is the key's source."""
    REASON = "reason"
    """Of refusals."""


@dataclass(frozen=True, slots=True)
class CountQuery:
    """Which requests to count. Times are Unix seconds."""

    since: int
    until: int
    """Exclusive."""
    by: CountedBy = CountedBy.ALL
    name: str | None = None
    """Of one user, key or reason alone."""
    detail: str | None = None
    """With a name: that id or source alone; None means any."""


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many requests of one outcome began within one point of a chart."""

    start: int
    """Unix seconds."""
    status_class: int
    """The first digit of the status."""
    refused: bool
    requests: int


@dataclass(frozen=True, slots=True)
class TopCount:
    """How many requests one user or key made, or were refused for one reason."""

    name: str
    detail: str
    requests: int
    refused: int


@dataclass(frozen=True, slots=True)
class LogState:
    """How the log itself stands. Times are microseconds since 1970."""

    pending: int
    """Rows that are in segments and not yet in the database."""
    lost: int
    """Rows that were found missing."""
    damaged_bytes: int
    lost_at: int | None
    """When that was last found."""
    segments: int
    """Files from which rows are still to come."""
    unreadable: Mapping[str, str]
    """Files that are left as they are, and why."""
    oldest: int | None
    """The time of the oldest row."""
    rows: int
    """The number of the newest row: how many there ever were."""


@dataclass(frozen=True, slots=True)
class LastUse:
    """When a credential was last accepted, in microseconds since 1970, and from where."""

    time: int
    ip_address: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who changed a record, and when (microseconds since 1970)."""

    by: str
    time: int


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record of an authorization source to be stored."""

    source: str
    name: str
    user_id: int | None
    enabled: bool
    owner: str


@dataclass(frozen=True, slots=True)
class RecordChanges:
    """Fields of a source's record to replace."""

    enabled: bool | None = None
    """None leaves it as it is."""
    user_id: int | None = None
    """Whom its keys run as from now on; counts only if `names_user`."""
    names_user: bool = False


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A record as stored, whoever may see it."""

    id: int
    values: Mapping[str, Scalar | list[str]]
    """By field: all that the type describes, but what is computed. Lists and tables as lists of texts."""
    owned_by: str | None
    """The user whose record it is, as the type's `own_field` says."""
    owned_by_id: int | None = None
    """That user's id, where the type stores it (User, API Key, the logs); it then decides."""

    def is_own(self, own: Own) -> bool:
        """Whether it is this user's."""
        if self.owned_by_id is not None:
            return self.owned_by_id == own.user_id
        return self.owned_by is not None and self.owned_by == own.user
