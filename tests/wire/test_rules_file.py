"""The operator's file of rules at a running server: read at start and at SIGHUP; one that is wrong changes nothing."""

import http.client
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.asgi import Service
from support.families import wait_until
from support.running import RunningLatchgate

_FIRST = '[[rule]]\npath = "/open"\nallow_guest = true\n\n[[rule]]\npath = "/mine"\n'
_SECOND = '[[rule]]\npath = "/open"\n'
_BROKEN = '[[rule]]\npath = "/open"\nallow_guest = true\n\n[[rule]]\npath = "/mine"\nroles = ""\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file, with an open rule and one for any user."""
    file = tmp_path / "rules.toml"
    file.write_text(_FIRST)
    return file


@pytest.fixture
def running(tmp_path: Path, file: Path) -> Iterator[RunningLatchgate]:
    """A server with two workers that has the file, and that this host may ask as a proxy."""
    settings = {"LATCHGATE_WORKERS": "2", "LATCHGATE_TRUSTED_PROXIES": "127.0.0.1"}
    running = RunningLatchgate(tmp_path / "home", LATCHGATE_ACCESS_RULES=str(file), **settings)
    yield running
    running.kill()


def _verify(running: RunningLatchgate, path: str, token: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    told = {"X-Original-Method": "GET", "X-Original-URI": path, "X-Forwarded-For": "192.0.2.7"}
    if token:
        told["Authorization"] = token
    connection.request("GET", "/auth/verify?proxy=nginx", headers={**told, "Host": "app.example.com"})
    status = connection.getresponse().status
    connection.close()
    return status


def _make_key(running: RunningLatchgate) -> str:
    service = Service(running.home)
    token = service.make_key(service.make_user("api@example.com")).token
    service.close()
    return token


def test_the_file_counts_from_the_start_and_again_from_a_restart(running: RunningLatchgate, file: Path) -> None:
    """All workers are others after SIGHUP, and go by what the file says by then; nobody else changes a rule."""
    running.start()
    token = _make_key(running)
    assert [_verify(running, path) for path in ("/open", "/mine", "/else")] == [204, 401, 403]
    assert [_verify(running, path, token) for path in ("/mine", "/else")] == [204, 403]
    wait_until(lambda: len(running.workers) == 2, "two workers")
    before = running.workers

    file.write_text(_SECOND)
    assert _verify(running, "/open") == 204
    os.kill(running.pid, signal.SIGHUP)
    wait_until(lambda: len(running.workers) == 2 and not set(before) & set(running.workers), "two other workers")

    assert [_verify(running, "/open"), _verify(running, "/open", token), _verify(running, "/mine", token)] == [
        401,
        204,
        403,
    ]
    refused = running.run("rule", "delete", running.ask("rule", "list")[0]["name"])
    assert refused.returncode == 1
    assert f"the rules are the operator's, in {file}, and are changed there alone" in refused.stderr
    assert running.stop() == 0


def test_a_broken_file_at_a_restart_keeps_rules_and_workers(running: RunningLatchgate, file: Path) -> None:
    """The output says where it is wrong; the next restart with a file that is right is one."""
    running.start()
    token = _make_key(running)
    wait_until(lambda: len(running.workers) == 2, "two workers")
    before = running.workers

    file.write_text(_BROKEN)
    os.kill(running.pid, signal.SIGHUP)
    told = "rule 2 (line 5), roles: is empty: name a role, or leave it out to let any user in"
    wait_until(lambda: told in running.output.read_text(), "it is said what is wrong")
    wait_until(lambda: set(before) <= set(running.workers), "the workers of before serve")

    assert [_verify(running, "/open"), _verify(running, "/mine"), _verify(running, "/mine", token)] == [204, 401, 204]
    assert len(running.ask("rule", "list")) == 2

    file.write_text(_SECOND)
    os.kill(running.pid, signal.SIGHUP)
    wait_until(lambda: _verify(running, "/open") == 401, "the file that is right counts")
    assert running.stop() == 0
    assert "Traceback" not in running.output.read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_BROKEN, "rule 2 (line 5), roles: is empty"),
        ("[[rule]\n", "it is no TOML"),
        ('[[rule]]\nroles = ["Nope"]\n', "rule 1 (line 1), roles: Could not find Role: Nope"),
        (None, "There is no file"),
    ],
)
def test_a_start_with_a_file_that_is_wrong_ends_with_what_is_wrong(
    running: RunningLatchgate, file: Path, text: str | None, told: str
) -> None:
    """In words that name the setting, and no address is listened on."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)

    with pytest.raises(AssertionError, match="the server did not start"):
        running.start()

    output = running.output.read_text()
    assert "LATCHGATE_ACCESS_RULES: " in output
    assert told in output
    assert "Traceback" not in output
