"""What it costs a server under load that one page follows its request log: with the page and without, in turns.

    python bench/tail.py [--rounds 7] [--seconds 6] [--per-second 10000]

The load is `get_logged_user` with one key, at about so many requests a second and at as many as the server answers.
The page is what static/log.js does of it: it asks every two seconds for what is new, by a session of its own. What is
compared are runs that followed each other at once; of each pair the one that comes first changes. On a machine that
does other things meanwhile these differ by more than the page costs: so its looks, each of them after twenty thousand
requests, are measured alone, too, by their processor time.
"""

import argparse
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from desk import Browser, add_manager, signed_in
from instances import LOGGED_USER, make_instance
from processes import Server
from report import Aim, Table, columns, finish, judge, options_of
from servers import Load, Measured, measure, require_wrk, serve_latchgate

_MOST = 0.03
_EVERY_SECONDS = 2.0
_LOG = "/app/request-log"
_CONNECTIONS = 32
_PATIENCE_SECONDS = 60
_LOOKS = 100
_OK = 200


@dataclass
class Looks:
    """What a page that follows got."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    rows: int = 0
    told: int = 0
    """How many rows it was told of beside those that it got."""
    largest: int = 0
    """The bytes of the largest answer."""


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__, rounds=7, seconds=6, per_second=10_000)
    wrk, looks = require_wrk(), Looks()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder) / "home"
        header = make_instance(home).token
        add_manager(home)
        server = stack.enter_context(serve_latchgate(home))
        browser = stack.enter_context(signed_in(server))
        full = Load(f"http://127.0.0.1:{server.port}{LOGGED_USER}", header, connections=_CONNECTIONS)
        measure(wrk, full, server, 1)
        # Each of the connections asks, and waits before it asks again.
        wait_ms = max(1, round(1000 * _CONNECTIONS / options.per_second))
        slow = replace(full, script="pause.lua", arguments=(str(wait_ms),))
        found = {
            f"about {options.per_second:,} a second": _compare(wrk, slow, server, browser, looks, options),
            "as many as it answers": _compare(wrk, full, server, browser, looks, options),
        }
        share = _share(server, browser)
    _finish(options, found, looks, share)


def _share(server: Server, browser: Browser) -> float:
    """Tell which share of a processor a page takes that follows a flood of ten thousand requests a second."""
    seen = int(_begin(browser)) - round(_EVERY_SECONDS * 10_000)
    before = server.spent()
    for _ in range(_LOOKS):
        browser.time(f"{_LOG}/tail?seen={seen}")
    return server.spent().since(before).serving / _LOOKS / _EVERY_SECONDS


def _compare(
    wrk: str, load: Load, server: Server, browser: Browser, looks: Looks, options: argparse.Namespace
) -> tuple[list[Measured], list[Measured]]:
    """Give the runs with a page that follows, and those without."""
    followed: list[Measured] = []
    alone: list[Measured] = []
    for number in range(options.rounds):
        for follows in (True, False) if number % 2 else (False, True):
            with _following(browser, looks) if follows else ExitStack():
                (followed if follows else alone).append(measure(wrk, load, server, options.seconds))
    return followed, alone


@contextmanager
def _following(browser: Browser, looks: Looks) -> Iterator[None]:
    """Follow the log until the block ends."""
    stop = threading.Event()
    seen = _begin(browser)

    def follow(seen: str) -> None:
        while not stop.is_set():
            started = time.perf_counter()
            status, text = browser.read(f"{_LOG}/tail?seen={seen}")
            looks.seconds.append(time.perf_counter() - started)
            if status == _OK:
                seen = _seen(text)
            else:
                looks.failed += 1
            looks.rows += text.count('id="row-')
            looks.told += sum(
                int(more.replace(",", "")) for more in re.findall('data-more="[^"]*?([0-9,]+) more', text)
            )
            looks.largest = max(looks.largest, len(text))
            stop.wait(_EVERY_SECONDS)

    thread = threading.Thread(target=follow, args=(seen,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _begin(browser: Browser) -> str:
    """Open the page, once the rows of the run before are there to be shown."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status, text = browser.read(_LOG)
        if status == _OK:
            return _seen(text)
        time.sleep(_EVERY_SECONDS)
    raise SystemExit("The request log does not catch up.")


def _seen(text: str) -> str:
    found = re.search('data-seen="([0-9]+)"', text)
    if found is None:
        raise SystemExit("The log's page offers nothing to follow.")
    return found[1]


def _cost(followed: list[Measured], alone: list[Measured]) -> tuple[float, float]:
    """Tell by how much less was answered, and how much more processor time of all processes a request took."""
    pairs = list(zip(followed, alone, strict=True))
    slower = 1 - statistics.median(a.per_second / b.per_second for a, b in pairs)
    dearer = statistics.median((a.cpu_us + a.beside_us) / (b.cpu_us + b.beside_us) for a, b in pairs) - 1
    return slower, dearer


def _finish(
    options: argparse.Namespace, found: dict[str, tuple[list[Measured], list[Measured]]], looks: Looks, share: float
) -> None:
    rows, aims = [], []
    for load, (followed, alone) in found.items():
        slower, dearer = _cost(followed, alone)
        rows.append((f"{load}, followed", *columns(followed), f"{-slower:+.1%}", f"{dearer:+.1%}"))
        rows.append((f"{load}, alone", *columns(alone), "", ""))
        told = judge(slower, most=_MOST, form="{:.1%}")
        aims.append(Aim(f"requests that a page which follows the log costs, {load}", f"under {_MOST:.0%}", told))
    told = judge(share, most=_MOST, form="{:.1%}")
    what = "processor time of a page that follows 10,000 requests a second, of one processor"
    aims.append(Aim(what, f"under {_MOST:.0%}", told))
    took = f"{statistics.median(looks.seconds) * 1000:.0f} ms (at most {max(looks.seconds) * 1000:.0f})"
    caption = (
        f"One worker on one processor, wrk with {_CONNECTIONS} connections on the other; medians of {options.rounds} "
        f"rounds of {options.seconds:g} s. {len(looks.seconds)} looks ({looks.failed} failed) took {took}, gave "
        f"{looks.rows:,} rows and told of {looks.told:,} others, in at most {looks.largest / 1000:,.0f} kB each."
    )
    head = ("load", "requests/s", "p50 / p99 ms", "processor µs", "ingester µs", "requests/s", "processor time")
    finish(options, [Table(caption, head, tuple(rows))], aims)


if __name__ == "__main__":
    main()
