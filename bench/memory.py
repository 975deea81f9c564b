"""How much memory a worker takes beside an empty uvicorn, both after the same requests, and how long a start takes.

    python bench/memory.py [--rounds 5] [--keys 10000]

The worker has answered each of so many keys twice, so that it holds a live verdict of each. The aim is judged by RSS,
all that the process has in memory, shared pages too; PSS, its share of them, stands beside it.
"""

import http.client
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from instances import LOGGED_USER, Keys, add_keys, make_instance
from processes import Server, memory_kib
from report import Aim, Table, finish, judge, options_of
from servers import serve_empty, serve_latchgate

_MOST_MB = 40
_KIB_PER_MB = 1024
_NAMES = ("latchgate", "empty")
_OK = 200


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__, keys=10_000)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in _NAMES}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        make_instance(home)
        keys = add_keys(home, options.keys, Path(folder) / "keys")
        for _ in range(options.rounds):
            for name in _NAMES:
                found[name].append(_look(home, keys, name))
    medians = {name: tuple(map(statistics.median, zip(*rounds, strict=True))) for name, rounds in found.items()}
    own, empty = (medians[name] for name in _NAMES)
    rows = [
        _row(f"Latchgate, one worker, {options.keys:,} live verdicts", own),
        _row("uvicorn, an empty application, as many requests", empty),
        ("difference", *(f"{ours - theirs:.1f}" for ours, theirs in zip(own[:2], empty[:2], strict=True)), ""),
    ]
    caption = f"The process that serves, in MB (2^20 bytes); medians of {options.rounds} starts."
    head = ("", "RSS MB", "PSS MB", "start to first answer, s")
    what = f"memory of one worker with {options.keys:,} live verdicts above an empty uvicorn worker (RSS)"
    aim = Aim(what, f"at most {_MOST_MB} MB", judge(own[0] - empty[0], most=_MOST_MB, form="{:.1f} MB"))
    finish(options, [Table(caption, head, tuple(rows))], [aim])


def _row(name: str, medians: tuple[float, ...]) -> tuple[str, ...]:
    rss, pss, seconds = medians
    return name, f"{rss:.1f}", f"{pss:.1f}", f"{seconds:.2f}"


def _look(home: Path, keys: Keys, name: str) -> tuple[float, float, float]:
    """Start a server, ask by each key twice, and give its RSS and PSS in MB and how long the start took."""
    with ExitStack() as stack:
        began = time.perf_counter()
        server = stack.enter_context(serve_latchgate(home) if name == "latchgate" else serve_empty())
        seconds = time.perf_counter() - began
        for _ in range(2):
            _ask_by_each(server, keys)
        (pid,) = server.list_serving()
        memory = memory_kib(pid)
    return memory["Rss"] / _KIB_PER_MB, memory["Pss"] / _KIB_PER_MB, seconds


def _ask_by_each(server: Server, keys: Keys) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    text = keys.file.read_text()
    for number in range(keys.count):
        pair = text[number * keys.width : (number + 1) * keys.width]
        connection.request("GET", LOGGED_USER, headers={"Authorization": f"token {pair}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != _OK:
            raise SystemExit(f"A good key was answered with {answer.status}.")
    connection.close()


if __name__ == "__main__":
    main()
