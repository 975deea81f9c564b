"""What metrics and structured logs cost: a server with them beside one where nothing is counted or written, in turns.

    python bench/metrics_cost.py [--rounds 5] [--seconds 3]

What is left out in the second one is listed in launch.py.
"""

import tempfile
from pathlib import Path

from instances import LOGGED_USER, make_instance
from launch import METRICS, missing_parts
from report import Aim, Table, columns, finish, judge, options_of, ratio_of
from servers import Load, Measured, measure, require_wrk, serve_latchgate

_MOST = 0.05


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__)
    missing = missing_parts(METRICS)
    if missing:
        finish(options, [], [_aim(f"not measured: this release has no {' and no '.join(missing)}")])
        return
    wrk = require_wrk()
    runs: dict[str, list[Measured]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory() as folder:
        homes = {name: Path(folder) / name for name in runs}
        headers = {name: make_instance(home).token for name, home in homes.items()}
        with serve_latchgate(homes["on"]) as ours, serve_latchgate(homes["off"], without=("metrics",)) as without:
            servers = {"on": ours, "off": without}
            loads = {
                name: Load(f"http://127.0.0.1:{server.port}{LOGGED_USER}", headers[name])
                for name, server in servers.items()
            }
            for name, load in loads.items():
                measure(wrk, load, servers[name], 1)
            for _ in range(options.rounds):
                for name, load in loads.items():
                    runs[name].append(measure(wrk, load, servers[name], options.seconds))
    caption = (
        "One worker on one processor, wrk with 32 connections on the other; medians of "
        f"{options.rounds} rounds of {options.seconds:g} s."
    )
    rows = tuple((name, *columns(found), f"{ratio_of(found, runs['off']):.3f}") for name, found in runs.items())
    head = ("metrics and structured logs", "requests/s", "p50 / p99 ms", "processor µs", "ingester µs", "of off")
    cost = judge(1 - ratio_of(runs["on"], runs["off"]), most=_MOST, form="{:.1%}")
    finish(options, [Table(caption, head, rows)], [_aim(cost)])


def _aim(told: str) -> Aim:
    return Aim("cost of metrics and structured logs, of the cached figure", f"under {_MOST:.0%}", told)


if __name__ == "__main__":
    main()
