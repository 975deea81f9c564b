"""A client made of the OpenAPI document alone asks every route: no 5xx, no answer outside the document."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from support.asgi import Service
from support.running import RunningLatchgate

# They end the credential that asks, or what a password opens.
_LEFT_OUT = "logout|setup|generate_keys|login"
_CHECKS = "not_a_server_error,response_schema_conformance,status_code_conformance"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningLatchgate]:
    """A server of its own: what is asked of it changes it."""
    running = RunningLatchgate(tmp_path / "home").start()
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output.read_text()


def test_the_document_is_valid(service: Service) -> None:
    """By the specification's own schema."""
    validate(service.ask("/api/openapi.json").document)


def _run(running: RunningLatchgate, *options: str) -> str:
    key = running.ask("key", "generate", "Administrator", "--limit", "1000000")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{running.base}/api/openapi.json"]
    command += ["-H", f"Authorization: token {key['api_key']}:{key['api_secret']}", "--checks", _CHECKS]
    command += ["--exclude-path-regex", _LEFT_OUT, "--continue-on-failure", "--no-color", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_no_answer_is_outside_the_document(running: RunningLatchgate) -> None:
    """A few thousand requests, among them the bounds of every parameter and body."""
    told = _run(running, "--phases", "coverage", "--max-examples", "1", "--workers", "2")

    count = re.search(r"([0-9]+) generated, ([0-9]+) passed", told)
    assert count is not None
    assert int(count[1]) == int(count[2]) > 1000


@pytest.mark.soak
def test_no_answer_is_outside_the_document_at_length(running: RunningLatchgate) -> None:
    """The same for longer, and at random."""
    _run(running, "--phases", "coverage,fuzzing", "--max-examples", "200", "--workers", "2")
