"""Throttles that all workers of a host share: each counts in words of its own, and adds up everybody's.

A key's window is begun by whoever counts first, under a lock of the system that dies with its holder; all else takes no
lock. As nobody waits for anybody, of what comes at the same moment one too many may pass for each other worker: of a
limit, at least the limit and at most limit + workers - 1 in a window. Why: docs/decisions/0036-workers.md.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from limits.storage import Storage

from latchgate.services.ports import Clock
from latchgate.storage.shared_slots import WAYS, Table

__all__ = ["SharedCounters", "seconds_since_boot"]

_HALF = 32
_LOW = (1 << _HALF) - 1


def seconds_since_boot() -> int:
    """Tell a time that every process of the host agrees on, whatever becomes of the wall clock."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME))


class SharedCounters(Storage):
    """One kind of counter, as one process sees it; any of its threads may call.

    An entry is a mark, which is the key's hash XOR the window, and the window: a number that no other window had, and
    its end. A mark and a window that do not belong together, since somebody is just writing them, match no key. Beside
    them is a word for each slot: the window's number and what the slot has counted in it. A word of another window
    counts nothing. So whoever dies anywhere in between leaves nothing that means anything.
    """

    STORAGE_SCHEME = None

    def __init__(
        self, table: Table, slot: int, clock: Clock, elapsed_seconds: Callable[[], int] = seconds_since_boot
    ) -> None:
        super().__init__()
        self._table = table
        self._slot = slot
        self._clock = clock
        self._elapsed_seconds = elapsed_seconds
        # A word has one writer: among the threads of this process too.
        self._turn = threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """No exception of its own: memory does not fail by itself."""
        return MemoryError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window that begins with its first count and lasts `expiry` seconds.

        Tells what this process saw before, and its own: two that count at once may both be told the same number. If
        another process was stopped while it began a window, nothing can be begun: then it tells `amount`.
        """
        mark, bucket = self._locate(key)
        now = self._elapsed_seconds()
        with self._turn:
            found = self._find(mark, bucket, now) or self._begin(mark, bucket, now, now + expiry)
            return self._count(*found, amount) if found else amount

    def get(self, key: str) -> int:
        """Tell the count of the present window."""
        found = self._find(*self._locate(key), self._elapsed_seconds())
        return self._total(*found) if found else 0

    def get_expiry(self, key: str) -> float:
        """Tell when the present window ends, in Unix seconds."""
        now = self._elapsed_seconds()
        found = self._find(*self._locate(key), now)
        return self._clock.now() + ((found[1] & _LOW) - now if found else 0)

    def check(self) -> bool:
        """Tell that memory is there."""
        return True

    def reset(self) -> int:
        """Forget every counter; tell how many there were."""
        table, now = self._table, self._elapsed_seconds()
        forgotten = 0
        with self._turn, table.alone():
            for place in range(table.heads_at + 1, table.counts_at, 2):
                forgotten += table.words[place] & _LOW > now
                table.words[place] = 0
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one counter, in every process; nothing is forgotten while another process is stopped in a lock."""
        mark, bucket = self._locate(key)
        # Alone: else the entry could just be given to another key.
        with suppress(TimeoutError), self._turn, self._table.alone():
            found = self._find(mark, bucket, self._elapsed_seconds())
            if found:
                self._table.words[self._table.heads_at + 2 * found[0] + 1] = 0

    def _locate(self, key: str) -> tuple[int, int]:
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, key=self._table.salt).digest()
        buckets = self._table.entries // WAYS
        return int.from_bytes(digest[:8]), int.from_bytes(digest[8:]) % buckets * WAYS

    def _find(self, mark: int, bucket: int, now: int) -> tuple[int, int] | None:
        """Give the entry and the window that a key has now."""
        heads = self._heads(bucket)
        for way in range(WAYS):
            window = heads[2 * way + 1]
            if heads[2 * way] ^ window == mark and window & _LOW > now:
                return bucket + way, window
        return None

    def _begin(self, mark: int, bucket: int, now: int, until: int) -> tuple[int, int] | None:
        table = self._table
        try:
            with table.alone():
                # Somebody may have begun it meanwhile: all count in one window.
                found = self._find(mark, bucket, now)
                if found:
                    return found
                entry = self._choose(bucket, now)
                number = table.words[table.generation_at] % _LOW + 1
                table.words[table.generation_at] = number
                window, head = number << _HALF | until, table.heads_at + 2 * entry
                table.words[head + 1] = 0
                table.words[head] = mark ^ window
                table.words[head + 1] = window
                return entry, window
        except TimeoutError:
            return None

    def _choose(self, bucket: int, now: int) -> int:
        """Choose whose place a new window takes: one that is over, else one that has counted least, the oldest first.

        So whoever comes from ever new addresses pushes out such as itself, and nobody who is close to a limit.
        """
        windows = self._heads(bucket)[1::2]
        worth = [(self._total(bucket + way, window), window) for way, window in enumerate(windows)]
        over = next((way for way, window in enumerate(windows) if window & _LOW <= now), None)
        return bucket + (min(range(WAYS), key=worth.__getitem__) if over is None else over)

    def _count(self, entry: int, window: int, amount: int) -> int:
        number, counts = window >> _HALF, self._counts(entry)
        seen = sum(count & _LOW for count in counts if count >> _HALF == number)
        own = counts[self._slot]
        own = own & _LOW if own >> _HALF == number else 0
        place = self._table.counts_at + entry * self._table.slots + self._slot
        self._table.words[place] = number << _HALF | min(own + amount, _LOW)
        return seen + amount

    def _total(self, entry: int, window: int) -> int:
        return sum(count & _LOW for count in self._counts(entry) if count >> _HALF == window >> _HALF)

    def _heads(self, bucket: int) -> list[int]:
        start = self._table.heads_at + 2 * bucket
        return self._table.words[start : start + 2 * WAYS].tolist()

    def _counts(self, entry: int) -> list[int]:
        start = self._table.counts_at + entry * self._table.slots
        return self._table.words[start : start + self._table.slots].tolist()
