"""The outermost shell of the command line: exit codes, one line for an error, silence for a closed pipe.

0    done
1    refused: not found, taken, not accepted
2    the command was called wrongly
3    the settings, the key file or the database are not such that Latchgate can start
4    the database cannot be reached or does not answer
130  stopped by Ctrl-C
141  whatever read the output closed it
"""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from latchgate.core.log_entries import escape
from latchgate.errors import ErrorCode, LatchgateError, SettingsError

__all__ = ["EXIT_PIPE", "EXIT_REFUSED", "EXIT_SETTINGS", "EXIT_STOPPED", "EXIT_STORAGE", "EXIT_USAGE", "Shell"]

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_SETTINGS = 3
EXIT_STORAGE = 4
EXIT_STOPPED = 130
EXIT_PIPE = 141

_EXIT_CODES = {ErrorCode.SETTINGS: EXIT_SETTINGS, ErrorCode.STORAGE: EXIT_STORAGE}
_HINTS = {
    ErrorCode.BAD_REQUEST: "{command} --help",
    ErrorCode.INVALID: "{command} --help",
    ErrorCode.STORAGE: "latchgate doctor",
}
"""What to try next, where whoever raised the error knows nothing better."""
_MESSAGE_LENGTH_MAX = 10_000


class Shell(TyperGroup):
    """Runs a command and ends the process; Typer's own would print a box, or a traceback."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:  # noqa: ANN401  # the library's signature, passed on
        """Run and exit. Every entrance, tests included, comes through here."""
        options["standalone_mode"] = False
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal of another encoding gets escapes, no traceback.
            sys.stdout.reconfigure(errors="backslashreplace")
        sys.exit(self._run(arguments, options))

    def invoke(self, ctx: Any) -> object:  # noqa: ANN401  # the library's own type is private
        """Run the chosen command; what is left of its output leaves before anything is called done."""
        try:
            outcome: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()
            raise typer.Exit(EXIT_PIPE) from None
        return outcome

    def _run(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> int:
        try:
            outcome = super().main(*arguments, **options)
        except LatchgateError as error:
            return _report(error, self._named_command(options.get("args") or sys.argv[1:]))
        except typer.TyperException as error:
            return _report_usage(error)
        except typer.Abort:
            return _say("stopped", code=EXIT_STOPPED)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            return _say(f"{place}{error.strerror or error}", code=EXIT_REFUSED)
        return outcome if isinstance(outcome, int) else 0

    def _named_command(self, words: Sequence[str]) -> str:
        path, command = ["latchgate"], cast("Any", self)
        for word in words:
            command = getattr(command, "commands", {}).get(word)
            if command is None:
                break
            path.append(word)
        return " ".join(path)


def _report(error: LatchgateError, command: str) -> int:
    code = _EXIT_CODES.get(error.code, EXIT_REFUSED)
    problems = error.problems if isinstance(error, SettingsError) else (error.public,)
    if error.code is ErrorCode.STORAGE and error.detail:
        problems = (f"{error.public} ({error.detail})",)
    for problem in problems:
        _say(problem, code=code)
    hint = _HINTS.get(error.code, "").format(command=command)
    for note in getattr(error, "__notes__", [hint] if hint else []):
        _hint(note)
    return code


def _report_usage(error: typer.TyperException) -> int:
    # The library checks some values by another one, which puts words of its own before the reason.
    message = error.format_message().replace("Value error, ", "").replace("Input should be", "should be")
    if message:  # a group without a command has printed its help instead
        _say(message, code=error.exit_code)
        context = getattr(error, "ctx", None)
        if context is not None:
            _hint(f"{context.command_path} --help")
    return error.exit_code


def _say(message: str, *, code: int) -> int:
    # It may repeat an argument, or a text from a document: neither may steer the terminal.
    line = " ".join(message.split())
    line = line if line.isprintable() and len(line) <= _MESSAGE_LENGTH_MAX else escape(line, _MESSAGE_LENGTH_MAX)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True).print(Text.assemble(("error:", "bold red"), " ", line), soft_wrap=True)
    else:
        sys.stderr.write(f"error: {line}\n")
    return code


def _hint(text: str) -> None:
    sys.stderr.write(f"  hint: {escape(text, _MESSAGE_LENGTH_MAX)}\n")


def _forget_output() -> None:
    # Python flushes standard output once more at its end, and would complain there.
    with suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
