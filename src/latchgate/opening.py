"""The files of an instance, data folder, key file, database and request log: opened, made if need be, and upgraded."""

from contextlib import ExitStack

from latchgate.core.tokens import PEPPER_BYTES, Peppers
from latchgate.errors import SettingsError, StorageError
from latchgate.request_log.database import connect
from latchgate.request_log.log_entries import open_request_log
from latchgate.request_log.refusal_quota import RefusalRules
from latchgate.request_log.request_log import HostRequestLog
from latchgate.request_log.revisions import upgrade as upgrade_request_log
from latchgate.request_log.segment_keeper import SyncPolicy
from latchgate.request_log.segment_writer import LogRules, SegmentLog
from latchgate.services.clock import SystemClock
from latchgate.services.entropy import SystemEntropy
from latchgate.services.key_checks import bind_key_file
from latchgate.services.measures import Measures
from latchgate.settings import Settings
from latchgate.storage.data_folder import DataFolder, prepare_folder
from latchgate.storage.database import Database, open_database
from latchgate.storage.key_file import load_key_file, make_key_file
from latchgate.storage.revisions import check_revision, current_revision, upgrade
from latchgate.storage.store import SqlStore
from latchgate.storage.whole_backups import staging_folder

__all__ = ["open_accounts", "open_log", "open_segments", "prepare_home", "upgrade_files"]

_PATIENCE_SECONDS = 5.0
_SQLITE = "sqlite:"
# The event loop waits with it: who holds the log's file for longer makes requests fail, not the server stand still.
_LOG_WAIT_SECONDS = 0.5


def prepare_home(settings: Settings) -> None:
    """Make the data folder, mode 0700, if it is not there. Raises SettingsError if it cannot be used."""
    prepare_folder(settings.home)


def open_accounts(settings: Settings, stack: ExitStack, *, create: bool) -> tuple[Database, Peppers]:
    """Open the database and the key file that belongs to it.

    Args:
        settings: Where they are.
        stack: Closes what is opened.
        create: Whether to make an instance where there is none.

    Raises:
        SettingsError, StorageError: As `bootstrap.open_latchgate`.
    """
    if not create and not settings.home.exists():
        raise _no_instance(settings)
    prepare_home(settings)
    folder = DataFolder(settings.home)
    stack.callback(folder.close)
    database = _find_database(settings, stack)
    if database is None and not create:
        _require_beginning(settings)
        raise _no_instance(settings)
    if database is None:
        with folder.alone():
            # Another process may have been quicker.
            database = _find_database(settings, stack) or _make_instance(settings, stack)
    check_revision(database)
    peppers = load_key_file(settings.key_file)
    if not bind_key_file(SqlStore(database), peppers):
        raise SettingsError(
            f"The key file {settings.key_file} is not the one that the database was made with; restore that one, or "
            "nobody's key, token or session would open anything"
        )
    return database, peppers


def open_segments(settings: Settings, measures: Measures) -> SegmentLog:
    """Give this process what it writes rows into; nothing is made before the first."""
    rules = LogRules(
        SyncPolicy(settings.log_sync),
        settings.log_backlog_bytes,
        RefusalRules(settings.log_refusals_per_address, settings.log_refusals),
    )
    return SegmentLog(settings.log_folder, rules, SystemClock(), SystemEntropy(), measures)


def open_log(settings: Settings, measures: Measures, segments: SegmentLog) -> HostRequestLog:
    """Open the request log: the database that it is read from, beside the segments that rows are written into."""
    log_url = settings.log_database_url.get_secret_value()
    wait_seconds = _LOG_WAIT_SECONDS if log_url.startswith(_SQLITE) else _PATIENCE_SECONDS
    reader = open_request_log(log_url, wait_seconds=wait_seconds, folder=settings.log_folder, measures=measures)
    return HostRequestLog(segments, reader)


def upgrade_files(settings: Settings) -> str | None:
    """Bring the databases that are there to this release's revision, and make none.

    Returns:
        The revision before of the database of accounts; None if there is none.

    Raises:
        SettingsError, StorageError: As `bootstrap.open_latchgate`.
    """
    prepare_home(settings)
    with ExitStack() as stack:
        stack.callback(DataFolder(settings.home).close)
        database = _find_database(settings, stack)
        if database is None:
            return None
        load_key_file(settings.key_file)
        before = current_revision(database)
        upgrade(database)
        log_database = connect(settings.log_database_url.get_secret_value(), _PATIENCE_SECONDS)
        stack.callback(log_database.close)
        upgrade_request_log(log_database)
    return before


def _find_database(settings: Settings, stack: ExitStack) -> Database | None:
    """Open the database if there is one with tables in it."""
    path = settings.database_path
    if path is not None and not path.exists():
        return None
    database = open_database(settings.database_url.get_secret_value())
    stack.callback(database.close)
    try:
        return database if current_revision(database) is not None else None
    except StorageError as error:
        origin = getattr(error.__cause__, "orig", None)
        if getattr(origin, "sqlite_errorname", None) == "SQLITE_NOTADB":
            raise SettingsError(f"{path} is not a database; restore it from the backup") from None
        raise


def _make_instance(settings: Settings, stack: ExitStack) -> Database:
    _require_beginning(settings)
    # First an empty file, then the key file, then the tables: a database is never bound to a key file that is not
    # safely on the disk, and wherever this is interrupted, the next start goes on from there.
    database = open_database(settings.database_url.get_secret_value(), create=True)
    stack.callback(database.close)
    if not settings.key_file.exists():
        make_key_file(settings.key_file, SystemEntropy().random_bytes(PEPPER_BYTES))
    upgrade(database)
    return database


def _require_beginning(settings: Settings) -> None:
    """Refuse to begin anew where there has been an instance. Raises SettingsError, which says the next step."""
    if staging_folder(settings.home).exists():
        raise SettingsError(
            f"A restore into {settings.home} was interrupted; run it again: latchgate database restore DIR"
        )
    if not settings.key_file.exists():
        return
    log_path, path = settings.log_database_path, settings.database_path
    if log_path is not None and log_path.exists():
        raise SettingsError(
            f"{settings.home} holds a key file and a request log but no database; restore it "
            "(latchgate database restore DIR), or move the others away to begin anew"
        )
    if path is not None and not path.exists() and not settings.database_is_named:
        # As beside a database on PostgreSQL whose address was forgotten: the key file would get a second database.
        raise SettingsError(
            f"{settings.home} holds a key file but no database; name its database with LATCHGATE_DATABASE_URL, restore "
            f"it (latchgate database restore DIR), or begin anew with LATCHGATE_DATABASE_URL=sqlite:///{path}"
        )


def _no_instance(settings: Settings) -> SettingsError:
    return SettingsError(
        f"There is no instance of Latchgate in {settings.home}; start one with latchgate serve, or name its data folder"
        " with LATCHGATE_HOME"
    )
