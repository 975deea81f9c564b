"""How values are shown on pages: times, long ids, pieces of addresses."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

__all__ = ["Moment", "middle", "milliseconds", "segment", "status_words"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = ((_MINUTE, 1, "second"), (_HOUR, _MINUTE, "minute"), (2 * _DAY, _HOUR, "hour"), (60 * _DAY, _DAY, "day"))
_JUST_SECONDS = 10
_WITH_FRACTION_BELOW = 10
_REFUSED = frozenset({401, 403})
_CLIENT_ERROR, _FAILED = 400, 500


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as people and as programs read it; all of them UTC."""

    at: datetime
    now: datetime

    @classmethod
    def of(cls, value: str | float, now: int) -> "Moment":
        """Read a time: the text of a record's field, or Unix seconds. `now` is Unix seconds."""
        if isinstance(value, str):
            at = datetime.fromisoformat(value).replace(tzinfo=UTC)
        else:
            at = datetime.fromtimestamp(value, UTC)
        return cls(at, datetime.fromtimestamp(now, UTC))

    @property
    def machine(self) -> str:
        """For `<time datetime>`."""
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def exact(self) -> str:
        """The whole of it, with its zone."""
        return f"{self.date}, {self.at:%H:%M:%S} UTC"

    @property
    def date(self) -> str:
        """The day alone."""
        return f"{self.at.day} {self.at:%B %Y}"

    @property
    def words(self) -> str:
        """How long ago, or until then; the day where that says more."""
        seconds = self._seconds_ago
        # `now` knows no fractions: what came within this second lies a little ahead of it.
        if -1 < seconds < _JUST_SECONDS:
            return "just now"
        told = _counted(abs(seconds))
        if told:
            return f"{told} ago" if seconds >= 0 else f"in {told}"
        return self._short_date

    @property
    def remaining(self) -> str:
        """For how long something goes on that ends then: it works "for another 23 hours"."""
        if self._seconds_ago > -1:
            return "for a moment longer"
        told = _counted(-self._seconds_ago)
        return f"for another {told.removeprefix('1 ')}" if told else f"until {self._short_date}"

    @property
    def _seconds_ago(self) -> float:
        return (self.now - self.at).total_seconds()

    @property
    def _short_date(self) -> str:
        # In a list, where many stand one below the other.
        return f"{self.at.day} {self.at:%b %Y}"


def _counted(seconds: float) -> str:
    """Say a length of time; empty where a day says more."""
    for below, unit_seconds, unit in _STEPS:
        if seconds < below:
            count = int(seconds // unit_seconds)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return ""


def middle(text: str, length: int = 15) -> str:
    """Shorten a key or id in its middle: both ends are what people compare."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def milliseconds(seconds: float) -> str:
    """Write how long something took, in milliseconds; with a fraction only where that is a part worth reading."""
    taken = seconds * 1000
    return f"{taken:.1f}" if taken < _WITH_FRACTION_BELOW else f"{taken:,.0f}"


def segment(name: str) -> str:
    """Write a record's name as one segment of an address, whatever is in it."""
    # Half a surrogate pair is in no record's name.
    return quote(name.encode("utf-8", "replace"), safe="")


def status_words(status: int) -> tuple[str, str]:
    """Say what a status means, and of what kind its sign is: good, warn or bad."""
    if status < _CLIENT_ERROR:
        return "succeeded", "good"
    if status in _REFUSED:
        return "refused", "bad"
    return ("failed", "bad") if status >= _FAILED else ("client error", "warn")
