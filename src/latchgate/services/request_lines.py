"""A line for each request, for whoever gathers such lines: its row in the request log, as the operator has it told."""

from contextlib import suppress

from latchgate.core.log_entries import LogEntry
from latchgate.services.operator_log import OperatorLog

__all__ = ["write_request_line"]

_log = OperatorLog()


def write_request_line(entry: LogEntry) -> None:
    """Tell of a request, with nothing that its row would not say. Where nobody reads, nothing is told."""
    # Whoever read the lines may be gone, and the request is none the worse for it.
    with suppress(OSError, ValueError):
        _log.info("request", **entry.document())
