"""The middleware for WSGI, call by call."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from latchgate.core.access_rules import RuleSet
from latchgate.core.log_entries import LogEntry
from latchgate.core.policy import UNLIMITED
from latchgate.errors import StorageError
from latchgate.middleware.keepers import Passage
from latchgate.middleware.wsgi import WsgiMiddleware
from support.asgi import Pair, Service
from support.callers import Request, Seen, ask_wsgi, environ_of
from support.entrances import HeldKeeper, echo_wsgi
from support.rule_books import FakeBook, rule_of

Rows = Callable[[], list[LogEntry]]


def _carrying(key: Pair, target: bytes = b"/signed-in", *more: tuple[bytes, bytes]) -> Request:
    return Request(target, ((b"authorization", key.token.encode()), *more))


def _ask(application: Any, keeper: HeldKeeper, key: Pair) -> Seen:  # noqa: ANN401  # any WSGI application
    return ask_wsgi(WsgiMiddleware(application, keeper=keeper))(_carrying(key))


def test_the_row_is_there_before_the_reply_leaves(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """When the server is told the status, the log can tell of the request already."""
    seen: list[LogEntry] = []
    answer = WsgiMiddleware(echo_wsgi, keeper=keeper)(environ_of(_carrying(key)), lambda *_: seen.extend(rows()))

    assert seen == []
    assert b"".join(answer)
    assert [(row.user, row.status) for row in seen] == [("api@example.com", 200)]


def _late(environ: Any, start_response: Any) -> Iterator[bytes]:  # noqa: ANN401  # as WSGI says
    yield b""
    start_response("201 Created", [])
    yield b"made"


def _mends_its_status(environ: Any, start_response: Any) -> Iterator[bytes]:  # noqa: ANN401  # as WSGI says
    start_response("200 OK", [])
    try:
        yield b""
        raise RuntimeError("after it began")  # noqa: TRY301  # what an application does
    except RuntimeError as error:
        start_response("502 Bad Gateway", [], (type(error), error, error.__traceback__))
        yield b"mended"


def _empty(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
    start_response("204 No Content", [])
    return []


@pytest.mark.parametrize(
    ("application", "status", "body", "reason"),
    [(_late, 201, b"made", None), (_mends_its_status, 502, b"mended", "internal"), (_empty, 204, b"", None)],
)
def test_the_row_has_the_status_that_was_sent(  # what the test is given, and what is expected
    request: pytest.FixtureRequest,
    application: Any,  # noqa: ANN401  # any WSGI application
    status: int,
    body: bytes,
    reason: str | None,
) -> None:
    """However late an application says its status, or says another, caller and row are told the same, once."""
    keeper, key, rows = (request.getfixturevalue(name) for name in ("keeper", "key", "rows"))

    seen = _ask(application, keeper, key)

    assert (seen.status, seen.body) == (status, body)
    assert [(row.status, row.reason) for row in rows()] == [(status, reason)]


def test_the_old_way_of_writing_is_logged_first(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """What an application writes at once, instead of giving it back, leaves after its row."""
    events: list[object] = []

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
        start_response("200 OK", [])(b"written")
        return []

    def start_response(*_: object) -> Callable[[bytes], None]:
        events.extend(row.status for row in rows())
        return events.append

    list(WsgiMiddleware(application, keeper=keeper)(environ_of(_carrying(key)), start_response))

    assert events == [200, b"written"]


def _fails_at_once(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
    raise RuntimeError("of the application")


def _fails_later(environ: Any, start_response: Any) -> Iterator[bytes]:  # noqa: ANN401  # as WSGI says
    start_response("200 OK", [])
    yield b""
    raise RuntimeError("of the application")


@pytest.mark.parametrize("application", [_fails_at_once, _fails_later])
def test_an_application_that_fails_leaves_a_row(
    keeper: HeldKeeper,
    key: Pair,
    rows: Rows,
    application: Any,  # noqa: ANN401  # any WSGI application
) -> None:
    """Its exception is the server's to answer, with the 500 that the row says."""
    with pytest.raises(RuntimeError):
        _ask(application, keeper, key)

    assert [(row.status, row.reason) for row in rows()] == [(500, "internal")]


def test_a_client_that_leaves_is_logged(keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """A server that closes an answer which it has not begun to send had nobody to send it to."""
    closed: list[bool] = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"never read"])

        def close(self) -> None:
            closed.append(True)

    def application(environ: Any, start_response: Any) -> Pieces:  # noqa: ANN401  # as WSGI says
        start_response("200 OK", [])
        return Pieces()

    answer: Any = WsgiMiddleware(application, keeper=keeper)(environ_of(_carrying(key)), lambda *_: None)
    answer.close()

    assert closed == [True]
    assert [(row.status, row.reason) for row in rows()] == [(499, "client_gone")]


def test_what_was_not_logged_does_not_leave(keeper: HeldKeeper, key: Pair) -> None:
    """If the row cannot be written, the answer is a 503 and nothing of the application's."""

    class Unwritable:
        usual = UNLIMITED

        def admit_at_once(self, head: Any, requires: Any) -> Passage:  # noqa: ANN401  # as the keeper's
            def fail(*_: object) -> None:
                raise StorageError("The request log cannot be written")

            passage: Passage = keeper.admit_at_once(head, requires)
            passage.write = fail
            return passage

    seen = _ask(echo_wsgi, Unwritable(), key)  # type: ignore[arg-type]  # as much of a keeper as is asked

    assert (seen.status, seen.document["error"]) == (503, "unavailable")
    assert b"api@example.com" not in seen.body


def test_the_callers_own_words_never_reach_the_application(keeper: HeldKeeper, key: Pair) -> None:
    """Variables by which servers and proxies tell who asks hold what was found out, or nothing."""
    found: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
        found.update(environ)
        return echo_wsgi(environ, start_response)

    words = [b"X-Auth-Request-User", b"X_Auth_Request_Groups", b"X~Auth.Request!Key", b"Remote-User", b"X-Kept"]
    environ = environ_of(_carrying(key, b"/", *((word, b"Administrator") for word in words)))
    environ["REMOTE_USER"] = "Administrator"
    list(WsgiMiddleware(application, keeper=keeper)(environ, lambda *_: None))

    assert [name for name, value in found.items() if value == "Administrator"] == ["HTTP_X_KEPT"]
    assert (found["REMOTE_USER"], found["AUTH_TYPE"]) == ("api@example.com", "token")


@pytest.mark.parametrize(
    "value", [b"\xff\xfe", b"token a:b,token", b",token a:b", b"Basic " + b"A" * 30_000, b"token \x00:\x00"]
)
def test_no_bytes_are_too_odd(keeper: HeldKeeper, value: bytes) -> None:
    """Whatever stands in the header, it is refused and nothing fails."""
    seen = ask_wsgi(WsgiMiddleware(echo_wsgi, keeper=keeper))(Request(headers=((b"authorization", value),)))

    assert seen.status in {400, 401}


@pytest.mark.parametrize(
    ("path", "raw_uri", "logged"),
    [
        ("/a b", "/a%20b?q=1", "/a%20b?q=1"),
        ("/a/b", "/a%2Fb?q=1", "/a%2Fb?q=1"),
        ("/a", "http://other.example/a?q=1", "/a?q=1"),
        ("/app/x", None, "/app/x?q=1"),
        ("/\xc3\xa4\xff", None, "/%C3%A4%FF?q=1"),
    ],
)
def test_what_is_judged_is_what_the_application_sees(
    request: pytest.FixtureRequest, path: str, raw_uri: str | None, logged: str
) -> None:
    """The path as sent counts where it reads as the application's; else the application's own, written anew."""
    keeper, key, rows = (request.getfixturevalue(name) for name in ("keeper", "key", "rows"))
    environ = environ_of(_carrying(key, b"/?q=1"))
    environ |= {"PATH_INFO": path, "RAW_URI": raw_uri}

    list(WsgiMiddleware(echo_wsgi, keeper=keeper)(environ, lambda *_: None))

    assert [row.path for row in rows()] == [logged]


def test_no_caller_chooses_the_beginning_of_its_path(service: Service, rows: Rows) -> None:
    """A server takes SCRIPT_NAME from a header: a rule that opens it must not open what follows it."""
    gate = replace(service.latchgate.gate, rule_book=FakeBook(RuleSet([rule_of("/public/*", guest=True)])))
    middleware = WsgiMiddleware(echo_wsgi, rules=True, keeper=HeldKeeper(replace(service.latchgate, gate=gate)))
    mounted = {"SCRIPT_NAME": "/public", "PATH_INFO": "/admin", "RAW_URI": "/public/admin"}

    def ask(**more: str) -> str:
        begun: list[str] = []
        environ = {**environ_of(Request()), **mounted, **more}
        b"".join(middleware(environ, lambda status, *_: begun.append(status)))
        return begun[0]

    assert ask() == "200 OK"
    assert ask(HTTP_SCRIPT_NAME="/public") == "403 Forbidden"
    assert ask(HTTP_SCRIPT_NAME="/public", HTTP_AUTHORIZATION="token no:body").startswith("4")
    assert [row.path for row in rows()] == ["(SCRIPT_NAME from a header)/public/admin"]


@pytest.mark.parametrize("peer", [{"REMOTE_ADDR": ""}, {"REMOTE_ADDR": None}, {}])
def test_a_peer_without_an_address_has_none_in_the_log(
    keeper: HeldKeeper, key: Pair, rows: Rows, peer: dict[str, Any]
) -> None:
    """As at a Unix socket: a key that is good from anywhere is good there, and no proxy is believed."""
    environ = environ_of(_carrying(key, b"/", (b"x-forwarded-for", b"203.0.113.9")))
    del environ["REMOTE_ADDR"]

    assert b"".join(WsgiMiddleware(echo_wsgi, keeper=keeper)({**environ, **peer}, lambda *_: None))
    assert [(row.status, row.ip_address) for row in rows()] == [(200, "")]
