"""What a second worker gives: two on two processors against one, the load generator on the same two, in turns.

python bench/workers.py [--rounds 5] [--seconds 3]
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from instances import LOGGED_USER, make_instance
from report import Aim, Table, columns, finish, judge, options_of, ratio_of
from servers import BOTH_CPUS, Load, Measured, measure, require_wrk, serve_latchgate

from latchgate.errors import SettingsError
from latchgate.settings import load_settings

_LEAST = 1.5
_CONNECTIONS = 64
"""Enough that the kernel's choice of a worker for each gives both about as many."""


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__)
    wrk = require_wrk()
    counts = list(_possible_counts())
    runs: dict[int, list[Measured]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        loads = {}
        for count in counts:
            home = Path(folder) / f"home{count}"
            header = make_instance(home).token
            served = serve_latchgate(home, cpus=BOTH_CPUS, LATCHGATE_WORKERS=str(count))
            server = stack.enter_context(served)
            url = f"http://127.0.0.1:{server.port}{LOGGED_USER}"
            loads[count] = server, Load(url, header, threads=2, connections=_CONNECTIONS, cpus=BOTH_CPUS)
            measure(wrk, loads[count][1], server, 1)
            if len(server.list_serving()) != count:
                raise SystemExit(f"{count} workers were asked for, {len(server.list_serving())} serve.")
        for _ in range(options.rounds):
            for count, (server, load) in loads.items():
                runs.setdefault(count, []).append(measure(wrk, load, server, options.seconds))
    rows = [(f"{count}", *columns(found), f"{ratio_of(found, runs[1]):.2f}") for count, found in runs.items()]
    caption = (
        f"Workers, and wrk with {_CONNECTIONS} connections, on the same two processors; medians of "
        f"{options.rounds} rounds of {options.seconds:g} s."
    )
    head = ("workers", "requests/s", "p50 / p99 ms", "processor µs", "ingester µs", "of one worker")
    finish(options, [Table(caption, head, tuple(rows))], [_aim(runs)])


def _possible_counts() -> Iterator[int]:
    yield 1
    try:
        load_settings({"workers": 2})
    except SettingsError:
        return
    yield 2


def _aim(runs: dict[int, list[Measured]]) -> Aim:
    told = judge(ratio_of(runs[2], runs[1]), _LEAST) if 2 in runs else "not measured: this release has one worker"  # noqa: PLR2004  # two
    what = "two workers on two processors, generator on the same, of one"
    return Aim(what, f"at least {_LEAST}", told)


if __name__ == "__main__":
    main()
