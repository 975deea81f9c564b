"""The revision of a database's tables: which one it has, which one this release needs, and the way up."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table, text

from latchgate.errors import SettingsError
from latchgate.storage.database import Database

__all__ = ["check_revision", "current_revision", "head_revision", "require_known", "upgrade"]

_FOLDER = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"

# Any number, the same for every Latchgate: two that upgrade one database at once go one after the other.
_UPGRADE_LOCK = 0x6C61746368
_POSTGRESQL_UPGRADE = (
    "SET LOCAL lock_timeout = '4s'",
    "SET LOCAL statement_timeout = '5s'",
    f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})",
)


def head_revision() -> str:
    """Tell the revision that this release works with."""
    return _chain()[-1]


def current_revision(database: Database) -> str | None:
    """Tell the revision of a database; None if it is empty. Raises StorageError."""
    with database.read() as connection:
        return _revision(connection)


def check_revision(database: Database) -> None:
    """Make sure that a database has the revision of this release.

    Raises:
        SettingsError: it is empty or older, with the command that mends it, or newer than this release.
        StorageError: it cannot be read.
    """
    current = current_revision(database)
    if current == head_revision():
        return
    if current is None:
        raise SettingsError("The database has no tables yet; make them with: latchgate database upgrade")
    require_known(current)
    raise SettingsError(
        f"The database has revision {current}, this release needs {head_revision()}; "
        "upgrade it with: latchgate database upgrade"
    )


def require_known(revision: str) -> None:
    """Make sure that a revision is of this release or an earlier one. Raises SettingsError."""
    if revision not in _chain():
        raise SettingsError(
            f"The database has revision {revision}, which is newer than this release of Latchgate (it knows up to "
            f"{head_revision()}); use the newer release"
        )


def upgrade(database: Database) -> list[str]:
    """Bring a database to the revision of this release, each step in a transaction of its own.

    On PostgreSQL no step waits longer than 4 s for a lock, nor runs a statement longer than 5 s.

    Returns:
        The revisions that were taken, none if there was nothing to do.

    Raises:
        SettingsError: the database is newer than this release.
        StorageError: a step failed; it left nothing behind, and those before it stand.
    """
    taken = []
    while (revision := _take_step(database)) is not None:
        taken.append(revision)
    return taken


def _take_step(database: Database) -> str | None:
    # The revision is read under the lock: another process may have taken the step meanwhile.
    with database.change_tables() as connection:
        if connection.dialect.name == "postgresql":
            for statement in _POSTGRESQL_UPGRADE:
                connection.execute(text(statement))
        following = _following(_revision(connection))
        if following is not None:
            _run_step(connection, following)
        return following


def _following(current: str | None) -> str | None:
    chain = _chain()
    if current is None:
        return chain[0]
    require_known(current)
    position = chain.index(current) + 1
    return chain[position] if position < len(chain) else None


def _run_step(connection: Connection, revision: str) -> None:
    # Loading Alembic takes longer than all else here, and hardly any start needs it.
    from alembic import command  # noqa: PLC0415  # slow, and needed once in a revision's life
    from alembic.config import Config  # noqa: PLC0415  # as above

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    revision: str | None = connection.execute(select(column("version_num")).select_from(table(_VERSION_TABLE))).scalar()
    return revision


def _chain() -> tuple[str, ...]:
    """List the revisions of this release, the first one first."""
    return _read_chain(_FOLDER)


@cache
def _read_chain(folder: Path) -> tuple[str, ...]:
    # By the files' names, `<number>_<what>.py`, which a test holds to what Alembic reads in them.
    return tuple(sorted(path.name.partition("_")[0] for path in folder.glob("versions/[0-9]*_*.py")))
