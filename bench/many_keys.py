"""How fast requests by one of a million keys are answered, drawn by Zipf's law or evenly, with the default cache.

    python bench/many_keys.py [--rounds 5] [--seconds 3] [--keys 1000000]

Beside one key all the time and beside keys that were never used, in turns. By Zipf's law with exponent 1 the key of
rank n comes n times less often than the first. Before each measured run the server gets some seconds of the same,
drawn otherwise: by Zipf's law so many that the cache is as full as it becomes, since the runs between have filled it
with keys that are not asked for again.
"""

import random
import tempfile
from array import array
from itertools import accumulate
from pathlib import Path

from instances import LOGGED_USER, Keys, add_keys, make_instance
from processes import Server
from report import Aim, Table, columns, finish, judge, options_of, ratio_of
from servers import Load, Measured, measure, require_wrk, serve_latchgate, serve_nginx

_DRAWS = 500_000
_WARM_UP_SECONDS = {"Zipf": 12, "uniform": 1}
_UNUSED_PER_SECOND = 15_000
"""Keys kept apart for each second of the runs by keys that were never used."""
_ZIPF_OF_CACHED, _UNIFORM_OF_MISS = 0.3, 1.0


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__, keys=1_000_000)
    wrk = require_wrk()
    unused = round(_UNUSED_PER_SECOND * options.rounds * (options.seconds + 1))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        header = make_instance(home).token
        keys = add_keys(home, options.keys + unused, Path(folder) / "keys")
        draws = _draw(options, Path(folder))
        runs: dict[str, list[Measured]] = {}
        first = options.keys
        with serve_latchgate(home) as server, serve_nginx() as nginx:
            for number in range(options.rounds):
                runs.setdefault("one key", []).append(measure(wrk, Load(_url(server), header), server, options.seconds))
                for law, files in draws.items():
                    begun = number * _DRAWS // options.rounds
                    warm, load = (_load(server, keys, begun, file) for file in files)
                    measure(wrk, warm, server, _WARM_UP_SECONDS[law])
                    runs.setdefault(law, []).append(measure(wrk, load, server, options.seconds))
                miss = _load(server, keys, first)
                runs.setdefault("never used", []).append(measure(wrk, miss, server, options.seconds))
                first += runs["never used"][-1].requests + miss.connections
            uniform = _load(nginx, keys, 0, draws["uniform"][0])
            generator = [measure(wrk, uniform, nginx, options.seconds) for _ in range(options.rounds)]
    finish(options, [_table(options.keys, options.rounds, options.seconds, runs, generator)], _aims(options.keys, runs))


def _draw(options: object, folder: Path) -> dict[str, tuple[Path, Path]]:
    """Draw numbers of keys, twice by each law: to warm up by, and to measure by."""
    count = vars(options)["keys"]
    numbers = range(count)
    weights = {"Zipf": list(accumulate(1 / (rank + 1) for rank in numbers)), "uniform": None}
    # Whose rank is whose must say nothing about where the row lies.
    order = list(numbers)
    generator = random.Random(1)  # noqa: S311  # drawn alike in each run
    generator.shuffle(order)
    found = {}
    for law, cumulative in weights.items():
        files = folder / f"{law}-warm", folder / law
        for file in files:
            drawn = generator.choices(numbers, cum_weights=cumulative, k=_DRAWS)
            file.write_bytes(array("I", [order[rank] for rank in drawn]).tobytes())
        found[law] = files
    return found


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}{LOGGED_USER}"


def _load(server: Server, keys: Keys, first: int, draws: Path | None = None) -> Load:
    return Load(_url(server), script="keys.lua", arguments=keys.arguments(first, draws))


def _table(keys: int, rounds: int, seconds: float, runs: dict[str, list[Measured]], generator: list[Measured]) -> Table:
    caption = (
        "One worker on one processor, wrk with 32 connections on the other; medians of "
        f"{rounds} rounds of {seconds:g} s, {keys:,} keys, the default cache. The last line is what the generator "
        "itself reaches: the same requests, answered by nginx."
    )
    rows = [
        (name, *columns(found), f"{ratio_of(found, runs['one key']):.2f}", f"{ratio_of(found, runs['never used']):.2f}")
        for name, found in runs.items()
    ]
    rows.append(("nginx, uniform", *columns(generator), "", ""))
    head = ("keys", "requests/s", "p50 / p99 ms", "processor µs", "ingester µs", "of one key", "of never used")
    return Table(caption, head, tuple(rows))


def _aims(keys: int, runs: dict[str, list[Measured]]) -> list[Aim]:
    zipf, uniform = ratio_of(runs["Zipf"], runs["one key"]), ratio_of(runs["uniform"], runs["never used"])
    return [
        Aim(
            f"{keys:,} keys by Zipf's law (exponent 1), default cache, of the ordinary cached figure",
            f"at least {_ZIPF_OF_CACHED}",
            judge(zipf, _ZIPF_OF_CACHED),
        ),
        Aim(
            f"{keys:,} keys drawn evenly, default cache, of the miss figure",
            "no less",
            judge(uniform, _UNIFORM_OF_MISS),
        ),
    ]


if __name__ == "__main__":
    main()
