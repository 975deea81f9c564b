"""What the services need from outside: a clock, randomness, a store, a request log. Other rooms fulfil it.

`find_` gives None for what is absent; `list_` gives all, in a stable order; an `add_` returns the new row's id. All
times are Unix seconds but `creation`, `modified` and log times (microseconds).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from latchgate.core.log_entries import ActivityEntry, LogEntry
from latchgate.core.permissions import Grant, Own
from latchgate.core.queries import DocumentQuery, Scalar
from latchgate.core.sources import SourceRecord
from latchgate.core.users import StoredUser
from latchgate.services.credential_ports import AccessTokens, ApiKeys, Links, Sessions
from latchgate.services.log_ports import LogWriter
from latchgate.services.oauth_ports import Clients, Consents, DeviceCodes, SigningKeys, TokenFamilies
from latchgate.services.port_values import (
    ActivityQuery,
    FoundDocument,
    LastUse,
    LiveCredentials,
    LogPosition,
    LogQuery,
    NewRecord,
    NewUser,
    RecordChanges,
    UserChanges,
)
from latchgate.services.rule_ports import AccessRules
from latchgate.services.second_factor_ports import SecondFactors, SignInSteps
from latchgate.services.undo_ports import Undos

__all__ = [
    "ActivityLog",
    "Clock",
    "Documents",
    "Entropy",
    "Instance",
    "Permissions",
    "RequestLog",
    "Roles",
    "Sources",
    "Store",
    "Transaction",
    "Users",
]


class Clock(Protocol):
    """The one clock. It never goes backwards while the process lives."""

    def now(self) -> int:
        """Tell the time in Unix seconds."""
        ...

    def now_us(self) -> int:
        """Tell the time in microseconds since 1970; strictly greater at each call."""
        ...


class Entropy(Protocol):
    """The one source of randomness."""

    def random_bytes(self, count: int) -> bytes:
        """Give bytes that nobody can foresee."""
        ...


class Users(Protocol):
    """The users of one transaction."""

    def find(self, name: str) -> StoredUser | None:
        """Look a user up by its exact name."""
        ...

    def find_id(self, user_id: int) -> StoredUser | None:
        """Look a user up by its id."""
        ...

    def list_all(self) -> list[StoredUser]:
        """List the users by name."""
        ...

    def add(self, user: NewUser, now_us: int) -> int:
        """Store a user. Raises Conflict if the name is taken."""
        ...

    def change(self, user_id: int, changes: UserChanges, now_us: int) -> None:
        """Replace fields of a user."""
        ...

    def count_credentials(self, user_id: int, now: int) -> LiveCredentials:
        """Count what ends with a user; a session that idled too long counts until it is revoked."""
        ...

    def delete(self, user_id: int) -> None:
        """Delete a user with its roles, keys, tokens, consents, sessions and links; what ran as it runs as nobody.

        What it had made (roles, permissions, sources, records, clients, keys of others) passes to Administrator.
        """
        ...


class Roles(Protocol):
    """The roles of one transaction."""

    def list_names(self) -> list[str]:
        """List the roles by name."""
        ...

    def list_all(self) -> list[tuple[str, int]]:
        """List the roles by name, each with the number of users it was granted to."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such a role."""
        ...

    def list_users(self, name: str) -> list[str]:
        """List the names of the users that a role was granted to, in order."""
        ...

    def add(self, name: str, by: str, now_us: int) -> int:
        """Store a role. Raises Conflict if the name is taken."""
        ...

    def delete(self, name: str) -> None:
        """Delete a role with its grants and permissions."""
        ...

    def grant(self, user_id: int, name: str) -> bool:
        """Grant a role; False if the user had it. Raises NotFound if there is no such role."""
        ...

    def revoke(self, user_id: int, name: str) -> bool:
        """Take a role away; False if the user did not have it."""
        ...


class Permissions(Protocol):
    """The permissions of one transaction, each known by its role, document type and whether it is for one's own."""

    def list_all(self) -> list[Grant]:
        """List them by document type, role and if_owner; few, and read once by every request for records."""
        ...

    def find(self, role: str, doctype: str, *, if_owner: bool) -> Grant | None:
        """Look a permission up."""
        ...

    def add(self, grant: Grant, by: str, now_us: int) -> None:
        """Store a permission. Raises Conflict if there is one, NotFound if there is no such role."""
        ...

    def change(self, grant: Grant, by: str, now_us: int) -> None:
        """Replace the actions of the permission of the same role, type and if_owner."""
        ...

    def delete(self, role: str, doctype: str, *, if_owner: bool) -> bool:
        """Delete a permission; False if there was none."""
        ...


class Documents(Protocol):
    """Records of any type, as their stored fields: checks as 0 or 1, times in microseconds since 1970.

    The transaction's for all types but the request log, which has its own. Names of types and fields were checked
    before; an unknown one is an AssertionError.
    """

    def list_some(self, doctype: str, query: DocumentQuery, own: Own | None) -> list[tuple[Scalar, ...]]:
        """Give some rows, as values in the order of the query's columns; `own` limits them to one user's."""
        ...

    def count(self, doctype: str, query: DocumentQuery, own: Own | None) -> int:
        """Count the rows that the query's conditions allow, its order and pages aside."""
        ...

    def find(self, doctype: str, name: str) -> FoundDocument | None:
        """Look a record up by its name. Raises Conflict if several API keys have it."""
        ...


class Sources(Protocol):
    """Authorization sources and their records, of one transaction."""

    def list_names(self) -> list[str]:
        """List the sources by name."""
        ...

    def list_all(self) -> list[tuple[str, int]]:
        """List the sources by name, each with the number of its records (of users for User)."""
        ...

    def exists(self, source: str) -> bool:
        """Whether a document type owns keys."""
        ...

    def add(self, source: str, by: str, now_us: int) -> int:
        """Store a source. Raises Conflict if the name is taken."""
        ...

    def delete(self, source: str) -> None:
        """Delete a source. Raises Conflict if it has records."""
        ...

    def find_record(self, source: str, name: str) -> SourceRecord | None:
        """Look a source's record up by its exact name."""
        ...

    def list_records(self, source: str) -> list[SourceRecord]:
        """List the records of a source by name."""
        ...

    def add_record(self, new: NewRecord, now_us: int) -> int:
        """Store a record. Raises Conflict if the name is taken, NotFound if there is no such source."""
        ...

    def change_record(self, record_id: int, changes: RecordChanges, by: str, now_us: int) -> None:
        """Replace whom a record's keys run as, or whether they work."""
        ...

    def delete_record(self, record_id: int) -> None:
        """Delete a record with its keys."""
        ...


class Instance(Protocol):
    """Facts about the database as a whole."""

    def find_fact(self, name: str) -> str | None:
        """Look a fact up."""
        ...

    def find_facts(self, names: Sequence[str]) -> dict[str, str]:
        """Look several facts up at once; those that nobody stated are left out."""
        ...

    def set_fact(self, name: str, value: str) -> None:
        """State a fact, over whatever was stated before."""
        ...

    def forget_fact(self, name: str) -> bool:
        """Take a fact back; False if nobody stated it."""
        ...


class ActivityLog(Protocol):
    """The activity log of one transaction."""

    def list_addresses(self, after: tuple[int, int], before_time: int, limit: int) -> list[tuple[int, int, str]]:
        """List time, id and address of the rows after a place and before a time, the oldest first."""
        ...

    def replace_addresses(self, addresses: Mapping[int, str]) -> None:
        """Let rows, by id, name another address."""
        ...

    def append(self, entry: ActivityEntry) -> None:
        """Write a row; it stands or falls with the change it tells of."""
        ...

    def list_latest(self, limit: int) -> list[ActivityEntry]:
        """List the newest rows, newest first."""
        ...

    def list_page(self, query: ActivityQuery, before_id: int | None) -> tuple[list[ActivityEntry], int | None]:
        """List some of the rows that match, newest first, with where to go on, which is None at their end.

        The query's limit is the whole list's, and left to whoever asks for its pages.
        """
        ...


class Transaction(Protocol):
    """All tables as one transaction sees them."""

    @property
    def users(self) -> Users: ...  # noqa: D102  # the type says it
    @property
    def roles(self) -> Roles: ...  # noqa: D102  # as above
    @property
    def permissions(self) -> Permissions: ...  # noqa: D102  # as above
    @property
    def documents(self) -> Documents: ...  # noqa: D102  # as above
    @property
    def sources(self) -> Sources: ...  # noqa: D102  # as above
    @property
    def api_keys(self) -> ApiKeys: ...  # noqa: D102  # as above
    @property
    def access_tokens(self) -> AccessTokens: ...  # noqa: D102  # as above
    @property
    def clients(self) -> Clients: ...  # noqa: D102  # as above
    @property
    def token_families(self) -> TokenFamilies: ...  # noqa: D102  # as above
    @property
    def consents(self) -> Consents: ...  # noqa: D102  # as above
    @property
    def device_codes(self) -> DeviceCodes: ...  # noqa: D102  # as above
    @property
    def signing_keys(self) -> SigningKeys: ...  # noqa: D102  # as above
    @property
    def access_rules(self) -> AccessRules: ...  # noqa: D102  # as above
    @property
    def sessions(self) -> Sessions: ...  # noqa: D102  # as above
    @property
    def second_factors(self) -> SecondFactors: ...  # noqa: D102  # as above
    @property
    def sign_in_steps(self) -> SignInSteps: ...  # noqa: D102  # as above
    @property
    def links(self) -> Links: ...  # noqa: D102  # as above
    @property
    def undos(self) -> Undos: ...  # noqa: D102  # as above
    @property
    def activity(self) -> ActivityLog: ...  # noqa: D102  # as above
    @property
    def instance(self) -> Instance: ...  # noqa: D102  # as above


class Store(Protocol):
    """The database of accounts and credentials."""

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a snapshot; nothing in it may write. Raises StorageError."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Open the only way to change anything: all of it is committed at the end, or none on an exception."""
        ...


class RequestLog(LogWriter, Protocol):
    """The request log, apart from the database of accounts."""

    @property
    def documents(self) -> Documents:
        """Its rows as records of the type API Request Log; their names are their numbers."""
        ...

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Give the rows that match, newest first."""
        ...

    def follow(self, after: LogPosition | None) -> tuple[list[LogEntry], LogPosition]:
        """Give the rows written after a position, oldest first, and the new position; None starts at the end."""
        ...

    def reach(self, rows_max: int) -> int:
        """Tell the number of the newest row that there is, after at most so many on their way were brought in."""
        ...

    def last_uses(self, credentials: Sequence[str]) -> dict[str, LastUse]:
        """Tell when each credential, by its `use_name`, was last accepted; those never used are left out."""
        ...
