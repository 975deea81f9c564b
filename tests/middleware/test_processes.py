"""Processes that Latchgate is embedded in, beside a server of the same instance: forked, killed, told at once."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latchgate.core.heads import Head
from latchgate.core.policy import SIGNED_IN
from latchgate.middleware.local import LocalKeeper
from latchgate.settings import load_settings
from support.families import find_children, kill_family
from support.running import RunningLatchgate, free_port

_ROOT = Path(__file__).parents[2]
_USER = "api@example.com"
_START_SECONDS = 60.0


@pytest.fixture(name="latchgate", scope="module")
def _latchgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    running = RunningLatchgate(tmp_path_factory.mktemp("processes") / "home")
    running.start()
    try:
        running.ask("user", "create", _USER)
        yield running
    finally:
        running.kill()


def _make_key(latchgate: RunningLatchgate) -> tuple[str, str]:
    made = latchgate.ask("key", "generate", _USER)
    return made["api_key"], f"token {made['api_key']}:{made['api_secret']}"


@contextlib.contextmanager
def _embedded(latchgate: RunningLatchgate, *command: str, **more: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a server of the embedded application; give its port once it listens, and its process."""
    port = free_port()
    environment = {**latchgate.environment, "PYTHONPATH": str(_ROOT / "tests"), **more}
    words = [sys.executable, "-m", *(word.replace("PORT", str(port)) for word in command)]
    output = latchgate.home.parent / f"embedded-{port}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(words, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            with contextlib.suppress(OSError):
                _ask(port, None)
                break
            time.sleep(0.05)
        yield port, process
    finally:
        kill_family(process)


def _ask(port: int, authorization: str | None, path: str = "/") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


_GUNICORN = ("gunicorn", "--bind=127.0.0.1:PORT", "--workers=2", "--worker-tmp-dir=/dev/shm")  # gunicorn's own advice
_UVICORN = ("uvicorn", "--port=PORT", "support.embedded_app:asgi")


def _rows(latchgate: RunningLatchgate, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = latchgate.ask("log", "search", "--key", key, "--limit", "0")
    return rows


@pytest.mark.parametrize("warm", [False, True], ids=["opened after the fork", "opened before and after"])
def test_forked_workers_share_nothing_that_they_must_not(latchgate: RunningLatchgate, warm: bool) -> None:
    """Two workers of gunicorn with --preload and threads answer side by side; each answer has one row, none has two.

    So it is if the instance was open before the fork, too: each goes on with files of its own.
    """
    key, authorization = _make_key(latchgate)
    asked, pids, failures = 15, set(), []
    more = {"EMBEDDED_WARM": authorization} if warm else {}

    def ask_many(port: int, number: int) -> None:
        for turn in range(asked):
            status, document = _ask(port, authorization, f"/{number}/{turn}")
            pids.add(document.get("pid"))
            if status != 200 or document["user"] != _USER:
                failures.append((status, document))

    with _embedded(latchgate, *_GUNICORN, "--threads=4", "--preload", "support.embedded_app:wsgi", **more) as (port, _):
        threads = [threading.Thread(target=ask_many, args=(port, number)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + _START_SECONDS
        extra = 0
        # Until the second worker has answered too, however the first may have been quicker.
        while len(pids) < 2 and time.monotonic() < deadline:
            pids.add(_ask(port, authorization, f"/more/{extra}")[1]["pid"])
            extra += 1

    paths = [row["path"] for row in _rows(latchgate, key)]
    expected = [f"/{number}/{turn}" for number in range(6) for turn in range(asked)]
    expected += [f"/more/{number}" for number in range(extra)] + (["/warm"] if warm else [])
    assert failures == []
    assert len(pids) == 2
    assert sorted(paths) == sorted(expected)


@pytest.mark.parametrize("command", [(*_GUNICORN, "support.embedded_app:wsgi"), _UVICORN], ids=["WSGI", "ASGI"])
def test_a_key_revoked_at_the_server_ends_on_the_next_request(
    latchgate: RunningLatchgate, command: tuple[str, ...]
) -> None:
    """What the server has acknowledged counts in the embedded application at once, though it remembers verdicts."""
    with _embedded(latchgate, *command) as (port, _):
        for _ in range(2):
            key, authorization = _make_key(latchgate)
            assert {_ask(port, authorization)[0] for _ in range(4)} == {200}

            latchgate.ask("key", "revoke", key)

            assert [_ask(port, authorization)[0] for _ in range(3)] == [401] * 3


@pytest.mark.parametrize("trusted", [False, True])
def test_a_server_on_a_socket(latchgate: RunningLatchgate, tmp_path: Path, trusted: bool) -> None:
    """There nobody has an address: who says one is believed only if it was said that a proxy is there."""
    made = latchgate.ask("key", "generate", _USER, "--allow-ip", "203.0.113.0/24")
    authorization = f"token {made['api_key']}:{made['api_secret']}"
    path, application = str(tmp_path / "s"), "behind_a_proxy" if trusted else "wsgi"

    def ask(**headers: str) -> int:
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        with contextlib.closing(connection):
            connection.sock.connect(path)
            connection.request("GET", "/", headers={"Authorization": authorization, **headers})
            return connection.getresponse().status

    with _embedded(latchgate, *_GUNICORN, f"--bind=unix:{path}", f"support.embedded_app:{application}") as (port, _):
        statuses = [ask(), ask(**{"X-Forwarded-For": "203.0.113.9"}), ask(**{"X-Forwarded-For": "198.51.100.1"})]
        # Nor is anybody believed who comes another way.
        statuses.append(_ask(port, authorization)[0])

    rows = _rows(latchgate, made["api_key"])
    assert statuses == [401, 200 if trusted else 401, 401, 401]
    addresses = ["", "203.0.113.9", "198.51.100.1"] if trusted else ["", "", ""]
    assert sorted(row["ip_address"] for row in rows) == sorted([*addresses, "127.0.0.1"])
    assert {row["reason"] for row in rows if row["status"] == 401} == {"address_not_allowed"}


def test_a_killed_application_loses_no_row_that_was_answered(latchgate: RunningLatchgate) -> None:
    """Kill -9 in the middle of the load: every request that was answered has its row."""
    key, authorization = _make_key(latchgate)
    answered: list[str] = []
    stop = threading.Event()

    def ask_on(port: int, number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                if _ask(port, authorization, f"/{number}/{turn}")[0] == 200:
                    answered.append(f"/{number}/{turn}")

    with _embedded(latchgate, *_GUNICORN, "--threads=4", "support.embedded_app:wsgi") as (port, process):
        threads = [threading.Thread(target=ask_on, args=(port, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = len(answered)
            deadline = time.monotonic() + _START_SECONDS
            while len(answered) < before + 30 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert len(answered) >= before + 30
            os.kill(find_children(process.pid)[0], signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()

    paths = [row["path"] for row in _rows(latchgate, key)]
    assert set(answered) <= set(paths)
    assert len(paths) == len(set(paths))


def test_a_keys_limit_is_one_for_server_and_application(latchgate: RunningLatchgate) -> None:
    """What a key asks of the server and of an application beside it is counted together."""
    made = latchgate.ask("key", "generate", _USER, "--limit", "4")
    authorization = f"token {made['api_key']}:{made['api_secret']}"
    ours = "/api/method/frappe.auth.get_logged_user"
    head = Head("GET", b"/", "127.0.0.1", ((b"authorization", authorization.encode()),))
    keeper = LocalKeeper(load_settings({"home": latchgate.home}))

    refusals = [keeper.admit(head, SIGNED_IN).refusal]
    statuses = [_ask(latchgate.port, authorization, ours)[0] for _ in range(2)]
    refusals += [keeper.admit(head, SIGNED_IN).refusal for _ in range(3)]
    keeper.close()

    assert statuses == [200, 200]
    assert [refusal and refusal.status for refusal in refusals] == [None, None, 429, 429]
    assert _ask(latchgate.port, authorization, ours)[0] == 429


def test_an_application_without_an_instance_says_so_and_does_not_start(tmp_path: Path) -> None:
    """A data folder that is not there is told when the application starts, rather than at its first request."""
    nowhere = RunningLatchgate(tmp_path / "nowhere")
    environment = {**nowhere.environment, "PYTHONPATH": str(_ROOT / "tests")}
    words = [word.replace("PORT", str(free_port())) for word in _UVICORN]

    done = subprocess.run(
        [sys.executable, "-m", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode != 0
    assert "There is no instance of Latchgate in" in done.stderr
