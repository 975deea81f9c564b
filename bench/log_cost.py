"""What the request log costs: appending to it, of the cached figure, and how fast its rows reach the database.

    python bench/log_cost.py [--rounds 5] [--seconds 3] [--rows 500000]

The cost is the difference to a server whose log drops every row (launch.py), in turns. The transfer is that of rows
that are all in segments already: the ingester stands still meanwhile (SIGSTOP), and is then let go alone.
"""

import os
import signal
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

from instances import LOGGED_USER, make_instance
from processes import Server
from report import Aim, Table, columns, finish, judge, options_of, ratio_of
from servers import Load, Measured, measure, require_wrk, serve_latchgate

_COST_MOST, _ROWS_A_SECOND = 0.15, 80_000
_PATIENCE_SECONDS = 600
_DONE_AFTER_SECONDS = 2
_OF_CACHED = "cost of appending to the log, of the cached figure"
_TRANSFER = "transfer of rows by the ingester"


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__, rows=500_000)
    wrk = require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        kept, dropped = _compare(wrk, Path(folder), options.rounds, options.seconds)
        transferred = _transfer(wrk, Path(folder) / "transfer", options.rows)
    caption = (
        "One worker on one processor, wrk with 32 connections on the other; medians of "
        f"{options.rounds} rounds of {options.seconds:g} s."
    )
    rows = [
        (name, *columns(runs), f"{ratio_of(runs, dropped):.3f}")
        for name, runs in {"with the log": kept, "every row dropped": dropped}.items()
    ]
    head = ("`get_logged_user`, one key", "requests/s", "p50 / p99 ms", "processor µs", "ingester µs", "of dropped")
    cost = judge(1 - ratio_of(kept, dropped), most=_COST_MOST, form="{:.1%}")
    aims = [Aim(_OF_CACHED, f"under {_COST_MOST:.0%}", cost), _transfer_aim(transferred)]
    finish(options, [Table(caption, head, tuple(rows))], aims)


def _compare(wrk: str, folder: Path, rounds: int, seconds: float) -> tuple[list[Measured], list[Measured]]:
    homes = folder / "kept", folder / "dropped"
    headers = [make_instance(home).token for home in homes]
    kept: list[Measured] = []
    dropped: list[Measured] = []
    with serve_latchgate(homes[0]) as ours, serve_latchgate(homes[1], without=("log",)) as without:
        pairs = [
            (server, Load(f"http://127.0.0.1:{server.port}{LOGGED_USER}", header), runs)
            for server, header, runs in zip((ours, without), headers, (kept, dropped), strict=True)
        ]
        for server, load, _ in pairs:
            measure(wrk, load, server, 1)
        for _ in range(rounds):
            for server, load, runs in pairs:
                runs.append(measure(wrk, load, server, seconds))
    if _count_rows(homes[1]):
        raise SystemExit("The log that was to drop its rows has some: launch.py no longer reaches what appends them.")
    return kept, dropped


def _transfer(wrk: str, home: Path, rows: int) -> float | None:
    """Let the ingester loose on so many rows; give how many it moved a second, None where there is no ingester."""
    header = make_instance(home).token
    with serve_latchgate(home) as server:
        ingesters = server.list_beside()
        if not ingesters:
            return None
        for pid in ingesters:
            os.kill(pid, signal.SIGSTOP)
        try:
            _fill(wrk, server, header, rows)
            before = _count_rows(home)
        finally:
            for pid in ingesters:
                # One that the master replaced meanwhile is gone.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        return _follow(home, before)


def _fill(wrk: str, server: Server, header: str, rows: int) -> None:
    load, made = Load(f"http://127.0.0.1:{server.port}{LOGGED_USER}", header), 0
    while made < rows:
        made += measure(wrk, load, server, 2).requests


def _follow(home: Path, before: int) -> float:
    """Watch rows arrive until none does for a while; give rows a second up to the last one."""
    began = last = time.perf_counter()
    seen = before
    while last - began < _PATIENCE_SECONDS and time.perf_counter() - last < _DONE_AFTER_SECONDS:
        now = _count_rows(home)
        if now != seen:
            seen, last = now, time.perf_counter()
        time.sleep(0.05)
    return (seen - before) / (last - began)


def _count_rows(home: Path) -> int:
    with closing(sqlite3.connect(f"file:{home / 'log.db'}?mode=ro", uri=True)) as database:
        count: int = database.execute("SELECT count(*) FROM request_log").fetchone()[0]
        return count


def _transfer_aim(rows_a_second: float | None) -> Aim:
    told = "not measured: this release has no ingester"
    if rows_a_second is not None:
        told = judge(rows_a_second, least=_ROWS_A_SECOND, form="{:,.0f} rows a second")
    return Aim(_TRANSFER, f"at least {_ROWS_A_SECOND:,} rows a second", told)


if __name__ == "__main__":
    main()
