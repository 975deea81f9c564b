"""A running server, asked in bytes on a socket: what the parser hands on is what the gate judges and the log shows."""

import csv
import io
import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from support.asgi import LOGGED_USER, Pair, Service
from support.running import RunningLatchgate
from support.wire_server import find_statuses, read_all

API = "api@example.com"
# Other control characters never pass the parser.
_EVIL = b"=a\t\x9b31m,\"'\\x0a\xe2\x80\xae\xc2\x9b2K\xff"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server on a data folder of its own."""
    running = RunningLatchgate(tmp_path_factory.mktemp("sockets") / "home").start()
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output.read_text()


@pytest.fixture(scope="module")
def key(running: RunningLatchgate) -> Pair:
    """A key without limits."""
    with closing(Service(running.home)) as beside:
        return beside.make_key(beside.make_user(API))


def _exchange(running: RunningLatchgate, *lines: bytes, target: str = LOGGED_USER, method: str = "GET") -> bytes:
    head = b"\r\n".join([f"{method} {target} HTTP/1.1".encode(), b"Host: x", b"Connection: close", *lines, b"", b""])
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(head)
        return read_all(client)


def _body(answer: bytes) -> dict[str, object]:
    document: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return document


@pytest.mark.parametrize("name", [b"Authorization", b"authorization", b"AUTHORIZATION", b"aUTHORIZATION"])
def test_a_header_s_name_is_read_in_any_case(running: RunningLatchgate, key: Pair, name: bytes) -> None:
    """Names of headers have no case."""
    assert _body(_exchange(running, name + b": " + key.token.encode())) == {"message": API}


@pytest.mark.parametrize("names", [(b"Authorization", b"Authorization"), (b"authorization", b"AUTHORIZATION")])
@pytest.mark.parametrize("second", [b"", b"token a:b", b"  "])
def test_two_headers_are_refused(
    running: RunningLatchgate, key: Pair, names: tuple[bytes, bytes], second: bytes
) -> None:
    """Spelt alike or not, empty or not, the second one makes it a 400."""
    answer = _exchange(running, names[0] + b": " + key.token.encode(), names[1] + b": " + second)

    assert find_statuses(answer) == [400]
    assert _body(answer)["exc_type"] == "InvalidAuthorizationToken"


@pytest.mark.parametrize(
    "twin", [b"HTTP_AUTHORIZATION", b"Authorization_", b"Frappe_Authorization_Source", b"X_Forwarded_For"]
)
def test_an_underscore_twin_changes_nothing(running: RunningLatchgate, key: Pair, twin: bytes) -> None:
    """It is neither the header nor a second one."""
    own, other = b"Authorization: " + key.token.encode(), twin + b": Event Consumer"

    assert _body(_exchange(running, own, other)) == {"message": API}
    assert find_statuses(_exchange(running, other)) == [403]


def test_the_connection_s_options_take_nothing_away(running: RunningLatchgate, key: Pair) -> None:
    """A header named in `Connection` counts all the same."""
    line = b"Connection: close, Authorization"

    assert _body(_exchange(running, line, b"Authorization: " + key.token.encode())) == {"message": API}
    assert find_statuses(_exchange(running, line, b"Authorization: token a:b")) == [401]


@pytest.mark.parametrize(
    ("target", "status"), [("/login", 200), ("/livez", 200), (LOGGED_USER, 403), ("/nowhere", 404)]
)
def test_head_has_no_body(running: RunningLatchgate, target: str, status: int) -> None:
    """The head of the answer ends it, whatever the length that it tells."""
    answer = _exchange(running, target=target, method="HEAD")

    assert find_statuses(answer) == [status]
    assert answer.endswith(b"\r\n\r\n")


def test_one_refusal_does_not_end_the_connection(running: RunningLatchgate, key: Pair) -> None:
    """Of three requests sent at once, each is judged by its own header, and the answers come in order."""
    heads = [b"token a:b", key.token.encode(), b"Basic x"]
    sent = b"".join(
        f"GET {LOGGED_USER} HTTP/1.1\r\nHost: x\r\nAuthorization: ".encode() + head + b"\r\n\r\n" for head in heads
    )
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(sent + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert find_statuses(read_all(client)) == [401, 200, 400, 200]


def test_what_callers_write_stays_on_its_line(running: RunningLatchgate, key: Pair) -> None:
    """Printed by the command line in each of its forms, a row is one line, and nothing in it steers a terminal."""
    target = LOGGED_USER + "?q=%0d%0a%1b[2K%00%e2%80%ae&pwd=hunter2hunter2"
    lines = [b"Authorization: " + key.token.encode(), b"User-Agent: " + _EVIL]
    assert find_statuses(_exchange(running, *lines, target=target)) == [200]
    assert find_statuses(_exchange(running, *lines, b"Frappe-Authorization-Source: " + _EVIL, target=target)) == [401]

    found = running.ask("log", "search", "--path", target.partition("&")[0])
    table = running.run("log", "search", "--path", target.partition("&")[0]).stdout
    written = running.run("log", "export").stdout
    sheet = running.run("log", "export", "--format", "csv").stdout

    assert len(found) == 2
    for row in found:
        assert row["user_agent"].isprintable()
        assert row["user_agent"].startswith("=a\\x09\\udc9b31m,")
        assert row["path"].endswith("&pwd=***")
    assert len(table.splitlines()) == 3
    documents = [json.loads(line) for line in written.split("\n")[:-1]]
    records = list(csv.DictReader(io.StringIO(sheet, newline="")))
    assert [document["request_id"] for document in documents] == [record["request_id"] for record in records]
    for text in (table, written, sheet):
        assert "hunter2" not in text
        assert all(line.isprintable() for line in text.replace("\r\n", "\n").split("\n"))
