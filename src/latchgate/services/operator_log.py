"""The operator's log: one JSON line a happening on standard error, where service managers look for it.

Of our own, since a worker would hold megabytes of a library's colours and tables for its few lines.
"""

import json
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from latchgate.services.clock import SystemClock

__all__ = ["OperatorLog"]

_Level = Literal["info", "warning", "error"]


class OperatorLog:
    """Writes what happened, with fields; each line is written at once, whole, from whatever thread."""

    def __init__(self) -> None:
        self._clock = SystemClock()

    def info(self, event: str, **fields: object) -> None:
        """Tell what went as it should."""
        self._write(event, "info", fields)

    def warning(self, event: str, **fields: object) -> None:
        """Tell what the operator may want to look at."""
        self._write(event, "warning", fields)

    def error(self, event: str, **fields: object) -> None:
        """Tell what the operator must look at."""
        self._write(event, "error", fields)

    def exception(self, event: str, **fields: object) -> None:
        """Tell what must be looked at, with the traceback of the exception that is being handled."""
        self._write(event, "error", fields, traceback.format_exc().removesuffix("\n"))

    def _write(self, event: str, level: _Level, fields: dict[str, object], told: str = "") -> None:
        at = datetime.fromtimestamp(self._clock.now_us() / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
        line = {**fields, "event": event, "level": level, "timestamp": at, **({"exception": told} if told else {})}
        # In one call: lines of several threads and processes must not run into each other.
        # Whoever read them may be gone, or the disk be full: no request, and no process, is to end by that.
        with suppress(OSError, ValueError):
            sys.stderr.write(json.dumps(line, default=repr) + "\n")
            sys.stderr.flush()
