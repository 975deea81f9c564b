"""The store of accounts and credentials on SQL: what the services ask for, over one database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from latchgate.storage.access_rules import SqlAccessRules
from latchgate.storage.access_tokens import SqlAccessTokens
from latchgate.storage.activity import SqlActivityLog
from latchgate.storage.api_keys import SqlApiKeys
from latchgate.storage.clients import SqlClients
from latchgate.storage.consents import SqlConsents
from latchgate.storage.database import Database
from latchgate.storage.device_codes import SqlDeviceCodes
from latchgate.storage.documents import SqlDocuments
from latchgate.storage.instance import SqlInstance
from latchgate.storage.links import SqlLinks
from latchgate.storage.permissions import SqlPermissions
from latchgate.storage.roles import SqlRoles
from latchgate.storage.second_factors import SqlSecondFactors
from latchgate.storage.sessions import SqlSessions
from latchgate.storage.sign_in_steps import SqlSignInSteps
from latchgate.storage.signing_keys import SqlSigningKeys
from latchgate.storage.sources import SqlSources
from latchgate.storage.token_families import SqlTokenFamilies
from latchgate.storage.undos import SqlUndos
from latchgate.storage.users import SqlUsers

__all__ = ["SqlStore", "SqlTransaction"]


class SqlStore:
    """Accounts and credentials in a database whose revision is this release's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def read(self) -> Iterator["SqlTransaction"]:
        """Open a snapshot that cannot write. Raises StorageError."""
        with self._database.read() as connection:
            yield SqlTransaction(connection)

    @contextmanager
    def write(self) -> Iterator["SqlTransaction"]:
        """Open the one transaction that writes now; on an exception nothing of it stays.

        What it read stays true until its end: other writers wait, 5 s at most.

        Raises:
            StorageError: another writer took too long, or the database cannot be reached.
        """
        with self._database.write() as connection:
            yield SqlTransaction(connection)


class SqlTransaction:
    """All tables as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._permissions = SqlPermissions(connection)

    @property
    def users(self) -> SqlUsers:
        """Users."""
        return SqlUsers(self._connection)

    @property
    def roles(self) -> SqlRoles:
        """Roles, and whom they were granted to."""
        return SqlRoles(self._connection, self._permissions)

    @property
    def permissions(self) -> SqlPermissions:
        """What roles may do to records."""
        return self._permissions

    @property
    def documents(self) -> SqlDocuments:
        """Records of any type, as their fields."""
        return SqlDocuments(self._connection)

    @property
    def sources(self) -> SqlSources:
        """Document types that own keys, and their records."""
        return SqlSources(self._connection)

    @property
    def api_keys(self) -> SqlApiKeys:
        """API keys."""
        return SqlApiKeys(self._connection)

    @property
    def access_tokens(self) -> SqlAccessTokens:
        """OAuth 2 access tokens."""
        return SqlAccessTokens(self._connection)

    @property
    def access_rules(self) -> SqlAccessRules:
        """Rules of who reaches protected applications."""
        return SqlAccessRules(self._connection)

    @property
    def clients(self) -> SqlClients:
        """OAuth 2 clients."""
        return SqlClients(self._connection)

    @property
    def token_families(self) -> SqlTokenFamilies:
        """Families of OAuth 2 tokens, with their codes and refresh tokens."""
        return SqlTokenFamilies(self._connection)

    @property
    def consents(self) -> SqlConsents:
        """What users allowed clients once and for all."""
        return SqlConsents(self._connection)

    @property
    def device_codes(self) -> SqlDeviceCodes:
        """Devices that wait for their user."""
        return SqlDeviceCodes(self._connection)

    @property
    def signing_keys(self) -> SqlSigningKeys:
        """Keys that ID tokens are signed with."""
        return SqlSigningKeys(self._connection)

    @property
    def sessions(self) -> SqlSessions:
        """Sessions of signed-in browsers."""
        return SqlSessions(self._connection)

    @property
    def second_factors(self) -> SqlSecondFactors:
        """Second factors, and which roles require one."""
        return SqlSecondFactors(self._connection)

    @property
    def sign_in_steps(self) -> SqlSignInSteps:
        """Sign-ins that wait for their code."""
        return SqlSignInSteps(self._connection)

    @property
    def undos(self) -> SqlUndos:
        """Changes that can still be undone."""
        return SqlUndos(self._connection)

    @property
    def links(self) -> SqlLinks:
        """One-time links."""
        return SqlLinks(self._connection)

    @property
    def activity(self) -> SqlActivityLog:
        """What happened to accounts and credentials."""
        return SqlActivityLog(self._connection)

    @property
    def instance(self) -> SqlInstance:
        """Facts about the database as a whole."""
        return SqlInstance(self._connection)
