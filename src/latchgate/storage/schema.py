"""All tables together, as the queries know them; the migrations make them, and a test holds the two together.

Times are Unix seconds, but `creation`, `modified` and the activity log's `time`: microseconds. Ids are never reused.
"""

from functools import cache

from sqlalchemy import Index, MetaData

import latchgate.storage.instance_tables  # noqa: F401  # its tables are among the metadata's once it is loaded
from latchgate.storage.account_tables import access_rule, api_key, permission, user
from latchgate.storage.oauth_tables import oauth_token
from latchgate.storage.sign_in_tables import session
from latchgate.storage.table_columns import metadata

__all__ = ["VERDICT_COLUMNS", "complete_metadata"]

VERDICT_COLUMNS: dict[str, frozenset[str]] = {
    "user": frozenset(column.name for column in user.c)
    - frozenset({"password_hash", "creation", "modified", "owner", "modified_by"}),
    "permission": frozenset(column.name for column in permission.c)
    - frozenset({"owner", "creation", "modified", "modified_by"}),
    "access_rule": frozenset(column.name for column in access_rule.c)
    - frozenset({"owner", "creation", "modified", "modified_by"}),
    "role": frozenset({"id", "name"}),
    "user_role": frozenset({"user_id", "role_id"}),
    "authorization_source": frozenset({"id", "name"}),
    "source_record": frozenset({"id", "source", "name", "user_id", "enabled"}),
    "api_key": frozenset(column.name for column in api_key.c)
    - frozenset({"label", "is_primary", "creation", "created_by", "modified", "modified_by"}),
    "oauth_client": frozenset({"id", "allowed_roles", "revoked_at"}),
    "oauth_family": frozenset({"id", "client_row_id", "user_id", "revoked_at"}),
    "oauth_token": frozenset(column.name for column in oauth_token.c),
    # No verdict on a session is remembered: what a second factor is to it, is read with it.
    "session": frozenset(column.name for column in session.c)
    - frozenset({"last_seen_at", "ip_address", "user_agent", "second_factor"}),
}
"""The columns whose change may alter a verdict, by table: each such change adds a row to `change`."""


@cache
def complete_metadata() -> MetaData:
    """Give all tables, with the indexes that each engine has words of its own for.

    No query needs them, and SQLAlchemy loads both engines' dialects for those words: megabytes of a serving process.
    """
    one_primary = api_key.c.is_primary.is_(True) & api_key.c.revoked_at.is_(None)
    for owner in (api_key.c.user_id, api_key.c.record_id):
        name = f"uq_api_key_primary_{owner.name}"
        Index(name, owner, unique=True, sqlite_where=one_primary, postgresql_where=one_primary)
    return metadata
