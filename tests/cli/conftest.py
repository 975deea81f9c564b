"""A data folder for each test, and the command line on it."""

from pathlib import Path

import pytest

from support.command_line import CommandLine
from support.fresh_homes import copy_fresh_home


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing a password as it should be would take most of these tests' time."""
    monkeypatch.setenv("LATCHGATE_PASSWORD_PROFILE", "cheapest")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line on a data folder that does not exist yet."""
    monkeypatch.setenv("LATCHGATE_HOME", str(tmp_path / "data"))
    return CommandLine(tmp_path / "data")


@pytest.fixture
def cli(empty: CommandLine) -> CommandLine:
    """The command line on an instance of the test's own."""
    copy_fresh_home(empty.home)
    return empty


@pytest.fixture
def ann(cli: CommandLine) -> CommandLine:
    """The command line on an instance with a user, ann@example.com."""
    cli.run("user", "create", "ann@example.com", "--first-name", "Ann")
    return cli
