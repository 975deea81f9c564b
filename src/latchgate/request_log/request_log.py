"""The request log as a host has it: rows are written into segments, and read from the database they are moved to."""

from collections.abc import Iterator, Mapping, Sequence

from latchgate.core.log_entries import Asked, Caller, LogEntry
from latchgate.request_log.documents import LogDocuments
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.records import encode, join, prepare
from latchgate.request_log.segment_keeper import SyncPolicy
from latchgate.request_log.segment_writer import Reservation, SegmentLog
from latchgate.services import log_ports
from latchgate.services.port_values import CountQuery, LastUse, LogPosition, LogQuery, LogState, OutcomeCount, TopCount

__all__ = ["HostRequestLog"]


class HostRequestLog:
    """Fulfils the ports RequestLog, RequestCounts and LogUses; any thread may call it.

    Whoever reads sees each row that was written before, by whichever process of the host.
    """

    def __init__(self, segments: SegmentLog, reader: SqlRequestLog) -> None:
        self.segments = segments
        self.reader = reader

    @property
    def waits_for_disk(self) -> bool:
        return self.segments.rules.policy is SyncPolicy.ALWAYS

    def reserve(self) -> Reservation:
        return self.segments.reserve()

    def append(self, entry: LogEntry, reservation: log_ports.Reservation | None = None) -> None:
        self.segments.append(encode(entry), reservation)

    def append_refused(self, entry: LogEntry, reservation: log_ports.Reservation | None = None) -> None:
        self.segments.append_refused(entry, reservation)

    def prepare(self, caller: Caller, asked: Asked, status: int) -> log_ports.PreparedRow:
        return prepare(caller, asked, status)

    def append_prepared(
        self,
        row: log_ports.PreparedRow,
        time_us: int,
        request_id: bytes,
        micros: int,
        reservation: log_ports.Reservation | None = None,
    ) -> None:
        payload = join(time_us, request_id, row.status, micros, row.who, row.what)
        if reservation is None:
            self.segments.append_unreserved(payload)
        else:
            self.segments.append(payload, reservation)

    def sync(self) -> None:
        self.segments.sync()

    @property
    def documents(self) -> LogDocuments:
        return self.reader.documents

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        return self.reader.search(query)

    def follow(self, after: LogPosition | None) -> tuple[list[LogEntry], LogPosition]:
        return self.reader.follow(after)

    def reach(self, rows_max: int) -> int:
        return self.reader.reach(rows_max)

    def last_uses(self, credentials: Sequence[str]) -> dict[str, LastUse]:
        return self.reader.last_uses(credentials)

    def counts(self, query: CountQuery, span_seconds: int) -> list[OutcomeCount]:
        return self.reader.counts(query, span_seconds)

    def is_short(self, query: CountQuery, rows_max: int) -> bool:
        return self.reader.is_short(query, rows_max)

    def top(self, query: CountQuery, limit: int) -> list[TopCount]:
        return self.reader.top(query, limit)

    def key_uses(
        self, keys: Sequence[tuple[str, str]], since_us: int, rows_max: int
    ) -> Mapping[tuple[str, str], log_ports.KeyUse]:
        return self.reader.key_uses(keys, since_us, rows_max)

    def last_seen(self, users: Sequence[str]) -> Mapping[str, int]:
        return self.reader.last_seen(users)

    def refusals(self, recent_us: int, since_us: int, rows_max: int, limit: int) -> log_ports.Refusals:
        return self.reader.refusals(recent_us, since_us, rows_max, limit)

    def state(self) -> LogState:
        return self.reader.state()

    def standing(self) -> log_ports.LogStanding:
        return self.reader.standing()

    def close(self) -> None:
        """Let files and connections go; a later call opens them anew."""
        self.segments.close()
        self.reader.close()
