"""Run every benchmark that an aim is judged by, and print one table, a line for each aim.

    python bench/aims.py [--rounds 5] [--seconds 3] [--only miss,workers] [--document docs/performance.md]

What each benchmark prints by itself goes to standard error as it comes. With --document the tables replace what stands
between the two markers of that file; with --only besides, what stands there of these benchmarks, which then say when.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import HEAD, Aim
from servers import machine

_NAMES = (
    *("verify", "miss", "many_keys", "workers", "memory", "log_cost", "revocation", "metrics_cost", "tail", "protect"),
    "embed",
)
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
_DETAIL = "## In detail"
_FAILED = "**failed**: run it alone to see why"
_RIVALS = Aim(
    "rivals, for orientation",
    "–",
    "the fastest key checker but nginx itself reaches 3,100 a second, Frappe 150–370: see [below](#what-others-reach)",
)


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default=",".join(_NAMES), help="some of: %(default)s")
    parser.add_argument("--document", type=Path)
    options = parser.parse_args()
    names = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        found = [_run(name, options, Path(folder) / name) for name in names]
    aims = [Aim(**line) for document in found for line in document["aims"]]
    text = "\n".join([HEAD, *map(str, [*aims, _RIVALS])])
    print(text)
    if options.document:
        _write(options.document, options, text, dict(zip(names, found, strict=True)))
    if any(line.measured == _FAILED for line in aims):
        raise SystemExit(1)


def _run(name: str, options: argparse.Namespace, file: Path) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), "--aims", str(file)]
    command += ["--rounds", str(options.rounds), "--seconds", str(options.seconds)]
    print(f"\n{name}.py", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        # What the others measured in half an hour is not to be lost for it.
        return {"aims": [{"what": f"`bench/{name}.py`", "aim": "–", "measured": _FAILED}], "tables": []}
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def _write(document: Path, options: argparse.Namespace, text: str, found: dict[str, dict[str, Any]]) -> None:
    before, begin, rest = document.read_text().partition(_BEGIN)
    measured, end, after = rest.partition(_END)
    if not (begin and end):
        raise SystemExit(f"{document} lacks the markers between which the tables go.")
    when = time.strftime("%Y-%m-%d", time.gmtime())
    caption = f"{machine()}; {when}, {options.rounds} rounds of {options.seconds:g} s."
    if set(found) == set(_NAMES):
        details = [f"{_title(name)}\n\n" + "\n\n".join(one["tables"]) for name, one in found.items() if one["tables"]]
        measured = "\n\n".join(["", caption, text, _DETAIL, *details, ""])
    else:
        for name, one in found.items():
            measured = _replace(measured, name, caption, one)
    document.write_text(before + _BEGIN + measured + _END + after)


def _replace(measured: str, name: str, caption: str, found: dict[str, Any]) -> str:
    """Put one benchmark's lines and tables in the place of those before; the others stay, with what is said of them."""
    for line in map(str, (Aim(**one) for one in found["aims"])):
        what = line.split(" | ")[0] + " | "
        old = [one for one in measured.splitlines() if one.startswith(what)]
        if not old:
            raise SystemExit(f"The document has no line for: {what.strip('| ')}")
        measured = measured.replace(old[0], line)
    before, title, rest = measured.partition(_title(name) + "\n")
    if not title:
        raise SystemExit(f"The document has no part {_title(name)}")
    _, following, after = rest.partition("\n### ")
    return f"{before}{title}\n{caption}\n\n" + "\n\n".join(found["tables"]) + f"\n{following}{after}"


def _title(name: str) -> str:
    return f"### `bench/{name}.py`"


if __name__ == "__main__":
    main()
