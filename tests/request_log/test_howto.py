"""docs/howto/request-log.md says what is so."""

import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from latchgate.cli.commands import app
from latchgate.request_log.exports import CSV_COLUMNS
from support.documents import ROOT
from support.host_log import open_host_log
from support.log_rows import make_row

_TEXT = (ROOT / "docs" / "howto" / "request-log.md").read_text()
_COMMANDS = re.findall(r"^latchgate (log (?:search|export).*)$", _TEXT, re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader works: an instance with a row, and an empty current folder."""
    monkeypatch.setenv("LATCHGATE_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert CliRunner().invoke(app, ["database", "upgrade"]).exit_code == 0
    with closing(open_host_log(tmp_path / "home" / "log.db")) as log:
        log.append(make_row())
    return tmp_path / "here"


@pytest.mark.parametrize("command", _COMMANDS)
def test_the_commands_work(folder: Path, command: str) -> None:
    """Each search and export can be called as it is printed."""
    result = CliRunner().invoke(app, shlex.split(command))

    assert result.exit_code == 0, result.output


def test_an_export_is_where_the_document_says(folder: Path) -> None:
    """The file that the example names is there afterwards."""
    (command,) = [command for command in _COMMANDS if "--output" in command]

    CliRunner().invoke(app, shlex.split(command))

    assert [path.name for path in folder.iterdir()] == [shlex.split(command)[-1]]


def test_every_field_and_option_is_described() -> None:
    """The tables name the fields of a row, in order, and the options of a search."""
    rows = re.findall(r"^\| `([^`]+)` \|", _TEXT, re.MULTILINE)
    shown = CliRunner().invoke(app, ["log", "search", "--help"], terminal_width=200).stdout
    options = set(re.findall(r"--[a-z]+", shown)) - {"--help", "--json"}

    assert tuple(name for name in rows if not name.startswith("--")) == CSV_COLUMNS
    assert {name for name in rows if name.startswith("--")} == options
