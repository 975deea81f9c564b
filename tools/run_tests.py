"""Run the tests; a few that fail are run once more, alone, and told by name if they pass then.

    python tools/run_tests.py [-n 4 --dist loadfile --no-loadscope-reorder]

A test that fails twice has failed. So has a run in which more than a few fail, one hangs or ends its process, or that
was not finished. Whoever wants anything else of pytest runs it itself.
"""

import json
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

__all__ = ["AGAIN_MAX", "main"]

AGAIN_MAX = 8
"""How many tests may have failed for them to be run again: chance hits few, and a fault often many."""
_SOME_FAILED = 1
"""What pytest ends with if it ran all tests and some failed."""
# What would leave tests out, or run them in another way, is not taken: nothing could be said of the second run then.
_SHARED_OUT = re.compile(r"-n|[0-9]+|--dist|loadfile|--no-loadscope-reorder")
# A dead-lock shows itself seldom as it is.
_NO_CHANCE = re.compile(r"Timeout \(&gt;|crashed while running")


def main(arguments: list[str]) -> int:
    """Run pytest, and once more for what failed. Returns what the process is to end with."""
    for argument in arguments:
        if not _SHARED_OUT.fullmatch(argument):
            raise SystemExit(f"{argument}: only how tests are shared out; for all else: python -m pytest {argument}")
    with tempfile.TemporaryDirectory(prefix="latchgate-tests-") as folder:
        report, failures = Path(folder) / "report.xml", Path(folder) / "v/cache/lastfailed"
        code = _run(["-o", f"cache_dir={folder}", f"--junit-xml={report}", *arguments])
        if code != _SOME_FAILED:
            return code
        failed = list(json.loads(failures.read_text(encoding="utf-8")))
        if not 0 < len(failed) <= AGAIN_MAX or _NO_CHANCE.search(report.read_text(encoding="utf-8")):
            return code
        _tell(f"{len(failed)} failed, and are run once more, alone:", failed)
        code = _run(["-n", "0", f"--junit-xml={report}", *failed])
        if code == 0 and _count_passed(report) != len(failed):
            _tell("They were not all run:", failed)
            return _SOME_FAILED
    if code == 0:
        _tell("These passed only when they were alone; they depend on chance, and want mending:", failed)
    return code


def _count_passed(report: Path) -> int:
    cases = ET.fromstring(report.read_text(encoding="utf-8")).iter("testcase")  # noqa: S314  # pytest has just written it
    return sum(not any(case.find(what) is not None for what in ("failure", "error", "skipped")) for case in cases)


def _run(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode  # noqa: S603


def _tell(words: str, tests: list[str]) -> None:
    print("", words, *tests, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
