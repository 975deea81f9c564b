"""A thread that does something again and again, until it is told to stop."""

import threading
from collections.abc import Callable

__all__ = ["Watcher"]


class Watcher:
    """Calls `beat` every so many seconds on a thread of its own, the first time before `start` returns."""

    def __init__(self, beat: Callable[[], None], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="latchgate-watcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """Make no further beat once this returns."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._beat()
