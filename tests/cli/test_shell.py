"""The outermost shell: exit codes, one line for an error, silence for a closed pipe, colours on a terminal only."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from latchgate import __version__
from latchgate.cli.output import format_time, print_fields, print_table
from latchgate.errors import StorageError
from latchgate.services.documents import DocumentService
from support.command_line import CommandLine, run_process, start_process

_DEADLINE_SECONDS = 60.0


def _on_a_terminal(*arguments: str, typed: Sequence[str] = (), no_color: bool = False) -> tuple[int, str]:
    """Run a command on a terminal of its own; answer each prompt with the next of what is typed, ^C is an interrupt."""
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", **({"NO_COLOR": "1"} if no_color else {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "latchgate", *arguments], stdin=child, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    shown, answers, deadline = b"", list(typed), time.monotonic() + _DEADLINE_SECONDS
    # At its end a terminal whose other side is closed raises, rather than give nothing.
    with suppress(OSError):
        while time.monotonic() < deadline and (chunk := os.read(parent, 4096)):
            shown += chunk
            # The blank after the colon comes once the echo is off; what is typed before is thrown away.
            if answers and shown.endswith(b": "):
                answer = answers.pop(0)
                process.send_signal(signal.SIGINT) if answer == "^C" else os.write(parent, f"{answer}\n".encode())
    os.close(parent)
    return process.wait(_DEADLINE_SECONDS), shown.decode()


def test_the_version_is_told() -> None:
    """By the installed command and by the module alike."""
    assert run_process("--version") == (0, f"latchgate {__version__}\n", "")


def test_without_a_subcommand_help_is_printed(cli: CommandLine) -> None:
    """Called wrongly, but without a word of complaint."""
    result = cli.run(code=2)

    assert "Usage: latchgate" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["user", "creat"], "Did you mean 'create'?"),
        (["user", "list", "--nonsense"], "No such option"),
        (["user", "show"], "Missing argument"),
        (["user", "show", "a", "b"], "unexpected extra argument"),
    ],
)
def test_a_wrong_call_is_exit_code_2_and_one_line(cli: CommandLine, arguments: list[str], told: str) -> None:
    """With the command whose help to read."""
    refusal = cli.refusal(*arguments, code=2)

    assert told in refusal
    assert len(refusal.splitlines()) == 2
    assert refusal.splitlines()[1].startswith("  hint: latchgate")


def test_a_closed_pipe_is_silent(cli: CommandLine) -> None:
    """Whoever reads no further gets no complaint; the exit code tells a script."""
    with start_process("config", "show") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(_DEADLINE_SECONDS) == 141
        assert process.stderr.read() == ""


def test_a_closed_pipe_in_the_middle_of_an_answer_is_silent(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the answer is longer than a pipe holds."""

    def break_off(_text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("latchgate.cli.users.print_json", break_off)

    assert cli.run("user", "list", "--json", code=141).output == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("log", "export", "--format", "xx"), "Invalid value for '--format': 'xx' is not one of 'jsonl', 'csv'."),
        (("log", "search", "--limit", "-1"), "Invalid value for '--limit': should be greater than or equal to 0"),
        (("serve", "--port", "x"), "Invalid value for '--port': should be a valid integer"),
    ],
)
def test_a_value_that_cannot_be_is_told_in_plain_words(cli: CommandLine, arguments: tuple[str, ...], told: str) -> None:
    """Without those that a library puts before them."""
    assert cli.refusal(*arguments, code=2).startswith(f"error: {told}")


def test_an_interrupt_is_exit_code_130(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a traceback."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DocumentService, "list_whole", interrupt)

    assert cli.run("user", "list", code=130).output == ""


def test_an_error_of_the_system_is_one_line(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the file that it is about, if there is one."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DocumentService, "list_whole", fail)

    assert cli.refusal("user", "list") == "error: No space left on device\n"


def test_colours_are_for_terminals_that_want_them(ann: CommandLine) -> None:
    """On a terminal the heading is bold and an error red; with NO_COLOR, or in a pipe, there is no colour."""
    _, shown = _on_a_terminal("user", "list")
    _, failed = _on_a_terminal("user", "show", "nobody@example.com")
    _, plain = _on_a_terminal("user", "show", "nobody@example.com", no_color=True)
    _, piped, _ = run_process("user", "list")

    assert "\x1b[1m" in shown.splitlines()[0]
    assert "\x1b[1;31merror:" in failed
    assert "\x1b[31" not in plain
    assert "\x1b[1;31" not in plain
    assert "\x1b" not in piped


def test_a_password_is_asked_for_twice_and_not_shown(ann: CommandLine) -> None:
    """At a terminal it comes from a hidden prompt."""
    code, shown = _on_a_terminal(
        "user", "set-password", "ann@example.com", typed=["correct horse battery", "correct horse battery"]
    )

    assert code == 0, shown
    assert "correct horse" not in shown
    assert ann.json("user", "show", "ann@example.com")["can_sign_in"] is True


def test_progress_is_shown_on_a_terminal(ann: CommandLine, tmp_path: Path) -> None:
    """What takes its time says what it is doing."""
    (tmp_path / "accounts.json").write_text('{"passwords": {"*": "password"}, "users": [{"name": "bob@example.com"}]}')

    _, backup = _on_a_terminal("database", "backup", str(tmp_path / "backup"))
    _, imported = _on_a_terminal("import", str(tmp_path / "accounts.json"))

    assert "Writing" in backup
    assert "Hashing passwords: 1 of 1" in imported


def test_deleting_is_confirmed_at_a_terminal(ann: CommandLine) -> None:
    """Only a yes deletes; --yes is one beforehand."""
    declined, shown = _on_a_terminal("user", "delete", "ann@example.com", typed=["n"])
    kept = len(ann.json("user", "list"))
    accepted, _ = _on_a_terminal("user", "delete", "ann@example.com", typed=["y"])
    ann.run("user", "create", "ann@example.com")
    beforehand, unasked = _on_a_terminal("user", "delete", "ann@example.com", "--yes")

    assert (declined, kept) == (1, 3), shown
    assert "Delete the user ann@example.com with its keys" in shown
    assert (accepted, beforehand, len(ann.json("user", "list"))) == (0, 0, 2)
    assert "Delete the user" not in unasked


def test_ctrl_c_at_a_prompt_stops(ann: CommandLine) -> None:
    """With the exit code of an interrupt, and nothing done."""
    code, shown = _on_a_terminal("user", "set-password", "ann@example.com", typed=["^C"])

    assert code == 130
    assert "error: stopped" in shown.replace("\x1b[1;31m", "").replace("\x1b[0m", "")


def test_a_terminal_of_another_encoding_gets_escapes(ann: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it cannot show is no reason to fail."""
    ann.run("role", "create", "Prüfer ✓")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")

    code, shown, complaints = run_process("role", "show", "Prüfer ✓", "--json")

    assert (code, complaints) == (0, "")
    assert "\\u2713" in shown


_STEERING = "\x1b[2J\x1b]0;title\x07\u202e"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("user", "show", f"{_STEERING}@example.com"), 1),
        (("key", "revoke", _STEERING), 1),
        (("role", "show", _STEERING), 1),
        (("user", _STEERING), 2),
        (("user", "list", f"--{_STEERING}"), 2),
        (("key", "generate", "ann@example.com", "--expires", _STEERING), 2),
        (("log", "export", "--format", _STEERING), 2),
        (("import", f"nowhere-{_STEERING}"), 1),
    ],
)
def test_an_argument_cannot_steer_the_terminal(ann: CommandLine, arguments: tuple[str, ...], code: int) -> None:
    """Wherever an error repeats it, it stands as escapes."""
    told = ann.refusal(*arguments, code=code)

    assert "\\x1b" in told
    assert all(line.isprintable() for line in told.splitlines())


def test_a_document_cannot_steer_the_terminal(ann: CommandLine) -> None:
    """Neither by an entry that is refused, nor by one that is taken or left."""
    told = ann.refusal("import", "-", stdin=json.dumps({"users": [{"name": _STEERING}], _STEERING: 1}))
    refused = ann.refusal("import", "-", stdin=json.dumps({"users": [{"name": _STEERING}]}))
    users = [{"name": "bob@example.com", "api_key": f"{_STEERING}:", "api_secret": "x"}]
    left = ann.run("import", "-", stdin=json.dumps({"users": users, "todos": [_STEERING]})).output

    assert "\\x1b[2J" in told
    assert "\\x1b[2J" in refused
    assert all(line.isprintable() for line in (told + refused + left).splitlines())


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("user", "show", "nobody@example.com"), "latchgate user list"),
        (("role", "create", "All"), "latchgate role list, latchgate user list"),
        (("role", "create", "a,b"), "latchgate role create --help"),
        (("source", "record", "create", "Event Consumer", "\n"), "latchgate source record create --help"),
    ],
)
def test_the_hint_fits_the_kind_of_error(ann: CommandLine, arguments: tuple[str, ...], hint: str) -> None:
    """What there is, where something is absent or taken; how it is called, where a value cannot be."""
    assert ann.refusal(*arguments).splitlines()[1] == f"  hint: {hint}"


def test_a_database_that_fails_is_the_doctors_business(ann: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, and the command that looks into it."""

    def fail(*_: object) -> None:
        raise StorageError("The database is busy", detail="locked")

    monkeypatch.setattr(DocumentService, "list_whole", fail)

    assert ann.refusal("user", "list", code=4).splitlines() == [
        "error: The database is busy (locked)",
        "  hint: latchgate doctor",
    ]


def test_a_table_lets_no_name_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are shown as escapes; what has no value as a dash."""
    print_table([{"name": "a\x1b[31m", "note": None, "list": []}], ("name", "note", "list"), empty="")

    assert capsys.readouterr().out.splitlines()[1].split() == ["a\\x1b[31m", "-", "-"]


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each that has one."""
    print_fields({"api_key": "k", "label": "", "limit": None, "scopes": ["all", "read"], "on": True})

    assert capsys.readouterr().out.splitlines() == ["api key  k", "scopes   all, read", "on       yes"]


def test_times_are_utc() -> None:
    """To the second; none stays none."""
    assert format_time(1_800_000_000) == "2027-01-15T08:00:00Z"
    assert format_time(None) is None


def test_the_shell_completes_commands() -> None:
    """As bash asks for it: the word begun, and what could follow."""
    program = Path(sys.executable).with_name("latchgate")
    asked = {"_LATCHGATE_COMPLETE": "complete_bash", "COMP_WORDS": "latchgate key r", "COMP_CWORD": "2"}

    answer = subprocess.run(
        [program], env={**os.environ, **asked}, capture_output=True, text=True, check=False, timeout=_DEADLINE_SECONDS
    )

    assert answer.stdout.split() == ["revoke", "rotate"]
