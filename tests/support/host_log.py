"""A host's request log, as a server opens it: rows go into segments, and are read from a database."""

from pathlib import Path

from latchgate.request_log.log_entries import open_request_log
from latchgate.request_log.request_log import HostRequestLog
from latchgate.request_log.segment_writer import LogRules, SegmentLog
from latchgate.services.clock import SystemClock
from latchgate.services.entropy import SystemEntropy

__all__ = ["SMALL", "open_host_log", "open_segments"]

SMALL = LogRules(segment_bytes=1024 * 1024)


def open_segments(folder: Path, rules: LogRules = SMALL) -> SegmentLog:
    """Open the writing side alone."""
    return SegmentLog(folder, rules, SystemClock(), SystemEntropy())


def open_host_log(
    location: str | Path, folder: Path | None = None, *, wait_seconds: float = 5.0, rules: LogRules = SMALL
) -> HostRequestLog:
    """Open a log; its segments are beside its file, unless a folder is named."""
    if folder is None:
        if str(location).startswith("postgresql"):
            raise ValueError("A database that is no file has no folder beside it: name one")
        folder = Path(str(location).removeprefix("sqlite:///")).parent / "log"
    return HostRequestLog(
        open_segments(folder, rules), open_request_log(location, wait_seconds=wait_seconds, folder=folder)
    )
