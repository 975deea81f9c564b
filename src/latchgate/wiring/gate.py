"""The gate with what it remembers, and the threads that work beside it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from latchgate.request_log.request_log import HostRequestLog
from latchgate.services.authentication import Authenticator
from latchgate.services.cached_authentication import CachedAuthenticator
from latchgate.services.clock import SystemClock, boottime
from latchgate.services.entropy import SystemEntropy
from latchgate.services.gate import Gate
from latchgate.services.measures import Measures, RequestMeasures
from latchgate.services.request_ids import RequestIds
from latchgate.services.request_lines import write_request_line
from latchgate.services.rule_books import CachedRules, StoredRules
from latchgate.services.throttles import Throttles
from latchgate.services.verified_cache import VerifiedCache
from latchgate.services.watchers import Watcher
from latchgate.settings import Settings
from latchgate.storage.changes import open_feed
from latchgate.storage.database import Database

__all__ = ["in_background", "join_gate", "open_cache"]

_WATCH_SECONDS = 0.1


def join_gate(  # what the straight line is joined of
    authenticator: Authenticator,
    throttles: Throttles,
    request_log: HostRequestLog,
    cache: VerifiedCache | None,
    measures: Measures,
    settings: Settings,
) -> Gate:
    """Give the gate, which asks the cache first if there is one."""
    stored = StoredRules(authenticator.store)
    return Gate(
        authenticator,
        throttles,
        request_log,
        authenticator.clock,
        RequestIds(SystemEntropy()),
        authenticator.peppers,
        cached=CachedAuthenticator(authenticator, cache) if cache else None,
        measures=RequestMeasures(measures),
        rule_book=CachedRules(stored, cache) if cache else stored,
        tell=write_request_line if settings.request_lines else None,
    )


def open_cache(
    database: Database, clock: SystemClock, bytes_max: int, measures: Measures, stack: ExitStack
) -> VerifiedCache | None:
    """Remember verdicts, which a thread keeps true; None where nothing tells of changes, or nothing is to be kept."""
    if database.acknowledgements is None or not bytes_max:
        return None
    # By the clock that judges what is kept: two of them may differ once somebody has set the time.
    cache = VerifiedCache(lambda: open_feed(database), clock, boottime, SystemEntropy(), bytes_max, measures)
    stack.callback(cache.close)
    watcher = Watcher(cache.beat, _WATCH_SECONDS)
    watcher.start()
    # Before the cache closes what the thread looks at.
    stack.callback(watcher.stop)
    return cache


def in_background(work: Callable[[int], None], stack: ExitStack) -> Callable[[int], None]:
    """Let one thread do it, so that no request waits; what is left at the end is done before the store closes."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="latchgate-background")
    stack.callback(executor.shutdown)

    def begin(argument: int) -> None:
        executor.submit(work, argument)

    return begin
