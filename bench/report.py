"""What a benchmark says in the end: a table of its own, and a line for each aim that it is judged by."""

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from servers import Measured, machine

__all__ = ["HEAD", "Aim", "Table", "columns", "finish", "judge", "median_of", "options_of", "ratio_of"]

HEAD = "| what | aim | measured |\n|---|---|---|"
"""Of the table of aims."""


@dataclass(frozen=True)
class Aim:
    """One line of the table of aims."""

    what: str
    aim: str
    measured: str

    def __str__(self) -> str:
        """Write it as a row of HEAD's table."""
        return f"| {self.what} | {self.aim} | {self.measured} |"


@dataclass(frozen=True)
class Table:
    """A benchmark's own table: what it says above it, the first line's cells, all others."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        """Write it in Markdown; all columns but the first hold numbers."""
        lines = [self.head, ("---", *["---:"] * (len(self.head) - 1)), *self.rows]
        return "\n".join([self.caption, "", *(f"| {' | '.join(cells)} |" for cells in lines)])


def options_of(
    description: str | None, *, rounds: int = 5, seconds: float = 3, kept: bool = False, **more: int
) -> argparse.Namespace:
    """Read the options that every benchmark has, and more of its own, which are numbers."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"of each run; default {seconds}")
    for name, default in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--aims", type=Path, help="a file to add the lines for the table of aims to")
    if kept:
        parser.add_argument("--home", type=Path, help="a folder where what was filled is kept, and used again")
        parser.add_argument("--only", default="", help="what is in whose name alone")
    return parser.parse_args()


def finish(options: argparse.Namespace, tables: Iterable[Table], aims: Iterable[Aim]) -> None:
    """Print what was measured and, if asked to, leave it for the table of all aims."""
    parts, lines = [str(table) for table in tables], list(aims)
    print(f"{machine()}.", *parts, HEAD + "".join(f"\n{line}" for line in lines), sep="\n\n", flush=True)
    if options.aims:
        with options.aims.open("a") as file:
            document = {"aims": [asdict(line) for line in lines], "tables": parts}
            file.write(json.dumps(document) + "\n")


def judge(measured: float, least: float | None = None, most: float | None = None, form: str = "{:.2f}") -> str:
    """Write a figure, and whether it is what was aimed at."""
    reached = (least is None or measured >= least) and (most is None or measured <= most)
    return f"{form.format(measured)}, {'reached' if reached else '**missed**'}"


def median_of(runs: Iterable[Measured], figure: Callable[[Measured], float]) -> float:
    """Give the median of a figure over all rounds."""
    return statistics.median(figure(run) for run in runs)


def ratio_of(own: Iterable[Measured], base: Iterable[Measured]) -> float:
    """Give the median of the ratios of requests a second, of runs that followed each other at once."""
    return statistics.median(a.per_second / b.per_second for a, b in zip(own, base, strict=True))


def columns(runs: list[Measured]) -> tuple[str, ...]:
    """Write requests a second, p50 / p99, and processor time of those that serve and of those beside them."""
    p50, p99 = (median_of(runs, figure) for figure in (lambda run: run.p50_ms, lambda run: run.p99_ms))
    return (
        f"{median_of(runs, lambda run: run.per_second):,.0f}",
        f"{p50:.2f} / {p99:.2f}",
        f"{median_of(runs, lambda run: run.cpu_us):.1f}",
        f"{median_of(runs, lambda run: run.beside_us):.1f}",
    )
