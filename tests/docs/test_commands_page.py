"""docs/cli.md lists every command with its options; every command's help shows an example that can be called."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from latchgate.cli import shell
from latchgate.cli.commands import app
from support.documents import ROOT

_PAGE = (ROOT / "docs" / "cli.md").read_text()
_SECTION = re.compile(r"^### latchgate (?P<command>.+)\n(?P<text>(?:(?!^##).*\n)*)", re.MULTILINE)
_UNLISTED = {"--help", "--json"}


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # Typer's are private
    """Give every command that is no group, by its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


_COMMANDS = dict(_commands(typer.main.get_command(app)))
_SECTIONS = {found["command"]: found["text"] for found in _SECTION.finditer(_PAGE)}


def _options(command: Any) -> list[str]:  # noqa: ANN401  # as above
    return [option for parameter in command.params for option in parameter.opts if option.startswith("--")]


def test_every_command_has_its_section_and_every_section_its_command() -> None:
    """The page lists what there is, and nothing else."""
    assert sorted(_SECTIONS) == sorted(_COMMANDS)


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_a_section_lists_the_options_and_the_example(name: str) -> None:
    """All options but --json, which is told once for all, and the example of the command's help."""
    listed = re.findall(r"^\| `(--[a-z-]+)", _SECTIONS[name], re.MULTILINE)

    assert sorted(listed) == sorted(set(_options(_COMMANDS[name])) - _UNLISTED)
    assert f"`{_COMMANDS[name].epilog.removeprefix('Example: ')}`" in _SECTIONS[name]


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_the_example_of_a_commands_help_calls_that_command(name: str) -> None:
    """Its words and its options are the command's own."""
    example = _COMMANDS[name].epilog

    words = shlex.split(example.removeprefix("Example: ").partition(" <")[0].partition(" | ")[0])

    assert example.startswith("Example: ")
    assert words[: 1 + len(name.split())] == ["latchgate", *name.split()]
    assert {word for word in words if word.startswith("--")} <= set(_options(_COMMANDS[name]))


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_argument_and_option_is_explained(name: str) -> None:
    """In the command's help."""
    assert _COMMANDS[name].help
    assert [parameter.name for parameter in _COMMANDS[name].params if not parameter.help] == []


def test_the_exit_codes_are_listed() -> None:
    """Each that the shell gives, and no other."""
    listed = {int(code) for code in re.findall(r"^\| ([0-9]+) \|", _PAGE, re.MULTILINE)}

    assert listed == {0, *(value for name, value in vars(shell).items() if name.startswith("EXIT_"))}
