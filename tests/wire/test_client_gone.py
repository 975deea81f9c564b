"""A client that leaves before its answer: what was judged is logged all the same."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latchgate.services.port_values import LogQuery
from support.asgi import opened_service
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


def test_what_is_cut_off_at_the_servers_end_leaves_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread may do for it what it was let in to do: then the log must tell of it, as of a client that left."""
    with opened_service(tmp_path / "home") as service:
        service.make_user("ann@example.com")
        key = service.make_key("Administrator").token
        began, go_on = threading.Event(), threading.Event()
        generate = service.latchgate.api_keys.generate_primary

        def wait(*arguments: Any) -> Any:  # noqa: ANN401  # whatever it takes and gives
            began.set()
            go_on.wait(_DEADLINE_SECONDS)
            return generate(*arguments)

        monkeypatch.setattr(type(service.latchgate.api_keys), "generate_primary", lambda _, *given: wait(*given))
        service.cut_off(_GENERATE.decode(), {"user": "ann@example.com"}, key, began.wait)
        go_on.set()

        (row,) = service.latchgate.request_log.search(LogQuery(path=_GENERATE.decode()))
        assert (row.user, row.status, row.reason) == ("Administrator", 499, "client_gone")
