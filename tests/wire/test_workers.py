"""Several processes on one port: each serves, what dies is replaced, and none outlives its master."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from support.asgi import Service
from support.families import list_family, wait_until
from support.running import RunningLatchgate
from support.wire_client import Client, ask_once
from support.wire_server import find_statuses, read_all

_PATIENCE_SECONDS = 30.0
_BODY = b'{"usr": "api@example.com", "pwd": "correct horse battery"}'
_LIMIT = 20


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningLatchgate]:
    """A server of one's own, with two workers that both serve."""
    settings = {"LATCHGATE_WORKERS": "2", "LATCHGATE_CREDENTIAL_FAILURES_PER_MINUTE": str(_LIMIT)}
    running = RunningLatchgate(tmp_path / "home", **settings, LATCHGATE_SHUTDOWN_SECONDS="600").start()
    wait_until(lambda: len(running.workers) == 2, "two workers serve")
    yield running
    running.kill()


def _begin_to_sign_in(running: RunningLatchgate) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", running.port), timeout=_PATIENCE_SECONDS)
    fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n\r\n"
    client.sendall(b"POST /api/method/login HTTP/1.1\r\n" + fields.encode() + _BODY[:10])
    return client


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections that have ended leave traces; a socket that still listens is refused all the same.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(running: RunningLatchgate) -> bool:
    try:
        return ask_once(running.port, "token nobody:nothing").status == 401
    except (OSError, HTTPException):
        return False


def test_each_of_two_workers_serves(running: RunningLatchgate) -> None:
    """Whichever of them stands still, the other takes the connections, and is ready."""
    workers = running.workers
    for stopped in workers:
        os.kill(stopped, signal.SIGSTOP)
        try:
            assert [ask_once(running.port, path=path).status for path in ("/livez", "/readyz") * 5] == [200] * 10
        finally:
            os.kill(stopped, signal.SIGCONT)
    assert running.workers == workers


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGBUS, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_that_ends_is_replaced(running: RunningLatchgate, number: signal.Signals) -> None:
    """However it ends; requests go on meanwhile, and a line for the operator says how it died."""
    victim, other = running.workers

    os.kill(victim, number)
    # While the victim's last connections are its own, a new one may still fall to it; those that come once it is gone
    # must all be answered.
    wait_until(lambda: victim not in running.children, "it is gone")
    statuses = [ask_once(running.port, path="/livez").status for _ in range(50)]

    assert statuses == [200] * 50
    wait_until(lambda: len(running.workers) == 2, "there are two again")
    assert other in running.children
    said = running.output.read_text()
    how = "status 0" if number == signal.SIGTERM else f"signal {number.name}"
    assert f'"pid": {victim}, "how": "{how}"' in said
    assert '"event": "worker died"' in said
    assert running.stop() == 0


def test_all_workers_killed_at_once_come_back(running: RunningLatchgate) -> None:
    """Clients that come while there is none wait a moment in the queue."""
    for victim in running.workers:
        os.kill(victim, signal.SIGKILL)

    assert ask_once(running.port, path="/readyz").status == 200


def test_a_worker_whose_counters_were_cut_is_replaced_by_one_that_serves(running: RunningLatchgate) -> None:
    """Reading beyond a file's end is death; the master mends the file, and nobody dies of it again."""
    (counters,) = (running.home / "run").iterdir()

    def has_killed() -> bool:
        # The master may mend the file before anybody comes to read it.
        os.truncate(counters, 0)
        with suppress(OSError, HTTPException), closing(Client(running.port)) as client:
            client.ask("token nobody:nothing")
        return '"how": "signal SIGBUS"' in running.output.read_text()

    wait_until(has_killed, "one died of it")
    wait_until(lambda: len(running.workers) == 2 and counters.stat().st_size, "there are two again, the file is whole")
    wait_until(lambda: _answers(running), "they serve")
    died = running.output.read_text().count("worker died")
    assert [ask_once(running.port, "token nobody:nothing").status for _ in range(10)] == [401] * 10
    assert running.output.read_text().count("worker died") == died


def test_workers_count_wrong_credentials_together(running: RunningLatchgate) -> None:
    """An address has its allowance once, and not at every worker, whichever of them it comes to."""
    began, statuses = time.monotonic(), []
    for stopped in running.workers * 2:
        os.kill(stopped, signal.SIGSTOP)
        try:
            statuses += [ask_once(running.port, "token nobody:nothing").status for _ in range(_LIMIT // 2)]
        finally:
            os.kill(stopped, signal.SIGCONT)

    # One after the other, so that not one more passes.
    if time.monotonic() - began < 60:
        assert statuses == [401] * _LIMIT + [429] * _LIMIT


def test_without_their_master_all_end_and_the_port_is_free(running: RunningLatchgate) -> None:
    """After what was begun was answered: nothing serves on that nobody watches."""
    service = Service(running.home)
    service.make_user("api@example.com")
    service.close()
    kept = Client(running.port)
    assert kept.ask(path="/livez").status == 200
    with _begin_to_sign_in(running) as client:
        ask_once(running.port, path="/livez")
        os.kill(running.pid, signal.SIGKILL)
        client.sendall(_BODY[10:])
        answer = read_all(client)
    kept.close()

    assert find_statuses(answer) == [200]
    wait_until(lambda: not [pid for pid in list_family(running.pid) if pid != running.pid], "no orphan is left")
    assert _is_free(running.port)
    assert "Traceback" not in running.output.read_text()


def test_ctrl_c_in_a_terminal_is_one_stop(running: RunningLatchgate) -> None:
    """It signals every process at once: none prints a traceback, and what was begun is answered."""
    service = Service(running.home)
    service.make_user("api@example.com")
    service.close()
    said = running.output.read_text()
    assert running._process
    with _begin_to_sign_in(running) as client:
        ask_once(running.port, path="/livez")
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.2)  # a worker that took it for an order to hurry would have ended by now
        client.sendall(_BODY[10:])

        assert find_statuses(read_all(client)) == [200]

    assert running._process.wait(_PATIENCE_SECONDS) == 0
    assert running.output.read_text() == said
    assert list_family(running.pid) == []


def test_a_second_signal_hurries(running: RunningLatchgate) -> None:
    """Whoever cannot wait for what was begun, need not."""
    assert running._process
    with _begin_to_sign_in(running) as client:
        ask_once(running.port, path="/livez")
        running._process.send_signal(signal.SIGTERM)
        wait_until(lambda: not _takes_connections(running.port), "it takes nothing more")
        assert running._process.poll() is None

        running._process.send_signal(signal.SIGTERM)

        assert running._process.wait(_PATIENCE_SECONDS) == 0
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    assert list_family(running.pid) == []


def _takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS).close()
    except OSError:
        return False
    return True


def test_a_server_leaves_nothing_of_its_own_behind(running: RunningLatchgate) -> None:
    """The counters' file goes with it."""
    assert len(list((running.home / "run").iterdir())) == 1

    assert running.stop() == 0

    assert list((running.home / "run").iterdir()) == []
