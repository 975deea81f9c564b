"""The request log's writing side, as the gate and the fast lane see it, its roll-ups, and what it tells of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from latchgate.core.log_entries import Asked, Caller, LogEntry
from latchgate.services.port_values import CountQuery, LogState, OutcomeCount, TopCount

__all__ = [
    "KeyUse",
    "LogStanding",
    "LogUses",
    "LogWriter",
    "PreparedRow",
    "Refusals",
    "RefusedBurst",
    "RequestCounts",
    "Reservation",
]


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """A row without its numbers: time, request id and duration. Whoever prepared it alone can read it."""

    status: int
    who: bytes = field(repr=False)
    what: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogStanding:
    """How the log stands, by counts that are had without looking at rows."""

    rows_behind: int
    """Rows that are in segments and not yet in the database."""
    segments: int
    """Files of such rows, the ones that are being written among them."""
    unreadable_segments: int
    rows_lost: int
    """Rows that were found missing, since there is a log."""
    damaged_bytes: int


class Reservation(Protocol):
    """Room for one row, however large. It is given back by writing the row, or when nobody has it any more."""

    def release(self) -> None:
        """Give it back without a row; a second time does nothing."""
        ...


class LogWriter(Protocol):
    """Writes rows so that they survive the death of the process from the moment that a call returns.

    Any thread may call it, the event loop's too: but for `sync` nothing here waits for more than memory, as a rule.
    """

    @property
    def waits_for_disk(self) -> bool:
        """Whether replies wait for `sync`, so that their rows survive a power cut too."""
        ...

    def reserve(self) -> Reservation:
        """Set aside room for a row, before anything is done that it is to tell of. Raises StorageError: it is full."""
        ...

    def append(self, entry: LogEntry, reservation: Reservation | None = None) -> None:
        """Write a row. Raises StorageError; with a reservation only if the system refuses to write."""
        ...

    def append_refused(self, entry: LogEntry, reservation: Reservation | None = None) -> None:
        """Write the row of a request that nobody proved to have sent, as `append`.

        If they are too many, it is counted in one row for its address and minute.
        """
        ...

    def prepare(self, caller: Caller, asked: Asked, status: int) -> PreparedRow:
        """Encode what rows of the same caller, request and answer have in common, where nothing was refused."""
        ...

    def append_prepared(
        self,
        row: PreparedRow,
        time_us: int,
        request_id: bytes,
        micros: int,
        reservation: Reservation | None = None,
    ) -> None:
        """Write a row, as `append`. Raises StorageError.

        Args:
            row: What `prepare` gave.
            time_us: When the request came, in microseconds since 1970.
            request_id: Its sixteen bytes.
            micros: How long it took, in microseconds.
            reservation: Room for it, if some was set aside.
        """
        ...

    def sync(self) -> None:
        """Wait until all rows written before are on the disk. Blocks. Raises StorageError: they may not be there."""
        ...


class RequestCounts(Protocol):
    """The request log's roll-ups: how many requests there were, without a look at their rows."""

    def counts(self, query: CountQuery, span_seconds: int) -> list[OutcomeCount]:
        """Count by outcome for the points of a chart, oldest first; points and outcomes without requests are left out.

        Args:
            query: Which requests. The point in which `since` lies counts wholly, and so does that of `until`.
            span_seconds: How long a point lasts: 60 (not by user or key), 3600 or 86400, in UTC.
        """
        ...

    def top(self, query: CountQuery, limit: int) -> list[TopCount]:
        """Give the names with most requests, those first; whole hours are counted, and whole days over a long time."""
        ...

    def is_short(self, query: CountQuery, rows_max: int) -> bool:
        """Whether `top` has at most so many counts to add up, which for a long time may be millions."""
        ...

    def state(self) -> LogState:
        """Tell how the log itself stands."""
        ...


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What the newest rows of a key say that it was used for."""

    requests: int
    """How many requests it opened."""
    reads: int
    """How many of these only asked: GET or HEAD."""
    addresses: tuple[str, ...]
    """From where these came, the most usual first."""
    since: int
    """The time of the oldest row that was looked at, in microseconds since 1970; that asked for where there is none."""
    whole: bool
    """Whether no older rows of the time asked for were left unread."""


@dataclass(frozen=True, slots=True)
class RefusedBurst:
    """How often an address, or a key, was refused."""

    name: str
    """The address, or the key's id."""
    source: str
    """Of a key; empty for an address."""
    recently: int
    """Within the shorter time that was asked for."""
    requests: int
    """Within the longer."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Who was refused most, those first."""

    addresses: Sequence[RefusedBurst]
    keys: Sequence[RefusedBurst]
    whole: bool
    """Whether all rows of the longer time were looked at for the addresses, not the newest alone."""


class LogUses(Protocol):
    """What the request log tells of how keys are used, at a cost that does not grow with the log."""

    def key_uses(
        self, keys: Sequence[tuple[str, str]], since_us: int, rows_max: int
    ) -> Mapping[tuple[str, str], KeyUse]:
        """Tell what each key, by its source and id, was used for.

        Args:
            keys: Which.
            since_us: How far back, in microseconds since 1970.
            rows_max: Of each key so many of its newest rows are looked at, those of refusals among them.
        """
        ...

    def last_seen(self, users: Sequence[str]) -> Mapping[str, int]:
        """Tell when each user's newest request came, in microseconds since 1970; who sent none is left out."""
        ...

    def refusals(self, recent_us: int, since_us: int, rows_max: int, limit: int) -> Refusals:
        """Tell who was refused (401, 403, 429) since two times, in microseconds since 1970.

        For keys the hours are counted in which these times lie; for addresses so many of the newest rows of any kind
        are looked at.
        """
        ...
