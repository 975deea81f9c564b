"""How a running server ends: asked to, it answers what was begun, takes nothing new and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.asgi import LOGGED_USER, Service
from support.running import RunningLatchgate
from support.wire_client import Client, ask_once
from support.wire_server import find_statuses, read_all

_DEADLINE_SECONDS = 20.0
_BODY = b'{"usr": "api@example.com", "pwd": "correct horse battery"}'


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningLatchgate]:
    """A server of one's own."""
    running = RunningLatchgate(tmp_path / "home").start()
    yield running
    running.kill()


def _begin_to_sign_in(running: RunningLatchgate) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", running.port), timeout=_DEADLINE_SECONDS)
    fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n\r\n"
    client.sendall(b"POST /api/method/login HTTP/1.1\r\n" + fields.encode() + _BODY[:10])
    return client


def _wait_until_it_takes_nothing_new(running: RunningLatchgate) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", running.port), timeout=_DEADLINE_SECONDS).close()
        except OSError:
            return
    raise AssertionError("it still takes connections")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered(running: RunningLatchgate, number: signal.Signals) -> None:
    """New connections are refused, what was in the middle of its body gets its answer, and the exit status is 0."""
    service = Service(running.home)
    service.make_user("api@example.com")
    service.close()
    assert running._process
    with _begin_to_sign_in(running) as client:
        # The first bytes were read once another request, sent after them, is answered.
        ask_once(running.port, path="/livez")
        running._process.send_signal(number)
        _wait_until_it_takes_nothing_new(running)
        client.sendall(_BODY[10:])
        answer = read_all(client)

    assert find_statuses(answer) == [200]
    assert b"Logged In" in answer
    assert running._process.wait(_DEADLINE_SECONDS) == 0
    assert "Traceback" not in running.output.read_text()


def test_connections_that_wait_for_nothing_do_not_hold_it_up(running: RunningLatchgate) -> None:
    """Kept connections, and one whose head is not finished, end with the server."""
    kept = [Client(running.port) for _ in range(5)]
    assert [client.ask(path="/livez").status for client in kept] == [200] * 5
    with socket.create_connection(("127.0.0.1", running.port), timeout=_DEADLINE_SECONDS) as half:
        half.sendall(b"GET /livez HTTP/1.1\r\nHo")
        began = time.monotonic()

        assert running.stop() == 0

    assert time.monotonic() - began < _DEADLINE_SECONDS
    for client in kept:
        client.close()


def test_a_second_start_knows_all_that_the_first_knew(running: RunningLatchgate) -> None:
    """Keys, sessions and the log are there again, whether the stop was clean or not."""
    service = Service(running.home)
    user = service.make_user("kept@example.com")
    key, sid = service.make_key(user), service.sign_in(user).sid
    service.close()
    request_ids = []
    for end in (running.stop, running.kill):
        request_ids.append(ask_once(running.port, key.token).request_id)
        end()
        running.start()

    assert ask_once(running.port, key.token).document == {"message": user}
    assert ask_once(running.port, headers={"Cookie": f"sid={sid}"}).document == {"message": user}
    found = [row["request_id"] for row in running.ask("log", "search", "--path", LOGGED_USER, "--limit", "0")]
    assert set(request_ids) <= set(found)


@pytest.mark.skipif(sys.platform != "linux", reason="drops a capability of root's, as Linux has them")
@pytest.mark.parametrize("made", [True, False])
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path, made: bool) -> None:
    """Exit status 3, and nothing is made: with the folder there and closed, and with it missing under a closed one."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    running = RunningLatchgate(closed if made else closed / "home")

    # Root may write everywhere, but for the right to do so.
    dropped = (
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if Path("/proc/self").owner() == "root" else []
    )
    done = subprocess.run(
        [*dropped, sys.executable, "-m", "latchgate", "serve"],
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: The data folder ")
    assert list(closed.iterdir()) == []
