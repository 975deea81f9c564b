"""A client that leaves before its answer: what was judged is logged all the same."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running import RunningLatchgate

_GENERATE = b"/api/method/frappe.core.doctype.user.user.generate_keys"
_DEADLINE_SECONDS = 20.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server with one user."""
    running = RunningLatchgate(Path(tmp_path_factory.mktemp("gone")) / "home").start()
    running.ask("user", "create", "api@example.com")
    yield running
    running.stop()


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"], ids=["half a body", "a body only announced"])
def test_a_key_that_is_only_tried_leaves_a_row(running: RunningLatchgate, expect: bytes) -> None:
    """Who sends a good key and goes before the body is complete has still used it, and is in the log."""
    key = running.ask("key", "generate", "api@example.com")
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: token %s:%s\r\n" % (
        _GENERATE,
        key["api_key"].encode(),
        key["api_secret"].encode(),
    )
    body = b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"

    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(head + expect + body + (b"" if expect else b"{"))
        if expect:
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")

    deadline = time.monotonic() + _DEADLINE_SECONDS
    rows: list[dict[str, object]] = []
    while not rows and time.monotonic() < deadline:
        rows = running.ask("log", "search", "--key", key["api_key"])
    (row,) = rows
    assert (row["user"], row["status"], row["reason"]) == ("api@example.com", 499, "client_gone")
