"""How many requests a second, each by a key that no request came by before: what a look-up in the database costs.

    python bench/miss.py [--rounds 5] [--seconds 3] [--keys 200000]

Each key is used once; the last column is beside the same request by one key all the time, in turns. With 32 connections
the server is as busy as it can be, and each request waits for 31 others: how long one takes is told by what four
connections see.
"""

import tempfile
from pathlib import Path

from instances import LOGGED_USER, add_keys, make_instance
from report import Aim, Table, columns, finish, judge, median_of, options_of, ratio_of
from servers import Load, Measured, measure, require_wrk, serve_latchgate

_PER_SECOND, _P99_MS = 5_000, 5.0
_FEW = 4


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__, keys=200_000)
    wrk = require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        header = make_instance(home).token
        keys = add_keys(home, options.keys, Path(folder) / "keys")
        first, misses, few, hits = 0, [], [], []
        with serve_latchgate(home) as server:
            url = f"http://127.0.0.1:{server.port}{LOGGED_USER}"
            measure(wrk, Load(url, header), server, 1)
            for _ in range(options.rounds):
                hits.append(measure(wrk, Load(url, header), server, options.seconds))
                for found, connections in ((misses, 32), (few, _FEW)):
                    load = Load(url, script="keys.lua", arguments=keys.arguments(first), connections=connections)
                    found.append(measure(wrk, load, server, options.seconds))
                    # What was under way when the time was over is not counted, but was asked.
                    first += found[-1].requests + connections
    caption = (
        f"One worker on one processor, wrk with 32 connections or {_FEW} on the other; medians of "
        f"{options.rounds} rounds of {options.seconds:g} s. {first:,} of {options.keys:,} keys were used, each once."
    )
    rows = (
        _row("the first request of a key", misses, hits),
        _row(f"the same, {_FEW} connections", few, hits),
        _row("one key", hits, hits),
    )
    head = ("`get_logged_user` by token", "requests/s", "p50 / p99 ms", "processor µs", "ingester µs", "of one key")
    finish(options, [Table(caption, head, rows)], [_aim(misses, few)])


def _row(name: str, runs: list[Measured], base: list[Measured]) -> tuple[str, ...]:
    return (name, *columns(runs), f"{ratio_of(runs, base):.2f}")


def _aim(misses: list[Measured], few: list[Measured]) -> Aim:
    per_second, p99 = median_of(misses, lambda run: run.per_second), median_of(few, lambda run: run.p99_ms)
    told = judge(per_second, least=_PER_SECOND, form="{:,.0f} a second"), judge(p99, most=_P99_MS, form="p99 {:.1f} ms")
    aim = f"at least {_PER_SECOND:,} a second on one core; p99 under {_P99_MS:.0f} ms"
    return Aim("first request of a key (miss)", aim, "; ".join(told))


if __name__ == "__main__":
    main()
