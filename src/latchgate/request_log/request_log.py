"""The request log as a host has it: rows are written into segments, and read from the database that they are moved to."""

from collections.abc import Callable, Iterator, Sequence

from latchgate.core.log_entries import LogEntry
from latchgate.request_log.documents import LogDocuments
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.records import encode, join
from latchgate.request_log.segment_keeper import SyncPolicy
from latchgate.request_log.segment_writer import Reservation, SegmentLog
from latchgate.services import log_ports
from latchgate.services.port_values import LastUse, LogQuery

__all__ = ["HostRequestLog"]


class HostRequestLog:
    """Fulfils the port RequestLog; any thread may call it, and the child of a fork goes on with its writing side.

    Whoever reads sees each row that was written before, by whichever process of the host.
    """

    def __init__(self, segments: SegmentLog, database: SqlRequestLog, catch_up: Callable[[], object]) -> None:
        """Join the two sides; `catch_up` moves into the database what is in segments when it is called."""
        self.segments = segments
        self.database = database
        self._catch_up = catch_up
        self.waits_for_disk = segments.rules.policy is SyncPolicy.ALWAYS

    def reserve(self) -> Reservation:
        return self.segments.reserve()

    def append(self, entry: LogEntry, reservation: log_ports.Reservation | None = None) -> None:
        self.segments.append(encode(entry), reservation)

    def append_refused(self, entry: LogEntry, reservation: log_ports.Reservation | None = None) -> None:
        self.segments.append_refused(entry, reservation)

    def append_parts(self, time_us: int, request_id: bytes, status: int, micros: int, who: bytes, what: bytes) -> None:
        self.segments.append(join(time_us, request_id, status, micros, who, what))

    def sync(self) -> None:
        self.segments.sync()

    @property
    def documents(self) -> LogDocuments:
        """Its rows as records of the type API Request Log."""
        self._catch_up()
        return self.database.documents

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Give the rows that match by time, the newest first. Raises StorageError at any step."""
        self._catch_up()
        return self.database.search(query)

    def follow(self, after_id: int | None) -> tuple[list[LogEntry], int]:
        """Give rows written after a position, and the new position. Raises StorageError."""
        self._catch_up()
        return self.database.follow(after_id)

    def last_uses(self, credentials: Sequence[str]) -> dict[str, LastUse]:
        """Tell when each credential, by its `use_name`, was last accepted. Raises StorageError."""
        self._catch_up()
        return self.database.last_uses(credentials)

    def close(self) -> None:
        """Close files and connections; what was written is moved into the database by whoever reads next."""
        self.segments.close()
        self.database.close()
