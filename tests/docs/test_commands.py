"""Documents name only commands and options that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from latchgate.cli.commands import app
from support.documents import ROOT, find_blocks, find_documents, without_blocks

_INLINE = re.compile(r"`([^`]+)`")
_CALL = re.compile(r"\blatchgate ([a-z][^|;#)&]*)")


def _code(document: str) -> Iterator[str]:
    """Give each line of code: in fenced blocks, in indented ones, within a sentence."""
    for block in find_blocks(document):
        if block.language not in {"ini", "nginx"}:
            yield from block.text.replace("\\\n", " ").splitlines()
    for line in without_blocks(document).splitlines():
        if line.startswith("    "):
            yield line.partition("#")[0]
        else:
            yield from _INLINE.findall(line)


def _problems(call: str) -> Iterator[str]:
    command = typer.main.get_command(app)
    named = ["latchgate"]
    for word in call.split():
        commands = getattr(command, "commands", {})
        if not commands:
            break  # the rest are its arguments
        if word not in commands:
            yield f"{' '.join(named)} has no command {word}"
            return
        command = commands[word]
        named.append(word)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    options = re.findall(r"(?<=\s)--[a-z-]+", call)
    yield from (f"{' '.join(named)} has no option {option}" for option in options if option not in known)


@pytest.mark.parametrize("document", find_documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_exists(document: Path) -> None:
    """What a document says to type is a command of `latchgate`, with options that it has."""
    calls = [call for line in _code(document.read_text()) for call in _CALL.findall(line)]

    assert [problem for call in calls for problem in _problems(call)] == []
