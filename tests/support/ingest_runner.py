"""The process that moves rows, by itself: it ends at SIGTERM, and prints what it has to tell, a JSON line each."""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from pydantic import SecretStr

from latchgate.request_log.ingest_process import run_ingester

__all__ = ["PrintingLog", "RunnerSettings"]


@dataclass(frozen=True)
class RunnerSettings:
    """What the process has to know."""

    log_folder: Path
    log_database_url: SecretStr
    log_backlog_bytes: int = 1024**3
    log_retention_days: int = 0


class PrintingLog:
    """A logger that prints."""

    def info(self, event: str, **details: object) -> None:
        self._print("info", event, details)

    def warning(self, event: str, **details: object) -> None:
        self._print("warning", event, details)

    def error(self, event: str, **details: object) -> None:
        self._print("error", event, details)

    def _print(self, level: str, event: str, details: dict[str, object]) -> None:
        sys.stdout.write(json.dumps({"level": level, "event": event, **details}) + "\n")
        sys.stdout.flush()


def main(folder: str, url: str) -> None:
    """Run until SIGTERM."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run_ingester(RunnerSettings(Path(folder), SecretStr(url)), stop, PrintingLog())


if __name__ == "__main__":
    main(*sys.argv[1:])
