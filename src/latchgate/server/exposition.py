"""The page for Prometheus, in its text format: names, labels and words for what is counted.

Source: Prometheus, "Exposition formats" and "Metric and label naming". A label holds one of our own few words, never
anything that a caller chose.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from latchgate import __version__
from latchgate.services.log_ports import LogStanding
from latchgate.services.measures import (
    BITS_MAX,
    SCHEMES,
    Outcome,
    bucket_word,
    found_word,
    recalled_word,
    request_word,
    sum_word,
)

__all__ = ["write_page"]

_MICROS = 1_000_000
_FIRST_BITS = 4
"""What is quicker than 16 microseconds need not be told apart."""

_COUNTERS = (
    ("latchgate_cache_misses", "Credentials that were looked up in the database.", "cache_misses"),
    ("latchgate_cache_drops", "Remembered verdicts that a change has ended.", "cache_drops"),
    ("latchgate_cache_evictions", "Remembered verdicts that had to make room for others.", "cache_evictions"),
    ("latchgate_log_rows_appended", "Rows written into the request log's segments.", "rows_appended"),
    (
        "latchgate_log_refusals_tallied",
        "Refused requests beyond the quota: they have a row together by address and minute.",
        "refusals_tallied",
    ),
    (
        "latchgate_log_full",
        "Requests that were answered 503 because the request log had no room for their row.",
        "rows_without_room",
    ),
    ("latchgate_log_sync_errors", "Times that the disk refused to keep what was written to the log.", "sync_errors"),
    ("latchgate_log_rows_ingested", "Rows moved into the request log's database.", "rows_ingested"),
    ("latchgate_log_batches", "Transactions in which rows were moved.", "batches"),
    ("latchgate_log_ingest_failures", "Times that rows could not be moved into the database.", "ingest_failures"),
)
_GAUGES = (
    ("latchgate_cache_entries", "Verdicts that all processes remember, together.", "cache_entries"),
    ("latchgate_cache_bytes", "How much memory these take, as estimated.", "cache_bytes"),
)
_KINDS = ("worker", "ingester")


def write_page(totals: Mapping[str, int], standing: LogStanding | None) -> bytes:
    """Write the page.

    Args:
        totals: Every word of `measures.WORDS`, added up.
        standing: How the log stands; None if that could not be told.
    """
    registry = CollectorRegistry()
    registry.register(_Page(totals, standing))
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Page(Collector):
    """What the library asks for what there is."""

    totals: Mapping[str, int]
    standing: LogStanding | None

    def collect(self) -> Iterator[Metric]:
        """Give every family once."""
        yield _release()
        yield self._requests()
        yield self._durations()
        yield from self._processes()
        yield self._hits()
        for name, told, word in _COUNTERS:
            yield CounterMetricFamily(name, told, value=self.totals[word])
        for name, told, word in _GAUGES:
            yield GaugeMetricFamily(name, told, value=self.totals[word])
        yield from _log(self.standing)

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "latchgate_requests",
            "Requests, by the credential's scheme, what became of them, and which way they went.",
            labels=["scheme", "outcome", "way"],
        )
        for scheme in SCHEMES:
            fast = self.totals[recalled_word(scheme)] + self.totals[found_word(scheme)]
            family.add_metric([scheme, Outcome.ALLOWED, "fast"], fast)
            for outcome in Outcome:
                family.add_metric([scheme, outcome, "ordinary"], self.totals[request_word(scheme, outcome)])
        return family

    def _durations(self) -> Metric:
        family = HistogramMetricFamily(
            "latchgate_request_duration_seconds",
            "How long requests took, from their head to when their row was written.",
            labels=["outcome"],
        )
        for outcome in Outcome:
            counts = accumulate(self.totals[bucket_word(outcome, bits)] for bits in range(BITS_MAX + 2))
            # Whatever has so many bits is less than two to the power of them.
            ends = (*(repr((1 << bits) / _MICROS) for bits in range(BITS_MAX + 1)), "+Inf")
            buckets = list(zip(ends, map(float, counts), strict=True))[_FIRST_BITS:]
            family.add_metric([outcome], buckets, self.totals[sum_word(outcome)] / _MICROS)
        return family

    def _hits(self) -> Metric:
        recalled = sum(self.totals[recalled_word(scheme)] for scheme in SCHEMES)
        return CounterMetricFamily(
            "latchgate_cache_hits",
            "Requests whose credential was judged by what was remembered.",
            value=self.totals["cache_hits"] + recalled,
        )

    def _processes(self) -> Iterator[Metric]:
        there = GaugeMetricFamily("latchgate_processes", "Processes that there are now.", labels=["kind"])
        starts = CounterMetricFamily("latchgate_process_starts", "Processes that were started.", labels=["kind"])
        deaths = CounterMetricFamily("latchgate_process_deaths", "Processes that ended unasked.", labels=["kind"])
        for kind in _KINDS:
            there.add_metric([kind], self.totals[f"{kind}s"])
            starts.add_metric([kind], self.totals[f"{kind}_starts"])
            deaths.add_metric([kind], self.totals[f"{kind}_deaths"])
        yield from (there, starts, deaths)


def _release() -> Metric:
    family = GaugeMetricFamily("latchgate_build_info", "Always 1; which release this is.", labels=["version"])
    family.add_metric([__version__], 1)
    return family


def _log(standing: LogStanding | None) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "latchgate_log_readable", "Whether the request log's state could be read: 1 or 0.", value=standing is not None
    )
    if standing is None:
        return
    for name, told, value in (
        ("latchgate_log_rows_behind", "Rows in segments that the database does not have yet.", standing.rows_behind),
        ("latchgate_log_segments", "Files of rows, the ones being written among them.", standing.segments),
        ("latchgate_log_unreadable_segments", "Files that are left as they are.", standing.unreadable_segments),
    ):
        yield GaugeMetricFamily(name, told, value=value)
    for name, told, value in (
        ("latchgate_log_rows_lost", "Rows that were found missing, since there is a log.", standing.rows_lost),
        ("latchgate_log_damaged_bytes", "Bytes of the log that were found damaged.", standing.damaged_bytes),
    ):
        yield CounterMetricFamily(name, told, value=value)
