"""The middleware for ASGI, message by message."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from latchgate.core.log_entries import LogEntry
from latchgate.core.policy import PUBLIC, SIGNED_IN, UNLIMITED, Requirement
from latchgate.errors import StorageError
from latchgate.middleware.asgi import AsgiMiddleware, find_peer
from latchgate.middleware.identities import Identity, get_identity
from support.asgi import Pair, Service
from support.callers import Request, ask_asgi, scope_of
from support.entrances import HeldKeeper, echo_asgi

Message = dict[str, Any]
_START = {"type": "http.response.start", "status": 200, "headers": []}
_BODY = {"type": "http.response.body", "body": b"done"}


def _carrying(key: Pair, target: bytes = b"/signed-in") -> Request:
    return Request(target, ((b"authorization", key.token.encode()),))


def _run(
    application: Any,  # noqa: ANN401  # any ASGI application
    scope: Message,
    arriving: list[Message] | None = None,
    on_send: Callable[[Message], None] = lambda _: None,
) -> list[Message]:
    sent: list[Message] = []
    left = list(arriving or [])

    async def receive() -> Message:
        return left.pop(0) if left else await asyncio.Future()

    async def send(message: Message) -> None:
        on_send(message)
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent


def test_the_row_is_there_before_the_reply_leaves(
    service: Service, keeper: HeldKeeper, key: Pair, rows: Callable[[], list[LogEntry]]
) -> None:
    """At the moment that the first piece of the answer is sent, the log can tell of the request."""
    seen: list[LogEntry] = []

    def look(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen.extend(rows())

    _run(AsgiMiddleware(echo_asgi, keeper=keeper), scope_of(_carrying(key)), on_send=look)

    assert [(row.user, row.status) for row in seen] == [("api@example.com", 200)]


@contextmanager
def _broken(keeper: HeldKeeper, method: str) -> Iterator[None]:
    class Broken:
        def __init__(self, log: Any) -> None:  # noqa: ANN401  # the log, but for one method
            self._log = log

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as above
            if name == method:
                raise StorageError("The request log has no room for more")
            return getattr(self._log, name)

    whole = keeper._latchgate
    gate = replace(whole.gate, request_log=Broken(whole.gate.request_log))
    keeper._latchgate = replace(whole, gate=gate)
    try:
        yield
    finally:
        keeper._latchgate = whole


def test_nothing_runs_that_could_not_be_logged(keeper: HeldKeeper, key: Pair) -> None:
    """Without room for the row the application is not called."""

    async def never(*_: object) -> None:
        raise AssertionError("the application was called")

    with _broken(keeper, "reserve"):
        seen = ask_asgi(AsgiMiddleware(never, keeper=keeper))(_carrying(key))

    assert (seen.status, seen.document["error"]) == (503, "unavailable")


def test_what_was_not_logged_does_not_leave(keeper: HeldKeeper, key: Pair) -> None:
    """If the row cannot be written, the answer is a 503 and nothing of the application's."""
    with _broken(keeper, "append_prepared"):
        seen = ask_asgi(AsgiMiddleware(echo_asgi, keeper=keeper))(_carrying(key))

    assert (seen.status, seen.document["error"]) == (503, "unavailable")
    assert b"api@example.com" not in seen.body


async def _fail(*_: object) -> None:
    raise RuntimeError("of the application")


async def _begin_and_fail(scope: Message, receive: object, send: Any) -> None:  # noqa: ANN401  # as ASGI says
    await send(_START)
    raise RuntimeError("of the application")


async def _leave(scope: Message, receive: Any, send: object) -> None:  # noqa: ANN401  # as ASGI says
    assert (await receive())["type"] == "http.disconnect"


async def _say_nothing(*_: object) -> None:
    return


@pytest.mark.parametrize(
    ("application", "raises", "expected"),
    [
        pytest.param(_fail, True, (500, "internal"), id="raises"),
        pytest.param(_begin_and_fail, True, (200, None), id="raises after it began"),
        pytest.param(_leave, False, (499, "client_gone"), id="the client has gone"),
        pytest.param(_say_nothing, False, (500, "internal"), id="answers nothing"),
    ],
)
def test_a_request_without_an_answer_leaves_a_row(
    keeper: HeldKeeper,
    key: Pair,
    rows: Callable[[], list[LogEntry]],
    application: Any,  # noqa: ANN401  # any ASGI application
    raises: bool,
    expected: tuple[int, str | None],
) -> None:
    """Whatever becomes of the application, there is one row, which says what came of the request."""
    scope = scope_of(_carrying(key))

    with pytest.raises(RuntimeError) if raises else nullcontext():
        _run(AsgiMiddleware(application, keeper=keeper), scope, [{"type": "http.disconnect"}])

    assert [(row.status, row.reason) for row in rows()] == [expected]


def test_a_request_that_is_cut_off_leaves_a_row(
    keeper: HeldKeeper, key: Pair, rows: Callable[[], list[LogEntry]]
) -> None:
    """A task that the server cancels is logged, and stays cancelled."""

    async def wait(*_: object) -> None:
        await asyncio.Future()

    async def ask() -> None:
        task = asyncio.create_task(AsgiMiddleware(wait, keeper=keeper)(scope_of(_carrying(key)), wait, wait))  # type: ignore[arg-type]  # never called
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())

    assert [(row.status, row.reason) for row in rows()] == [(499, "client_gone")]


def test_a_request_that_is_cut_off_while_it_is_judged_leaves_a_row(
    keeper: HeldKeeper, key: Pair, rows: Callable[[], list[LogEntry]]
) -> None:
    """Where the gate is asked in a thread, what it has judged is logged, though nobody waits for it any more."""
    judging, go_on = threading.Event(), threading.Event()

    class Slow:
        usual = UNLIMITED

        def admit_at_once(self, head: object, requires: object) -> None:
            return None

        def admit(self, head: Any, requires: Any) -> Any:  # noqa: ANN401  # as the keeper's
            judging.set()
            go_on.wait(10)
            return keeper.admit(head, requires)

    async def never(*_: object) -> None:
        raise AssertionError("the application was called")

    async def ask() -> None:
        middleware = AsgiMiddleware(never, keeper=Slow())  # type: ignore[arg-type]  # as much of a keeper as is asked
        task = asyncio.create_task(middleware(scope_of(_carrying(key)), never, never))  # type: ignore[arg-type]  # never called
        await asyncio.to_thread(judging.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(ask())

    assert [(row.status, row.reason) for row in rows()] == [(499, "client_gone")]


def test_the_callers_own_words_never_reach_the_application(keeper: HeldKeeper, key: Pair) -> None:
    """Headers by which proxies tell who asks are taken away, however they are written; others stay."""
    kept: list[bytes] = []

    async def application(scope: Message, receive: object, send: Any) -> None:  # noqa: ANN401  # as ASGI says
        kept.extend(name for name, _ in scope["headers"])
        await echo_asgi(scope, receive, send)

    words = [b"x-auth-request-user", b"x_auth_request_groups", b"remote-user", b"X-Forwarded-User".lower(), b"x-kept"]
    words += [b"x-auth-request-user".replace(b"-", bytes([sign])) for sign in b"_.!#$%&'*+^`|~"]
    request = Request(headers=((b"authorization", key.token.encode()), *((word, b"Administrator") for word in words)))
    ask_asgi(AsgiMiddleware(application, keeper=keeper))(request)

    assert kept == [b"host", b"user-agent", b"authorization", b"x-kept"]


def test_a_part_of_the_application_can_require_more(
    keeper: HeldKeeper, key: Pair, rows: Callable[[], list[LogEntry]]
) -> None:
    """`Identity.require` refuses within the application; caller and log are told as if the gate had."""

    async def application(scope: Message, receive: object, send: object) -> None:
        get_identity(scope).require(role=["Auditor", "System Manager"])

    seen = ask_asgi(AsgiMiddleware(application, requires=PUBLIC, keeper=keeper))(_carrying(key))

    assert (seen.status, seen.document["error"]) == (403, "forbidden")
    assert [(row.status, row.reason) for row in rows()] == [(403, "role_missing")]
    assert ask_asgi(AsgiMiddleware(application, requires=PUBLIC, keeper=keeper))(Request()).status == 401


def test_an_identity_tells_what_it_may(keeper: HeldKeeper, service: Service) -> None:
    """Roles and scopes are judged together, as at the gate; asking changes nothing."""
    narrow = service.make_key("api@example.com", scopes=frozenset({"reports", "read"}))
    found: list[Identity] = []

    async def application(scope: Message, receive: object, send: Any) -> None:  # noqa: ANN401  # as ASGI says
        found.append(get_identity(scope))
        await echo_asgi(scope, receive, send)

    ask_asgi(AsgiMiddleware(application, requires=SIGNED_IN, keeper=keeper))(_carrying(narrow))

    [identity] = found
    asked = [{"scope": "*"}, {"role": "All", "scope": "*"}, {"scope": "reports"}, {"role": "All", "scope": "User:read"}]
    assert [identity.allows(**one) for one in asked] == [True] * 4
    asked = [
        {},
        {"role": "All"},
        {"role": "Auditor", "scope": "*"},
        {"scope": "other"},
        {"role": "All", "scope": "User:write"},
        {"role": "Auditor", "scope": "reports"},
    ]
    assert [identity.allows(**one) for one in asked] == [False] * 6
    assert narrow.secret not in repr(identity)


def test_without_the_middleware_nobody_is_known() -> None:
    """An application that is reached past the middleware fails, rather than take everybody for Guest."""
    with pytest.raises(LookupError, match="is not before this application"):
        get_identity({})


_ANSWERED = ["websocket.http.response.start", "websocket.http.response.body"]


@pytest.mark.parametrize(
    ("lets_in", "carries", "expected", "row"),
    [
        (True, True, ["websocket.accept", "websocket.close"], [(101, None)]),
        (False, True, ["websocket.close"], [(403, "not_permitted")]),
        (False, True, _ANSWERED, [(403, "not_permitted")]),
        (True, False, ["websocket.close"], []),
        (True, False, _ANSWERED, []),
    ],
)
def test_websockets(
    request: pytest.FixtureRequest, lets_in: bool, carries: bool, expected: list[str], row: list[tuple[int, str | None]]
) -> None:
    """None is let in unless that was said; then its handshake is judged and logged as a request is."""
    keeper, rows, key = (request.getfixturevalue(name) for name in ("keeper", "rows", "key"))

    async def application(scope: Message, receive: Any, send: Any) -> None:  # noqa: ANN401  # as ASGI says
        assert get_identity(scope).user == "api@example.com"
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    scope = scope_of(_carrying(key) if carries else Request(), "websocket")
    del scope["method"]
    scope["extensions"] = {"websocket.http.response": {}} if expected is _ANSWERED else {}
    middleware = AsgiMiddleware(application, websockets=lets_in, keeper=keeper)

    sent = _run(middleware, scope, [{"type": "websocket.connect"}])

    assert [message["type"] for message in sent] == expected
    assert [(one.status, one.reason) for one in rows()] == row


def test_a_websockets_application_that_fails_is_logged(
    keeper: HeldKeeper, key: Pair, rows: Callable[[], list[LogEntry]]
) -> None:
    """Its handshake is answered with a 500 by the server, and the row says so."""
    scope = scope_of(_carrying(key), "websocket")

    with pytest.raises(RuntimeError):
        _run(AsgiMiddleware(_fail, websockets=True, keeper=keeper), scope, [{"type": "websocket.connect"}])

    assert [(row.status, row.reason) for row in rows()] == [(500, "internal")]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("refused", [False, True])
def test_a_request_that_is_cut_off_before_its_row_is_written_leaves_one(
    keeper: HeldKeeper, key: Pair, rows: Callable[[], list[LogEntry]], *, refused: bool, kind: str
) -> None:
    """Where replies wait for the disk, no thread may have been free for the row when the task was cancelled."""
    requires = Requirement(user=True, roles=frozenset({"Nobody's"})) if refused else None

    async def application(scope: Message, receive: Any, send: Any) -> None:  # noqa: ANN401  # as ASGI says
        await (echo_asgi(scope, receive, send) if kind == "http" else send({"type": "websocket.accept"}))

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    class Waiting:
        usual = UNLIMITED

        def admit_at_once(self, head: Any, requires: Any) -> Any:  # noqa: ANN401  # as the keeper's
            passage = keeper.admit(head, requires)
            passage.sync = lambda: None
            return passage

    async def ask() -> None:
        loop, go_on = asyncio.get_running_loop(), threading.Event()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, go_on.wait, 10)
        middleware = AsgiMiddleware(application, requires=requires, websockets=True, keeper=Waiting())  # type: ignore[arg-type]  # as much of a keeper as is asked
        task = asyncio.create_task(middleware(scope_of(_carrying(key), kind), receive, None))  # type: ignore[arg-type]  # nothing is sent
        await asyncio.sleep(0)
        task.cancel()
        loop.call_later(0.05, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        await busy

    asyncio.run(ask())

    assert [(row.status, row.reason) for row in rows()] == [(499, "client_gone")]


def test_start_and_stop_pass_through(keeper: HeldKeeper) -> None:
    """The application takes part in start and stop as if nothing stood before it."""
    seen: list[str] = []

    async def application(scope: Message, receive: object, send: Any) -> None:  # noqa: ANN401  # as ASGI says
        seen.append(scope["type"])
        await send({"type": "lifespan.startup.complete"})

    sent = _run(AsgiMiddleware(application, keeper=keeper), {"type": "lifespan"})

    assert (seen, [message["type"] for message in sent]) == (["lifespan"], ["lifespan.startup.complete"])


def test_what_is_not_known_is_not_let_in(keeper: HeldKeeper) -> None:
    """A kind of connection that nobody can judge never reaches the application."""
    with pytest.raises(ValueError, match="'gopher'"):
        _run(AsgiMiddleware(echo_asgi, keeper=keeper), {"type": "gopher"})


@pytest.mark.parametrize(
    ("path", "raw_path", "logged"),
    [
        ("/a b", b"/a%20b", "/a%20b?q=1"),
        ("/a/b", b"/a%2Fb", "/a%2Fb?q=1"),
        ("/a/b", b"/other", "/a/b?q=1"),
        ("/ä", None, "/%C3%A4?q=1"),
        ("/\N{REPLACEMENT CHARACTER}", b"/%FF", "/%FF?q=1"),
        ("/a\nb", b"/a%0Ab", "/a%0Ab?q=1"),
    ],
)
def test_what_is_judged_is_what_the_application_sees(
    keeper: HeldKeeper,
    key: Pair,
    rows: Callable[[], list[LogEntry]],
    path: str,
    raw_path: bytes | None,
    logged: str,
) -> None:
    """The path as sent counts where it reads as the application's; else the application's own, written anew."""
    scope = {**scope_of(_carrying(key, b"/?q=1")), "path": path, "raw_path": raw_path}

    _run(AsgiMiddleware(echo_asgi, keeper=keeper), scope)

    assert [row.path for row in rows()] == [logged]


@pytest.mark.parametrize(
    ("client", "server", "peer"),
    [
        (("192.0.2.7", 1), ("127.0.0.1", 8000), "192.0.2.7"),
        # Reset before it was accepted.
        (None, ("127.0.0.1", 8000), "unknown"),
        (("", 0), ("127.0.0.1", 8000), "unknown"),
        (None, ("/run/app.sock", None), ""),
        (None, None, ""),
    ],
)
def test_only_a_unix_socket_has_no_address(client: object, server: object, peer: str) -> None:
    """Whoever asks over TCP is never taken for the proxy at a socket."""
    assert find_peer({"client": client, "server": server}) == peer
