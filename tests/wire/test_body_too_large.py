"""A body that is too large is refused before the application sees it, and yet logged against whoever sent it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.server.wire import WireLimits
from support.running import RunningLatchgate

_TARGET = b"POST /api/method/frappe.core.doctype.user.user.generate_keys HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server with one user."""
    running = RunningLatchgate(Path(tmp_path_factory.mktemp("large")) / "home").start()
    running.ask("user", "create", "api@example.com")
    yield running
    running.stop()


def _exchange(running: RunningLatchgate, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(request)
        return client.recv(65_536)


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_that_is_too_large_leaves_a_row(running: RunningLatchgate, *, chunked: bool) -> None:
    """The row names the key's user, the status and the reason, whether the size was announced or came out."""
    key = running.ask("key", "generate", "api@example.com")
    pair = f"{key['api_key']}:{key['api_secret']}".encode()
    size = WireLimits().body_bytes_max + 1
    head = _TARGET + b"Authorization: token " + pair + b"\r\n"
    if chunked:
        head += b"Content-Type: application/json\r\n"
        request = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % size + b"x" * size
    else:
        request = head + b"Content-Length: %d\r\n\r\n" % size

    answer = _exchange(running, request)

    assert answer.startswith(b"HTTP/1.1 413 ")
    (row,) = running.ask("log", "search", "--key", key["api_key"])
    assert (row["user"], row["status"], row["reason"]) == ("api@example.com", 413, "body_too_large")


def test_a_body_that_is_too_large_without_a_credential_leaves_none(running: RunningLatchgate) -> None:
    """Who presents nothing is not logged, here as elsewhere."""
    before = running.ask("log", "search", "--limit", "0")

    answer = _exchange(running, _TARGET + b"Content-Length: 1048577\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert running.ask("log", "search", "--limit", "0") == before
