"""What a real Frappe server answered, replayed: alike, but for the differences that docs/differences.md explains."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.core.document_types import parse_time
from support.recorded_documents import KEYS, carry_over, key_fields
from support.running import RunningLatchgate

_VECTORS = Path(__file__).parents[1] / "vectors" / "frappe"
_REPLAY = Path(__file__).parents[1] / "support" / "replay.py"


@pytest.fixture
def frappe_like(tmp_path: Path) -> Iterator[RunningLatchgate]:
    """A server that holds what fixtures.json describes, taken in by the command that users have."""
    running = RunningLatchgate(tmp_path / "home")
    running.start()
    done = running.run("import", str(_VECTORS / "fixtures.json"))
    assert done.returncode == 0, done.stderr
    _add_keys(running)
    yield running
    running.stop()


def _add_keys(running: RunningLatchgate) -> None:
    """Make the keys that stand for the recorded records; their ends, which no command sets to the day, by SQL."""
    for owner, key_id, label, priority, status in KEYS:
        limit, expires = key_fields(priority, status)
        order = ["--label", label, "--limit", str(limit)]
        done = running.run("key", "import", owner, key_id, *order, typed=f"secret-of-{key_id}")
        assert done.returncode == 0, done.stderr
        with contextlib.closing(sqlite3.connect(running.home / "latchgate.db")) as database, database:
            ends = parse_time(expires) // 1_000_000
            database.execute("UPDATE api_key SET expires_at = ? WHERE key_id = ?", (ends, key_id))


@pytest.mark.parametrize(
    ("version", "areas", "differences"),
    [
        ("16", "token,source,login", "differences.json"),
        # By itself: users may make their own keys here, so that the cases end keys that other areas go on using.
        ("16", "keys", "differences-keys.json"),
        ("16", "resource,client", "differences-documents.json"),
        ("14", "source", "differences-14.json"),
    ],
)
def test_recorded_exchanges_replay(
    frappe_like: RunningLatchgate, tmp_path: Path, version: str, areas: str, differences: str
) -> None:
    """Every recorded exchange is answered alike, or differs as listed."""
    cases = [carry_over(case) for case in json.loads((_VECTORS / "cases.json").read_text())]
    chosen = tmp_path / "cases.json"
    chosen.write_text(json.dumps(cases))

    command = [sys.executable, str(_REPLAY), "--base", frappe_like.base, "--cases", str(chosen), "--version", version]
    command += ["--area", areas, "--differences", str(_VECTORS / differences)]
    # Version 14 set neither of the two that are compared; for records one is a hint that no client reads.
    command += ["--headers"] if "token" in areas else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "name", ["differences.json", "differences-keys.json", "differences-documents.json", "differences-14.json"]
)
def test_every_difference_refers_to_a_paragraph(name: str) -> None:
    """Each difference on purpose names the numbered paragraph of docs/differences.md that explains it."""
    text = (Path(__file__).parents[2] / "docs" / "differences.md").read_text()
    for label, entry in json.loads((_VECTORS / name).read_text()).items():
        number = entry["why"].rpartition(", ")[2]
        assert f"\n{number}. " in text or f"\n## {number}. " in text, label
