"""Run the tests; a few that fail are run once more, alone, and told by name if they pass then.

    python tools/run_tests.py [what pytest takes, such as -n 4]

A test that fails twice has failed. So has a run in which more than a few fail, or that was not finished.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["AGAIN_MAX", "main"]

AGAIN_MAX = 8
"""How many tests may have failed for them to be run again: chance hits few, a fault often many."""
_SOME_FAILED = 1
"""What pytest ends with if it ran all tests and some failed."""


def main(arguments: list[str]) -> int:
    """Run pytest, and once more for what failed. Returns what the process is to end with."""
    with tempfile.TemporaryDirectory(prefix="latchgate-tests-") as folder:
        code = _run(["-o", f"cache_dir={folder}", *arguments])
        if code != _SOME_FAILED:
            return code
        failed = list(json.loads((Path(folder) / "v/cache/lastfailed").read_text(encoding="utf-8")))
    if not 0 < len(failed) <= AGAIN_MAX:
        return code
    _tell(f"{len(failed)} failed, and are run once more, alone:", failed)
    code = _run(["-n", "0", *failed])
    if code == 0:
        _tell("These passed only when they were alone; they depend on chance, and want mending:", failed)
    return code


def _run(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode  # noqa: S603


def _tell(words: str, tests: list[str]) -> None:
    print("", words, *tests, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
