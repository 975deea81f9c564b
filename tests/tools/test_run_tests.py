"""What `make test` runs: what fails is run once more, alone, and nothing that fails is let pass."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_tests import AGAIN_MAX, main

_PROGRAM = Path(__file__).parents[2] / "tools" / "run_tests.py"


def run(folder: Path, tests: str) -> tuple[int, str]:
    """Run a file of tests as `make test` does; tell what it ended with, and what it said."""
    (folder / "test_some.py").write_text(f"import pathlib, pytest\n\nMARK = pathlib.Path('mark')\n\n\n{tests}\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # The others take seconds to load.
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin,pytest_timeout"}
    arguments = [sys.executable, str(_PROGRAM), "-n", "0"]
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout


ONCE = """
@pytest.mark.parametrize("how", ["a b", "[::]"])
def test_once(how):
    assert MARK.with_suffix(f".{len(how)}").exists() or MARK.with_suffix(f".{len(how)}").touch()
"""


def test_all_pass(tmp_path: Path) -> None:
    """They are run once."""
    code, said = run(tmp_path, "def test_it():\n    pass")

    assert (code, said.count("1 passed")) == (0, 1)


def test_chance_is_told(tmp_path: Path) -> None:
    """What passes the second time is named."""
    code, said = run(tmp_path, ONCE + "\n\ndef test_it():\n    pass")

    assert code == 0
    assert "2 failed, 1 passed" in said
    assert "2 passed" in said
    assert said.endswith("want mending:\ntest_some.py::test_once[a b]\ntest_some.py::test_once[[::]]\n")


def test_what_fails_twice_has_failed(tmp_path: Path) -> None:
    """Whatever else passes then."""
    code, said = run(tmp_path, ONCE + "\n\ndef test_never():\n    assert MARK is None")

    assert code == 1
    assert "1 failed, 2 passed" in said
    assert "want mending" not in said


@pytest.mark.parametrize(
    "tests",
    [
        f"@pytest.mark.parametrize('n', range({AGAIN_MAX + 1}))\ndef test_once(n):\n    assert MARK.exists()\n",
        "def test_it():\n    raise KeyboardInterrupt\n",
        "import nothing_of_this_name\n",
        "",
        "@pytest.mark.timeout(1)\ndef test_it():\n    import time\n    time.sleep(20)\n",
    ],
    ids=["too many", "interrupted", "cannot be loaded", "no tests", "hangs"],
)
def test_no_second_chance(tmp_path: Path, tests: str) -> None:
    """Where more fail than chance would hit, or the run did not come to its end."""
    code, said = run(tmp_path, tests)

    assert code != 0
    assert "once more" not in said


def test_what_is_skipped_then_has_not_passed(tmp_path: Path) -> None:
    """A test must have been run to pass."""
    code, said = run(
        tmp_path, "def test_it():\n    if MARK.exists():\n        pytest.skip()\n    MARK.touch()\n    assert 0"
    )

    assert code == 1
    assert "They were not all run" in said


def test_nothing_else_is_taken() -> None:
    """What would leave tests out would pass for all of them."""
    with pytest.raises(SystemExit, match="-x: only how tests are shared out"):
        main(["-n", "4", "-x"])
