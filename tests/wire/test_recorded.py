"""What a real Frappe server answered, replayed: alike, but for the differences that docs/differences.md explains."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running import RunningLatchgate

_VECTORS = Path(__file__).parents[1] / "vectors" / "frappe"
_REPLAY = Path(__file__).parents[1] / "support" / "replay.py"


@pytest.fixture(scope="module")
def frappe_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server that holds what fixtures.json describes, taken in by the command that users have."""
    running = RunningLatchgate(tmp_path_factory.mktemp("recorded") / "home")
    running.start()
    done = running.run("import", str(_VECTORS / "fixtures.json"))
    assert done.returncode == 0, done.stderr
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("version", "areas", "differences"),
    [("16", "token,source,login", "differences.json"), ("14", "source", "differences-14.json")],
)
def test_recorded_exchanges_replay(
    frappe_like: RunningLatchgate, tmp_path: Path, version: str, areas: str, differences: str
) -> None:
    """Every recorded exchange is answered alike, or differs as listed; those that wait for a later part are named."""
    waiting = set(json.loads((_VECTORS / "waiting.json").read_text())["cases"])
    cases = json.loads((_VECTORS / "cases.json").read_text())
    kept = [case for case in cases if f"{case['area']} / {case['name']}" not in waiting]
    chosen = tmp_path / "cases.json"
    chosen.write_text(json.dumps(kept))

    command = [sys.executable, str(_REPLAY), "--base", frappe_like.base, "--cases", str(chosen), "--version", version]
    command += ["--area", areas, "--differences", str(_VECTORS / differences)]
    command += ["--headers"] if version == "16" else []  # version 14 set neither of the two that are compared
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout


def test_every_case_that_waits_was_recorded() -> None:
    """The list of what waits names recorded cases only, so that none is left out by a typing error."""
    cases = json.loads((_VECTORS / "cases.json").read_text())
    labels = {f"{case['area']} / {case['name']}" for case in cases}

    assert set(json.loads((_VECTORS / "waiting.json").read_text())["cases"]) <= labels


@pytest.mark.parametrize("name", ["differences.json", "differences-14.json"])
def test_every_difference_refers_to_a_paragraph(name: str) -> None:
    """Each difference on purpose names the numbered paragraph of docs/differences.md that explains it."""
    text = (Path(__file__).parents[2] / "docs" / "differences.md").read_text()
    for label, entry in json.loads((_VECTORS / name).read_text()).items():
        number = entry["why"].rpartition(", ")[2]
        assert f"\n{number}. " in text or f"\n## {number}. " in text, label
