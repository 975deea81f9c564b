"""Rows of a request log that differ from the plainest one in what a test is about."""

from dataclasses import replace
from itertools import count

from latchgate.core.log_entries import LogEntry

__all__ = ["NOON", "make_row"]

NOON = 1_777_636_800_000_000
"""2026-05-01T12:00:00Z in microseconds."""

_PLAIN = LogEntry(
    time=NOON,
    request_id="",
    user="ann@example.com",
    api_key="lgk_ann",
    scheme="token",
    source="User",
    method="GET",
    path="/api/method/frappe.auth.get_logged_user",
    status=200,
    seconds=0.004,
    ip_address="192.0.2.7",
    user_agent="curl/8.5",
    reason=None,
    user_id=7,
)
_numbers = count(1)


def make_row(**different: object) -> LogEntry:
    """Make a row with its own request id, a microsecond later than the one before unless a time is given."""
    number = next(_numbers)
    different.setdefault("time", NOON + number)
    return replace(_PLAIN, **{"request_id": f"request-{number}", **different})  # type: ignore[arg-type]
