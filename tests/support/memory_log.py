"""A request log that lives in memory: for tests that need one but not its database, and as the contract in short."""

from collections.abc import Iterator, Sequence

from latchgate.core.log_entries import Asked, Caller, LogEntry, former_use_name, use_name
from latchgate.errors import StorageError
from latchgate.request_log.records import decode, join, prepare
from latchgate.services.log_ports import PreparedRow, Reservation
from latchgate.services.port_values import LastUse, LogPosition, LogQuery
from latchgate.services.ports import Documents

__all__ = ["MemoryLog", "MemoryRoom"]


class MemoryRoom:
    """Room for a row; `held` until it is given back."""

    def __init__(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False


class MemoryLog:
    """Fulfils the port RequestLog. `broken` makes every call fail."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        """The rows as they were written."""
        self.refused: list[LogEntry] = []
        """Those of them that counted against a quota."""
        self.rooms: list[MemoryRoom] = []
        self.broken = False

    @property
    def documents(self) -> Documents:
        raise AssertionError("records are asked of a real log")

    @property
    def waits_for_disk(self) -> bool:
        return False

    def reserve(self) -> Reservation:
        self._answer()
        self.rooms.append(MemoryRoom())
        return self.rooms[-1]

    def append(self, entry: LogEntry, reservation: Reservation | None = None) -> None:
        self._answer()
        self.entries.append(entry)
        if reservation is not None:
            reservation.release()

    def append_refused(self, entry: LogEntry, reservation: Reservation | None = None) -> None:
        self.append(entry, reservation)
        self.refused.append(entry)

    def prepare(self, caller: Caller, asked: Asked, status: int) -> PreparedRow:
        return prepare(caller, asked, status)

    def append_prepared(
        self,
        row: PreparedRow,
        time_us: int,
        request_id: bytes,
        micros: int,
        reservation: Reservation | None = None,
    ) -> None:
        self.append(decode(join(time_us, request_id, row.status, micros, row.who, row.what)), reservation)

    def sync(self) -> None:
        self._answer()

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        self._answer()
        order = sorted(enumerate(self.entries), key=lambda numbered: (numbered[1].time, numbered[0]), reverse=True)
        found = [entry for _, entry in order if _is_wanted(entry, query)]
        return iter(found[: query.limit or None])

    def follow(self, after: LogPosition | None) -> tuple[list[LogEntry], LogPosition]:
        self._answer()
        end = len(self.entries)
        return self.entries[end if after is None else after.id :], LogPosition(end)

    def reach(self, rows_max: int) -> int:
        self._answer()
        return len(self.entries)

    def last_uses(self, credentials: Sequence[str]) -> dict[str, LastUse]:
        self._answer()
        uses: dict[str, LastUse] = {}
        for entry in sorted(self.entries, key=lambda entry: entry.time):
            if entry.api_key is None or entry.user is None or entry.reason is not None:
                continue
            names = [use_name(entry.source, entry.api_key)]
            if entry.former_until is not None:
                names.append(former_use_name(entry.source, entry.api_key, entry.former_until))
            uses |= {name: LastUse(entry.time, entry.ip_address) for name in names if name in credentials}
        return uses

    def close(self) -> None:
        pass

    def _answer(self) -> None:
        if self.broken:
            raise StorageError("The request log cannot be reached")


def _is_wanted(entry: LogEntry, query: LogQuery) -> bool:
    exact = {"user": query.user, "api_key": query.api_key, "status": query.status, "host": query.host}
    return (
        all(value is None or getattr(entry, name) == value for name, value in exact.items())
        and entry.path.startswith(query.path or "")
        and (query.since or 0) <= entry.time
        and (query.until is None or entry.time < query.until)
    )
