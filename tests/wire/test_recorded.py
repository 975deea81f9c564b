"""What a real Frappe server answered, replayed: alike, but for the differences that docs/differences.md explains."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.frappe_like import VECTORS, running_like_frappe
from support.recorded_documents import carry_over
from support.recorded_oauth import carry_over_oauth
from support.running import RunningLatchgate

_REPLAY = Path(__file__).parents[1] / "support" / "replay.py"


@pytest.fixture
def frappe_like(tmp_path: Path) -> Iterator[RunningLatchgate]:
    """A server that holds what the recorded one held."""
    with running_like_frappe(tmp_path / "home", LATCHGATE_OAUTH_REGISTRATION="open") as running:
        yield running


@pytest.mark.parametrize(
    ("version", "areas", "differences"),
    [
        ("16", "token,source,login", "differences.json"),
        # By itself: users may make their own keys here, so that the cases end keys that other areas go on using.
        ("16", "keys", "differences-keys.json"),
        ("16", "resource,client", "differences-documents.json"),
        ("14", "source", "differences-14.json"),
        ("16", "oauth", "differences-oauth.json"),
        ("16", "oauth", "differences-oauth-carried.json"),
    ],
)
def test_recorded_exchanges_replay(
    frappe_like: RunningLatchgate, tmp_path: Path, version: str, areas: str, differences: str
) -> None:
    """Every recorded exchange is answered alike, or differs as listed."""
    recorded = json.loads((VECTORS / "cases.json").read_text())
    cases = [carry_over(case) for case in recorded]
    if areas == "oauth":
        cases = list(carry_over_oauth(recorded)) if "carried" in differences else recorded
    chosen = tmp_path / "cases.json"
    chosen.write_text(json.dumps(cases))

    command = [sys.executable, str(_REPLAY), "--base", frappe_like.base, "--cases", str(chosen), "--version", version]
    command += ["--area", areas, "--differences", str(VECTORS / differences)]
    # Version 14 set neither of the two that are compared; for records one is a hint that no client reads.
    command += ["--headers"] if "token" in areas else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "differences.json",
        "differences-keys.json",
        "differences-documents.json",
        "differences-14.json",
        "differences-oauth.json",
        "differences-oauth-carried.json",
    ],
)
def test_every_difference_refers_to_a_paragraph(name: str) -> None:
    """Each difference on purpose names the numbered paragraph of docs/differences.md that explains it."""
    text = (Path(__file__).parents[2] / "docs" / "differences.md").read_text()
    for label, entry in json.loads((VECTORS / name).read_text()).items():
        number = entry["why"].rpartition(", ")[2]
        assert f"\n{number}. " in text or f"\n## {number}. " in text, label
