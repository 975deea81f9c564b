"""How fast `get_logged_user` answers by each scheme, beside nginx and an empty application on uvicorn, in turns.

    python bench/verify.py [--rounds 5] [--seconds 3]

nginx answers `return 200` with the same bytes, uvicorn as it comes runs an ASGI application that does nothing, and a
bare protocol on uvloop and httptools parses and writes: nobody can do less in Python on these libraries. Answered are
requests by the fast lane in the parser, by the application as any ASGI server calls it, and by the whole line that all
other addresses walk. Absolute figures say nothing on a machine that others use too; the ratios are of runs that
followed each other at once.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from instances import LOGGED_USER, make_instance
from processes import Server
from report import Aim, Table, columns, finish, judge, options_of, ratio_of
from servers import (
    Load,
    Measured,
    measure,
    require_wrk,
    serve_bare,
    serve_empty,
    serve_latchgate,
    serve_nginx,
    setting_is_known,
)

_OF_NGINX, _OF_EMPTY, _ORDINARY_OF_EMPTY = 0.65, 1.6, 0.75
_WARM_UP_SECONDS = 1
_HEAD = (
    "`get_logged_user`",
    "requests/s",
    "p50 / p99 ms",
    "processor µs",
    "ingester µs",
    "of nginx",
    "of empty",
    "of bare",
)
_LANE, _ORDINARY, _WHOLE = "the fast lane", "the application", "the whole line"
_PEERS = {
    "nginx": "nginx, `return 200`",
    "empty": "uvicorn, an empty application",
    "bare": "a bare protocol on uvloop and httptools",
}


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__)
    wrk = require_wrk()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        serves = {"nginx": serve_nginx, "empty": serve_empty, "bare": serve_bare}
        peers = {name: stack.enter_context(serve()) for name, serve in serves.items()}
        contests = [
            (f"{way}, {scheme}", server, Load(f"http://127.0.0.1:{server.port}{LOGGED_USER}", header))
            for way, server, headers in _serve_ways(stack, folder)
            for scheme, header in headers.items()
        ]
        for _, server, load in contests:
            measure(wrk, load, server, _WARM_UP_SECONDS)
        runs: dict[str, list[dict[str, Measured]]] = {}
        for _ in range(options.rounds):
            for name, server, load in contests:
                bases = {
                    peer: measure(wrk, Load(f"http://127.0.0.1:{at.port}/"), at, options.seconds)
                    for peer, at in peers.items()
                }
                own = measure(wrk, load, server, options.seconds)
                runs.setdefault(name, []).append({**bases, "own": own})
    caption = (
        "One worker on one processor, wrk with 32 connections on the other; medians of "
        f"{options.rounds} rounds of {options.seconds:g} s, each beside a run of each peer."
    )
    finish(options, [Table(caption, _HEAD, tuple(_rows(runs)))], _aims(runs))


def _serve_ways(stack: ExitStack, folder: Path) -> list[tuple[str, Server, dict[str, str]]]:
    """Serve an instance for each way of answering."""
    ways = {_ORDINARY: {}}
    if setting_is_known("fast_lane"):
        values = {_LANE: "parser", _ORDINARY: "application", _WHOLE: "off"}
        ways = {way: {"LATCHGATE_FAST_LANE": value} for way, value in values.items()}
    found = []
    for number, (way, settings) in enumerate(ways.items()):
        home = folder / f"home{number}"
        credentials = make_instance(home)
        found.append((way, stack.enter_context(serve_latchgate(home, **settings)), credentials.by_scheme()))
    return found


def _rows(runs: dict[str, list[dict[str, Measured]]]) -> list[tuple[str, ...]]:
    rows = [
        (name, *columns(_of(found, "own")), *(f"{_ratio(found, peer):.2f}" for peer in _PEERS))
        for name, found in runs.items()
    ]
    for peer, label in _PEERS.items():
        every = [run for found in runs.values() for run in _of(found, peer)]
        rows.append((label, *columns(every), "", "", ""))
    return rows


def _aims(runs: dict[str, list[dict[str, Measured]]]) -> list[Aim]:
    what = "`get_logged_user`, cached, by token, Basic or Bearer, with the log"
    lane = {name: found for name, found in runs.items() if name.startswith(_LANE)}
    ordinary = {name: found for name, found in runs.items() if name.startswith(_ORDINARY)}
    aims = []
    for peer, least in (("nginx", _OF_NGINX), ("empty", _OF_EMPTY)):
        label = "nginx `return 200`" if peer == "nginx" else "uvicorn with an empty application"
        aims.append(Aim(f"{what}, of {label}", f"at least {least}", _told(lane, peer, least)))
    aims.append(
        Aim(
            "the same by the ordinary way: the application, as any ASGI server calls it, of uvicorn with an empty one",
            f"at least {_ORDINARY_OF_EMPTY}",
            _told(ordinary, "empty", _ORDINARY_OF_EMPTY),
        )
    )
    return aims


def _told(runs: dict[str, list[dict[str, Measured]]], peer: str, least: float) -> str:
    """Tell the ratio of each scheme; judged is the least of them."""
    if not runs:
        return "not measured: this release has no fast lane"
    ratios = {name.rpartition(", ")[2]: _ratio(found, peer) for name, found in runs.items()}
    each = ", ".join(f"{scheme} {ratio:.2f}" for scheme, ratio in ratios.items())
    return f"{judge(min(ratios.values()), least)} ({each})"


def _of(found: list[dict[str, Measured]], name: str) -> list[Measured]:
    return [run[name] for run in found]


def _ratio(found: list[dict[str, Measured]], peer: str) -> float:
    return ratio_of(_of(found, "own"), _of(found, peer))


if __name__ == "__main__":
    main()
