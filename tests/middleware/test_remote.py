"""A keeper that asks a server: what it remembers and for how long, and what it does without an answer."""

import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from latchgate.core.heads import Head
from latchgate.core.policy import SIGNED_IN, Requirement
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.keepers import Passage
from latchgate.middleware.remote import RemoteKeeper
from support.callers import Request, ask_asgi
from support.entrances import echo_asgi
from support.forks import run_in_forks
from support.running import RunningLatchgate, free_port

_KEY = (b"authorization", b"token a-key:a-secret")
_HEAD = Head("GET", b"/a?b=1", "192.0.2.7", ((b"host", b"app.example.com"), _KEY))
_IDENTITY = {
    "X-Auth-Request-User": "ann%2Cx@example.com",
    "X-Auth-Request-Email": "ann%2Cx@example.com",
    "X-Auth-Request-Groups": "All,A%2C B",
    "X-Auth-Request-Scopes": "read,Sales Order:write",
    "X-Auth-Request-Key": "a-key",
    "X-Auth-Request-Token": "",
}


class StandIn(http.server.ThreadingHTTPServer):
    """A server that gives one answer, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status, self.told, self.body = 204, dict(_IDENTITY), b""
        self.asked: list[list[tuple[str, str]]] = []
        self.connections = 0
        self.closes = False
        self.wait = threading.Event()
        self.wait.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.wait.wait(10)
        self.server.asked.append([("", self.path), *self.headers.items()])
        self.send_response(self.server.status)
        for name, value in self.server.told.items():
            self.send_header(name, value)
        if self.server.status != 204:
            self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)
        # Without a word, as one does whose patience has ended.
        self.close_connection = self.close_connection or self.server.closes

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="server")
def _server() -> Iterator[StandIn]:
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.wait.set()
        server.shutdown()
        thread.join()


@contextmanager
def _keeping(server: StandIn, seconds: float = 60.0, **more: float) -> Iterator[RemoteKeeper]:
    keeper = RemoteKeeper(server.url, cache_seconds=seconds, **more)  # type: ignore[arg-type]  # as the keywords are
    try:
        yield keeper
    finally:
        keeper.close()


def _ask(keeper: RemoteKeeper, head: Head = _HEAD, requires: Requirement | None = None) -> Passage:
    return keeper.admit_at_once(head, requires) or keeper.admit(head, requires)


def test_a_keeper_that_remembers_longer_is_another(server: StandIn) -> None:
    """Within one that remembers, a keeper that asks each time asks."""
    with _keeping(server) as outer, _keeping(server, 0.0) as inner:
        assert outer.instance != inner.instance


def test_the_rules_are_asked_about_the_address_that_is_answered(server: StandIn) -> None:
    """A keeper within another one asks once more, if the address was changed in between."""
    with _keeping(server) as keeper:
        inner = AsgiMiddleware(echo_asgi, keeper=keeper)

        async def between(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # as ASGI says
            server.status, server.told = 403, {}
            await inner({**scope, "path": "/admin/x", "raw_path": b"/admin/x"}, receive, send)

        status = ask_asgi(AsgiMiddleware(between, keeper=keeper))(Request(b"/public/x", (_KEY,))).status

    assert status == 403
    assert [dict(asked)["X-Original-URI"] for asked in server.asked] == ["/public/x", "/admin/x"]


def test_the_question_tells_the_request_as_nginx_does(server: StandIn) -> None:
    """What the server judges is the original request, told in one dialect, each header once."""
    with _keeping(server) as keeper:
        passage = _ask(
            keeper, replace(_HEAD, headers=(*_HEAD.headers, (b"user-agent", b"curl"), (b"cookie", b"sid=1")))
        )

    assert server.asked == [
        [
            ("", "/auth/verify?proxy=nginx"),
            ("Host", "app.example.com"),
            ("X-Original-Method", "GET"),
            ("X-Original-URI", "/a?b=1"),
            ("X-Forwarded-For", "192.0.2.7"),
            ("User-Agent", "curl"),
            ("Authorization", "token a-key:a-secret"),
        ]
    ]
    assert passage.identity is not None
    identity = passage.identity
    assert (identity.user, identity.credential, identity.scheme) == ("ann,x@example.com", "a-key", "token")
    assert identity.roles == {"All", "A, B"}
    assert identity.scopes == {"read", "Sales Order:write"}
    assert identity.allows(role="A, B", scope="User:read")
    assert not identity.allows(scope="User:write")


@pytest.mark.parametrize(
    "other",
    [
        replace(_HEAD, method="POST"),
        replace(_HEAD, target=b"/a?b=2"),
        replace(_HEAD, target=b"/other"),
        replace(_HEAD, peer="192.0.2.8"),
        replace(_HEAD, headers=((b"host", b"other.example.com"), _KEY)),
        replace(_HEAD, headers=((b"host", b"app.example.com"), (b"authorization", b"Basic YTpi"))),
        replace(_HEAD, headers=((b"host", b"app.example.com"),)),
        replace(_HEAD, headers=(*_HEAD.headers, (b"frappe-authorization-source", b""))),
        replace(_HEAD, headers=(*_HEAD.headers, _KEY)),
    ],
)
def test_an_answer_counts_for_the_same_request_alone(server: StandIn, other: Head) -> None:
    """All that the server's decision depends on is part of what an answer is remembered by."""
    with _keeping(server) as keeper:
        assert [_ask(keeper).refusal for _ in range(3)] == [None] * 3
        assert len(server.asked) == 1

        _ask(keeper, other)

        assert len(server.asked) == 2


def test_what_is_remembered_is_judged_for_each_requirement(server: StandIn) -> None:
    """An answer that was remembered where less was asked lets nobody in where more is."""
    with _keeping(server) as keeper:
        assert _ask(keeper, requires=SIGNED_IN).refusal is None

        refusal = _ask(keeper, requires=Requirement(user=True, roles=frozenset({"Auditor"}))).refusal

    assert refusal is not None
    assert (refusal.status, len(server.asked)) == (403, 1)


@pytest.mark.parametrize(
    ("status", "expected"), [(401, 401), (403, 403), (429, 429), (503, 503), (500, 503), (302, 503)]
)
def test_refusals_are_never_remembered(server: StandIn, status: int, expected: int) -> None:
    """Whoever was refused, or found the server failing, is let in as soon as the server says so."""
    with _keeping(server) as keeper:
        server.status, server.told = status, {"Retry-After": "7"}
        refusals = [_ask(keeper).refusal for _ in range(2)]
        server.status, server.told = 204, dict(_IDENTITY)

        assert _ask(keeper).refusal is None

    assert [refusal and refusal.status for refusal in refusals] == [expected] * 2
    if status == 429:
        assert refusals[0] is not None
        assert ("Retry-After", "7") in refusals[0].headers


def test_answers_end_and_are_few(server: StandIn) -> None:
    """No answer counts for longer than was said, and no more are kept than was said."""
    with _keeping(server, 0.05) as keeper:
        _ask(keeper)
        time.sleep(0.06)
        _ask(keeper)
    assert len(server.asked) == 2

    with _keeping(server, cache_entries=2) as keeper:
        heads = [replace(_HEAD, target=b"/%d" % number) for number in range(3)]
        for head in (*heads, heads[0]):
            _ask(keeper, head)
    assert len(server.asked) == 6


def test_an_answer_is_as_old_as_its_question(server: StandIn) -> None:
    """The time that the server takes to answer is part of the bound: what changed meanwhile may not be in it."""
    with _keeping(server, 0.2) as keeper:
        server.wait.clear()
        threading.Timer(0.25, server.wait.set).start()
        _ask(keeper)

        assert keeper.admit_at_once(_HEAD, None) is None


@pytest.mark.parametrize("told", [{}, {"X-Auth-Request-User": "ann@example.com"}])
def test_another_server_lets_nobody_in(server: StandIn, told: dict[str, str]) -> None:
    """A server that answers everybody with 200 but knows nothing of identities is no Latchgate."""
    server.status, server.told = 200, told
    with _keeping(server) as keeper:
        refusal = _ask(keeper).refusal

    assert refusal is not None
    assert refusal.status == 503


def test_without_an_answer_nobody_is_let_in(server: StandIn) -> None:
    """A server that is not there, or does not answer in time, is a 503, and the application is not called."""

    async def never(*_: object) -> None:
        raise AssertionError("the application was called")

    absent = RemoteKeeper(f"http://127.0.0.1:{free_port()}")
    assert ask_asgi(AsgiMiddleware(never, keeper=absent))(Request(headers=(_KEY,))).status == 503
    server.wait.clear()
    with _keeping(server, timeout_seconds=0.05) as keeper:
        assert ask_asgi(AsgiMiddleware(never, keeper=keeper))(Request(headers=(_KEY,))).status == 503


def test_connections_are_kept_and_made_anew(server: StandIn) -> None:
    """One connection carries many questions; one that the server has closed is no failure."""
    with _keeping(server, 0.0) as keeper:
        assert [_ask(keeper).refusal for _ in range(3)] == [None] * 3
        assert server.connections == 1
        server.closes = True
        assert [_ask(keeper).refusal for _ in range(3)] == [None] * 3


def test_a_question_that_may_have_been_heard_is_not_asked_twice(server: StandIn) -> None:
    """A server that is silent counts and logs each question; only one that has hung up is asked again."""
    with _keeping(server, 0.0) as keeper:
        assert _ask(keeper).refusal is None
        server.wait.clear()
        assert keeper._house is not None
        [connection] = keeper._house.questioner._idle
        assert connection.sock is not None
        connection.sock.settimeout(0.05)

        refusal = _ask(keeper).refusal

    assert refusal is not None
    assert (refusal.status, server.connections) == (503, 1)


def test_what_no_header_can_hold_is_refused_and_not_shown(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    """Some servers hand on what none should; it lets nobody in, and the operator is not told the secret."""
    odd = replace(_HEAD, headers=((b"host", b"app.example.com"), (b"authorization", b"token a-key:a-secret\rx")))
    with _keeping(server, 0.0) as keeper:
        refusals = [_ask(keeper, head).refusal for head in (odd, _HEAD, odd)]

    assert [refusal and refusal.status for refusal in refusals] == [503, None, 503]
    assert "cannot be reached" in (told := capsys.readouterr().err)
    assert "a-secret" not in told


def test_what_was_remembered_is_not_taken_across_a_fork(server: StandIn) -> None:
    """A child asks by connections of its own; parent and child never read each other's answers."""
    with _keeping(server, 0.0) as keeper:
        _ask(keeper)

        def ask_often() -> None:
            for _ in range(20):
                assert _ask(keeper).refusal is None

        run_in_forks([ask_often, ask_often])
        ask_often()

    assert len(server.asked) == 61
    assert server.connections == 3


@pytest.mark.parametrize(
    "url",
    [
        "",
        "latchgate.example.com",
        "ftp://a",
        "http://",
        "http://a/path",
        "http://user:a-secret@a",
        "http://a:no",
        "http://a?b",
    ],
)
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    """A mistyped address is an error where it is written, not at the first request."""
    with pytest.raises(ValueError, match=r"is no server.* or unix:/path/of.socket") as raised:
        RemoteKeeper(url)
    assert "a-secret" not in str(raised.value)
    with pytest.raises(ValueError, match="is not an address or a range"):
        RemoteKeeper("http://a", trusted_proxies="somewhere")


def test_a_server_behind_a_socket(server: StandIn, tmp_path: os.PathLike[str]) -> None:
    """A Unix socket serves as well as a port."""
    path = os.fspath(tmp_path) + "/s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        told = "".join(f"{name}: {value}\r\n" for name, value in _IDENTITY.items())

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(f"HTTP/1.1 204 No Content\r\n{told}\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        keeper = RemoteKeeper(f"unix:{path}")
        assert _ask(keeper).refusal is None
        keeper.close()
        thread.join()


def test_a_revoked_key_ends_within_the_bound(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was revoked at a real server opens nothing here once `cache_seconds` have passed since."""
    running = RunningLatchgate(tmp_path_factory.mktemp("remote") / "home", LATCHGATE_TRUSTED_PROXIES="127.0.0.1")
    running.start()
    seconds = 0.5
    keeper = RemoteKeeper(running.base, cache_seconds=seconds)
    try:
        running.ask("user", "create", "api@example.com")
        made = running.ask("key", "generate", "api@example.com")
        assert running.run("rule", "create", "--path", "/*").returncode == 0
        request = Request(b"/x", ((b"authorization", f"token {made['api_key']}:{made['api_secret']}".encode()),))
        ask = ask_asgi(AsgiMiddleware(echo_asgi, keeper=keeper))
        assert ask(request).status == 200

        running.ask("key", "revoke", made["api_key"])

        revoked_at = time.monotonic()
        opened = [time.monotonic() for _ in range(500) if ask(request).status == 200]
        assert max(opened, default=0.0) - revoked_at <= seconds
        time.sleep(max(0.0, revoked_at + seconds - time.monotonic()))
        assert ask(request).status == 401
    finally:
        keeper.close()
        running.kill()
