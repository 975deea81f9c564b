"""Which shape the request log's tables have, and how they come to have the one that this release needs."""

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table, text

from latchgate.errors import SettingsError
from latchgate.request_log.database import LogDatabase, storage_errors

__all__ = ["HEAD", "VERSION_TABLE", "current_revision", "require_head", "upgrade"]

HEAD = "0003"
# On PostgreSQL the accounts' chain of revisions may stand in the same database, under Alembic's own name.
VERSION_TABLE = "request_log_revision"

_FOLDER = Path(__file__).parent / "migrations"
# Any number, the same for every Latchgate: two that upgrade one database at once go one after the other.
_UPGRADE_LOCK = 0x6C6F_6761_7465


def current_revision(database: LogDatabase) -> str | None:
    """Tell the revision of the tables; None if there are none. Raises StorageError."""
    with storage_errors("read"), database.reading.connect() as connection:
        return _revision(connection)


def require_head(database: LogDatabase) -> None:
    """Make the tables if there are none, and refuse those of another revision.

    Raises:
        SettingsError: The tables are older or newer than this release; the text says what to do.
        StorageError: The database cannot be reached, or is locked.
    """
    found = current_revision(database)
    if found is None:
        upgrade(database)
    elif found != HEAD:
        raise SettingsError(_other_revision(found))


def upgrade(database: LogDatabase) -> None:
    """Bring the tables to this release's revision, all in one transaction; two at once go one after the other.

    Raises:
        SettingsError: The tables are newer than this release.
        StorageError: The database cannot be reached, or is locked; nothing was changed.
    """
    with storage_errors("upgraded"), database.writing.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        found = _revision(connection)
        if found is not None and not _is_known(found):
            raise SettingsError(_other_revision(found))
        if found != HEAD:
            _run_chain(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    return revision


def _is_known(revision: str) -> bool:
    return any(_FOLDER.glob(f"versions/{revision}_*.py"))


def _other_revision(found: str) -> str:
    if _is_known(found):
        return (
            f"The request log has revision {found}, this release needs {HEAD}; "
            "upgrade it with: latchgate database upgrade"
        )
    return (
        f"The request log has revision {found}, which is newer than this release of Latchgate (it knows up to {HEAD}); "
        "install the newer release again"
    )


def _run_chain(connection: Connection) -> None:
    # Loading Alembic takes longer than all else here, and hardly any start needs it.
    from alembic import command  # noqa: PLC0415  # slow, and needed once in a log's life
    from alembic.config import Config  # noqa: PLC0415  # as above

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
