"""latchgate serve: what it says at its start, what keeps it from starting, and how it stops."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from latchgate.cli.serve import exposure_warning, typed_command
from latchgate.settings import Settings
from support.command_line import CommandLine, run_process, start_process
from support.families import kill_family

_DEADLINE_SECONDS = 60.0


class _Server:
    """A server in a process of its own, and what it has said until it was ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def read_until(self, word: str) -> str:
        """Read on to a line with this word, and give it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if word in line:
                return line.strip()
        raise AssertionError(f"the server ended: {self.said} {self.process.communicate()}")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal; its exit code and what it said on standard error."""
        self.process.send_signal(number)
        rest, complaints = self.process.communicate(timeout=_DEADLINE_SECONDS)
        self.said += rest.splitlines()
        return self.process.returncode, complaints


@contextmanager
def _serving(*arguments: str) -> Iterator[_Server]:
    process = start_process("serve", "--port", "0", *arguments)
    try:
        yield _Server(process)
    finally:
        kill_family(process)
        process.communicate()


def _get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=_DEADLINE_SECONDS) as answer:
        return answer.status, answer.read().decode()


def _wait_until_it_answers(server: _Server) -> str:
    """Tell the address at which it answers."""
    address = server.read_until("serves").split()[3].rstrip(",")
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            _get(f"{address}/livez")
        except OSError:
            continue
        return address
    raise AssertionError(f"no answer: {server.process.communicate()}")


def test_the_first_start_leads_to_a_password_and_a_key(empty: CommandLine) -> None:
    """It prints a link that opens, and a line for curl that works as it stands."""
    with _serving() as server:
        address = _wait_until_it_answers(server)
        link = server.read_until("/setup/")
        line = server.read_until("curl")

        page = _get(link)
        answer = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=_DEADLINE_SECONDS
        )

    assert link.startswith(address)
    assert page[0] == 200
    assert "password" in page[1].lower()
    assert json.loads(answer.stdout) == {"message": "Administrator"}, answer.stderr


def test_the_second_start_keeps_the_data_and_says_less(cli: CommandLine) -> None:
    """With a password and a key there is nothing left to do."""
    cli.run("user", "set-password", "Administrator", "--password-stdin", stdin="correct horse battery\n")
    cli.run("key", "generate", "Administrator")

    with _serving() as server:
        _wait_until_it_answers(server)
        code, complaints = server.stop()

    assert (code, complaints) == (0, "")
    assert len(server.said) == 1
    assert len(cli.json("key", "list")) == 1


def test_with_a_password_from_the_settings_there_is_no_link(
    empty: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the address at which to sign in."""
    monkeypatch.setenv("LATCHGATE_ADMIN_PASSWORD", "correct horse battery")

    with _serving() as server:
        _wait_until_it_answers(server)
        assert server.read_until("/login").startswith("Sign in as Administrator: http://127.0.0.1:")
        server.stop()

    assert "/setup/" not in "".join(server.said)
    assert "correct horse" not in "".join(server.said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(cli: CommandLine, number: int) -> None:
    """Exit code 0 and not a word, so that a service manager sees a stop and no failure."""
    with _serving() as server:
        _wait_until_it_answers(server)

        assert server.stop(number) == (0, "")


def test_a_signal_just_after_the_start_is_not_lost(cli: CommandLine) -> None:
    """Whether the server was up yet or not."""
    with _serving() as server:
        server.read_until("serves")

        assert server.stop() == (0, "")


def test_commands_take_effect_on_the_next_request(cli: CommandLine) -> None:
    """They work while the server runs, and it needs no restart."""
    with _serving() as server:
        url = f"{_wait_until_it_answers(server)}/api/method/frappe.auth.get_logged_user"
        key = cli.json("key", "generate", "Administrator")
        request = urllib.request.Request(url, headers={"Authorization": f"token {key['api_key']}:{key['api_secret']}"})
        with urllib.request.urlopen(request, timeout=_DEADLINE_SECONDS) as answer:
            assert json.load(answer) == {"message": "Administrator"}
        cli.run("key", "revoke", key["api_key"])

        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=_DEADLINE_SECONDS)
        caught.value.close()

    assert caught.value.code == 401


def test_a_taken_port_is_one_clear_line_and_nothing_is_made(empty: CommandLine) -> None:
    """Exit code 3, and what to do about it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]

        code, said, complaints = run_process("serve", "--port", str(port))

    assert (code, said) == (3, "")
    assert complaints.splitlines() == [
        f"error: Another program listens on port {port} of 127.0.0.1",
        "  hint: another port: latchgate serve --port N, or LATCHGATE_PORT",
    ]
    assert not empty.home.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "203.0.113.9"), "Cannot listen on port 8000 of 203.0.113.9"),
        (("--host", "no-such-host.invalid"), "Cannot listen on port 8000 of no-such-host.invalid"),
        (("--host", "http://x"), "--host: must be an address"),
        (("--port", "99999"), "--port: should be less than"),
        (("--workers", "0"), "--workers: should be greater than or equal to 1"),
        (("--workers", "257"), "--workers: should be less than or equal to 256"),
    ],
)
def test_an_address_that_cannot_be_is_one_clear_line(empty: CommandLine, arguments: tuple[str, ...], told: str) -> None:
    """Exit code 3, before anything is made."""
    code, said, complaints = run_process("serve", *arguments)

    assert (code, said) == (3, "")
    assert told in complaints
    assert len(complaints.splitlines()) == 1
    assert not empty.home.exists()


def test_a_name_with_two_addresses_is_listened_on_at_both(cli: CommandLine) -> None:
    """As localhost is, on a machine with IPv6."""
    with _serving("--host", "localhost") as server:
        address = _wait_until_it_answers(server)
        port = address.rpartition(":")[2]
        families = {info[0] for info in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)}
        for family in families:
            host = "[::1]" if family == socket.AF_INET6 else "127.0.0.1"
            assert _get(f"http://{host}:{port}/livez")[0] == 200


def test_listening_beyond_the_machine_without_https_brings_a_warning(cli: CommandLine) -> None:
    """On standard error, at every start."""
    with _serving("--host", "0.0.0.0") as server:  # noqa: S104  # what is warned of
        _wait_until_it_answers(server)
        code, complaints = server.stop()

    assert code == 0
    assert complaints.startswith("warning: 0.0.0.0 can be reached from other machines without https")


@pytest.mark.parametrize(
    ("host", "public_url", "warned"),
    [
        ("127.0.0.1", None, False),
        ("127.8.8.8", None, False),
        ("::1", None, False),
        ("localhost", None, False),
        ("0.0.0.0", None, True),  # noqa: S104  # as above
        ("::", None, True),
        ("192.0.2.7", None, True),
        ("host.example.com", "http://host.example.com", True),
        ("192.0.2.7", "https://auth.example.com", False),
    ],
)
def test_the_warning_is_for_what_others_can_reach_and_read(
    tmp_path: Path, host: str, public_url: str | None, warned: bool
) -> None:
    """Neither for the machine itself nor where https stands before it."""
    given = {"public_url": public_url} if public_url else {}

    warning = exposure_warning(Settings(home=tmp_path, host=host, **given))  # type: ignore[arg-type]

    assert (warning is not None) is warned


def test_an_address_with_a_password_is_not_printed_but_asked_for(
    empty: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line for another terminal works there with the settings that it names."""
    monkeypatch.setenv("LATCHGATE_DATABASE_URL", f"sqlite:///{tmp_path}/hidden-name.db")

    with _serving() as server:
        _wait_until_it_answers(server)
        hint, line = server.read_until("In another terminal"), server.read_until("curl")
        answer = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=_DEADLINE_SECONDS
        )

    assert hint == "In another terminal, with the same LATCHGATE_DATABASE_URL, make a first API key and use it:"
    assert json.loads(answer.stdout) == {"message": "Administrator"}, answer.stderr
    assert "hidden-name" not in "".join(server.said)


def test_a_second_server_on_one_data_folder_works(cli: CommandLine) -> None:
    """Two processes on one database see each other's changes."""
    with _serving() as first, _serving() as second:
        _wait_until_it_answers(first)
        _wait_until_it_answers(second)

        assert first.stop() == (0, "")
        assert second.stop() == (0, "")


def test_the_command_is_written_as_it_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short where the shell finds it, else with its path; with the data folder where that is not the usual one."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin" / "latchgate"
    program.parent.mkdir()
    program.touch(mode=0o755)
    usual, other = Settings(), Settings(home=tmp_path / "my data")

    monkeypatch.setattr("sys.argv", [str(program)])
    assert typed_command(usual) == str(program)
    monkeypatch.setenv("PATH", str(program.parent))
    assert typed_command(usual) == "latchgate"
    assert typed_command(other) == f"LATCHGATE_HOME='{tmp_path}/my data' latchgate"
    monkeypatch.setenv("LATCHGATE_CONFIG", str(tmp_path / "my settings.toml"))
    assert typed_command(usual) == f"LATCHGATE_CONFIG='{tmp_path}/my settings.toml' latchgate"
    monkeypatch.delenv("LATCHGATE_CONFIG")
    monkeypatch.setattr("sys.argv", ["/somewhere/latchgate/__main__.py"])
    assert typed_command(usual) == f"{sys.executable} -m latchgate"
