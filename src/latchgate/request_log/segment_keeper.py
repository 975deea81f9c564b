"""What happens to segments behind the requests' backs: the next is made, rows reach the disk, full ones are let go."""

import logging
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from typing import Protocol

from latchgate.errors import StorageError
from latchgate.request_log.segment_files import OpenSegment

__all__ = ["SegmentKeeper", "SyncPolicy", "Writer"]

_log = logging.getLogger("latchgate.request_log")
_AGAIN_SECONDS = 1.0


class SyncPolicy(StrEnum):
    """When rows are put on the disk, where a power cut does not reach them."""

    INTERVAL = "interval"
    """Every second."""
    ALWAYS = "always"
    """Before their replies leave."""
    NEVER = "never"
    """When the operating system likes."""


class Writer(Protocol):
    """Whose segments are kept."""

    def written(self) -> tuple[int, OpenSegment | None, tuple[OpenSegment, ...]]:
        """Tell how many rows and counts were stored so far, the present segment, and those that are full."""
        ...

    def leave(self, segment: OpenSegment) -> None:
        """Write no more into a segment whose file the disk refused."""
        ...

    def drop(self, segment: OpenSegment) -> None:
        """Let a full segment go."""
        ...

    def prepare_spare(self) -> None:
        """Make the next segment, if there is none. Raises StorageError."""
        ...


class SegmentKeeper:
    """Two threads: one makes, one puts on the disk, so that a slow disk does not hold up the making."""

    def __init__(self, writer: Writer, policy: SyncPolicy, interval_seconds: float) -> None:
        self.retired: deque[OpenSegment] = deque()
        """Full, and not yet let go. Changed by the writer alone, under its lock."""
        self._writer = writer
        self._policy = policy
        self._interval_seconds = interval_seconds
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._syncing = threading.Lock()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._synced = 0
        self._failed: list[tuple[int, int]] = []

    @property
    def stopping(self) -> bool:
        """Whether nothing is to be made any more."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Begin the work; a second time does nothing."""
        with self._starting:
            if self._threads:
                return
            work = [self._make] if self._policy is not SyncPolicy.INTERVAL else [self._make, self._sync_regularly]
            self._threads = [threading.Thread(target=one, name="latchgate-log", daemon=True) for one in work]
            for thread in self._threads:
                thread.start()
        self._wanted.set()

    def wake(self) -> None:
        """Have the next segment made."""
        self._wanted.set()

    def sync(self, wanted: int) -> None:
        """Have at least so many of the rows and counts on the disk; who waits meanwhile is served by the next turn.

        Raises:
            StorageError: The disk failed in the turn that was to cover them.
        """
        with self._syncing:
            if self._synced < wanted:
                self._sync_all()
            if any(first < wanted <= last for first, last in self._failed):
                raise StorageError("The request log cannot be put on the disk")

    def stop(self) -> None:
        """End the work, and wait for what is under way."""
        self._stopped.set()
        self._wanted.set()
        for thread in self._threads:
            thread.join()

    def finish(self, current: OpenSegment | None, spares: Iterable[OpenSegment]) -> None:
        """Put on the disk and let go what is left, and delete what was never used."""
        for segment in (*self.retired, *([current] if current else []), *spares):
            if self._policy is not SyncPolicy.NEVER and not segment.is_empty:
                try:
                    segment.sync()
                except OSError as error:
                    _log.error("the request log cannot be put on the disk: %s", error)
            segment.discard()

    def _make(self) -> None:
        failed = False
        while not self.stopping:
            self._wanted.wait(_AGAIN_SECONDS if failed else None)
            self._wanted.clear()
            if self._policy is SyncPolicy.NEVER:
                for segment in self._writer.written()[2]:
                    self._writer.drop(segment)
            try:
                self._writer.prepare_spare()
            except StorageError as error:
                if not failed:
                    _log.warning("the next segment of the request log cannot be made: %s", error.detail)
                failed = True
            else:
                failed = False

    def _sync_regularly(self) -> None:
        while not self._stopped.wait(self._interval_seconds):
            # Why it failed was told; the rows are where the next moment's are.
            with suppress(StorageError):
                self.sync(self._writer.written()[0])

    def _sync_all(self) -> None:
        upto, current, retired = self._writer.written()
        whole = True
        for segment in (*retired, *([current] if current else [])):
            try:
                segment.sync()
            except OSError as error:
                # The system takes it for written from now on, whatever becomes of it: nothing more goes into this file.
                _log.error("the request log cannot be put on the disk: %s", error)
                self._writer.leave(segment)
                whole = False
        for segment in retired:
            self._writer.drop(segment)
        if not whole:
            self._note_failure(upto)
        self._synced = upto

    def _note_failure(self, upto: int) -> None:
        first = self._synced
        if self._failed and self._failed[-1][1] == first:
            first = self._failed.pop()[0]
        self._failed.append((first, upto))
