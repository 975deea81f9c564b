"""The process that moves rows from segments into the log database, and deletes what is too old there."""

import gc
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Protocol

from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from latchgate.core.system_settings import LogPolicy
from latchgate.errors import StorageError
from latchgate.request_log.cleaning import Cleaning, FixedUpkeep, Upkeep
from latchgate.request_log.database import LogDatabase, connect, storage_errors
from latchgate.request_log.ingester import Ingester
from latchgate.request_log.segment_files import used_bytes
from latchgate.services.clock import SystemClock
from latchgate.services.measures import Measures
from latchgate.services.operator_log import OperatorLog

__all__ = ["IngestLoop", "IngestSettings", "run_ingester"]

PAUSE_SECONDS = (0.02, 0.2)
"""The shortest pause, after rows have come, and the longest, when none come any more."""
BACKOFF_SECONDS = (0.1, 5.0)
"""How long to wait after a failure, and at most."""
WAL_BYTES = 64 * 1024 * 1024
"""Beyond this the write-ahead file is folded back into log.db."""

_LOCK_WAIT_SECONDS = 2.0
_FOLDING_SECONDS = 5.0
_CACHE_KIB = 128 * 1024
_CHECKPOINT_PAGES = 8_000
_NICE = 19
_ALLOCATIONS_BETWEEN_COLLECTIONS = 500_000
# A low priority gets next to nothing on a machine that is fully busy. Where rows wait for longer than they should, they
# are moved at the priority of those who write them, or these would be refused their room at last.
_URGENT_SHARE = 8


class IngestSettings(Protocol):
    """What this process has to know of the settings."""

    @property
    def log_folder(self) -> Path:
        """Where the segments are."""
        ...

    @property
    def log_database_url(self) -> SecretStr:
        """The log's database."""
        ...

    @property
    def log_backlog_bytes(self) -> int:
        """How much segments may take."""
        ...

    @property
    def log_retention_days(self) -> int:
        """How long rows are kept; 0: for ever."""
        ...


class Logger(Protocol):
    """Whom to tell what happened; as OperatorLog does."""

    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


def run_ingester(
    settings: IngestSettings,
    stop: Callable[[], bool] | Event,
    log: Logger | None = None,
    measures: Measures | None = None,
    upkeep: Upkeep | None = None,
) -> None:
    """Move rows until asked to stop, and then once more; whatever fails is told once, and tried again.

    Args:
        settings: Where everything is.
        stop: Whether to end; asked several times a second.
        log: Whom to tell; None: the operator's log.
        measures: Where to count; None: where nobody looks.
        upkeep: Who knows what is decided; None: what the settings say counts, and the activity log is left alone.

    Raises:
        SettingsError: The database's address cannot be used.
    """
    log = log or OperatorLog()
    # A batch is a hundred thousand small objects that refer to nothing: looking for cycles among them finds none.
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
    database = connect(settings.log_database_url.get_secret_value(), _LOCK_WAIT_SECONDS)
    _prepare(database)
    with closing(database):
        clock = SystemClock()
        ingester = Ingester(settings.log_folder, database, clock, log.warning, measures=measures)
        cleaning = Cleaning(database, clock, upkeep or FixedUpkeep(LogPolicy(settings.log_retention_days, None)), log)
        loop = IngestLoop(ingester, cleaning, log, measures)
        loop.run(stop.is_set if isinstance(stop, Event) else stop, settings.log_backlog_bytes // _URGENT_SHARE)


class IngestLoop:
    """Ingesting, cleaning, folding: what is done in turn, and when again."""

    def __init__(  # what it does in turn, and all that these need
        self, ingester: Ingester, cleaning: Cleaning, log: Logger, measures: Measures | None = None
    ) -> None:
        self._count_failure = (measures or Measures.alone()).counter("ingest_failures")
        self._ingester = ingester
        self._cleaning = cleaning
        self._log = log
        self._pause = PAUSE_SECONDS[0]
        self._failing = False
        self._fold_at = time.monotonic()

    def run(self, stop: Callable[[], bool], urgent_bytes: int) -> None:
        """Go on until asked to stop, gently unless segments take more than so many bytes; then make a last pass."""
        # Linux gives each thread its own priority, and takes back none that was lowered: one thread for each.
        with ThreadPoolExecutor(1, "latchgate-gentle", self._be_gentle) as gentle:
            while not stop():
                pause = self.step() if self._is_urgent(urgent_bytes) else gentle.submit(self.step).result()
                _wait(pause, stop)
        self._finish()

    def step(self) -> float:
        """Do what there is to do; tell how many seconds to wait before the next step."""
        try:
            moved = self._ingester.ingest_once()
            cleaned = self._cleaning.do_some()
            self._fold()
        except StorageError as error:
            return self._failed(error)
        if self._failing:
            self._failing = False
            self._pause = PAUSE_SECONDS[0]
            self._log.info("log_database_writable_again")
        self._pause = PAUSE_SECONDS[0] if moved or cleaned else min(self._pause * 1.5, PAUSE_SECONDS[1])
        return self._pause

    def _failed(self, error: StorageError) -> float:
        self._count_failure(1)
        if self._failing:
            self._pause = min(self._pause * 2, BACKOFF_SECONDS[1])
        else:
            # Rows stay in their segments meanwhile; readers find them there.
            self._failing, self._pause = True, BACKOFF_SECONDS[0]
            self._log.error("log_database_not_writable", reason=error.public, detail=error.detail)
        return self._pause

    def _finish(self) -> None:
        try:
            while self._ingester.ingest_once():
                pass
            self._fold(now=True)
        except StorageError as error:
            self._log.error("ingester_left_rows", reason=error.public, detail=error.detail)

    def _fold(self, *, now: bool = False) -> None:
        """Fold the write-ahead file back, if it has grown; readers that are at it make it wait for the next time."""
        database, moment = self._ingester.database, time.monotonic()
        path = database.reading.url.database
        if database.reading.dialect.name != "sqlite" or path is None or (moment < self._fold_at and not now):
            return
        wal = Path(f"{path}-wal")
        with suppress(FileNotFoundError):
            if now or wal.stat().st_size > WAL_BYTES:
                self._fold_at = moment + _FOLDING_SECONDS
                _checkpoint(database)

    def _is_urgent(self, urgent_bytes: int) -> bool:
        try:
            return used_bytes(self._ingester.folder) > urgent_bytes
        except StorageError:
            return False

    def _be_gentle(self) -> None:
        # The kernel derives the priority for the disk from this too.
        try:
            os.nice(_NICE)
        except OSError as error:
            self._log.warning("ingester_priority_unchanged", detail=str(error))


def _checkpoint(database: LogDatabase) -> None:
    # Outside of any transaction. Another's lock makes it a row that says "busy"; any other failure meets the next
    # write too, which tells of it.
    with storage_errors("folded"), database.writing.connect() as connection:
        driver = connection.connection.driver_connection
        if driver is not None:
            with suppress(sqlite3.Error):
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _prepare(database: LogDatabase) -> None:
    """Give a connection that writes much the room for it."""
    if database.writing.dialect.name != "sqlite":
        return

    @event.listens_for(database.writing, "connect")
    def _widen(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # A batch touches pages all over the indices by user and key: what does not fit is written twice.
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def _wait(seconds: float, stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, PAUSE_SECONDS[1]))
