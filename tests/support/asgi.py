"""Latchgate in this process, asked in bytes as an ASGI server would ask; each answer comes with its rows of the log."""

import asyncio
import base64
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from latchgate.bootstrap import open_latchgate
from latchgate.core.api_keys import Limits
from latchgate.core.log_entries import LogEntry
from latchgate.core.sessions import csrf_token
from latchgate.core.tokens import Secret
from latchgate.errors import StorageError
from latchgate.server.app import Application
from latchgate.server.run import build_application
from latchgate.services.access_tokens import TokenOrder
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.port_values import LogPosition
from latchgate.services.users import UserOrder
from latchgate.settings import load_settings
from support.fresh_homes import copy_fresh_home

__all__ = ["LOGGED_USER", "PASSWORD", "PEER", "Answer", "Pair", "Service", "opened_service"]

LOGGED_USER = "/api/method/frappe.auth.get_logged_user"
PEER = "192.0.2.7"
PASSWORD = "correct horse battery"

# Each request is looked up in the log by its row, refused ones too, and most come from one address.
_SETTINGS = {"password_profile": "cheapest", "log_refusals_per_address": 1_000_000, "log_refusals": 1_000_000}

Headers = Sequence[tuple[str | bytes, str | bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; names of headers are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    rows: tuple[LogEntry, ...]
    """What the request added to the request log."""

    def header(self, name: str) -> str | None:
        """Give a header that must not be there twice."""
        values = [value for other, value in self.headers if other == name]
        assert len(values) < 2, f"{name} came twice: {values}"
        return values[0] if values else None

    @property
    def cookies(self) -> dict[str, str]:
        """Each cookie that is set, with its attributes."""
        return {value.partition("=")[0]: value for name, value in self.headers if name == "set-cookie"}

    @property
    def sid(self) -> str:
        """The session id that was given."""
        return self.cookies["sid"].partition(";")[0].removeprefix("sid=")

    @property
    def document(self) -> Any:  # noqa: ANN401  # whatever the JSON is
        """The body as JSON."""
        assert self.header("content-type") == "application/json"
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def row(self) -> LogEntry:
        """The only row that the request left."""
        (row,) = self.rows
        return row


@dataclass(frozen=True, slots=True)
class Pair:
    """An API key and secret, as the schemes write them."""

    key_id: str
    secret: str

    @property
    def token(self) -> str:
        """The header's value by `token`."""
        return f"token {self.key_id}:{self.secret}"

    @property
    def basic(self) -> str:
        """The header's value by Basic."""
        return "Basic " + base64.b64encode(f"{self.key_id}:{self.secret}".encode()).decode()


class Service:
    """One open instance and its application, on an event loop of its own."""

    def __init__(self, home: Path, **options: object) -> None:
        if not home.exists() and "database_url" not in options:
            copy_fresh_home(home)
        self.latchgate = open_latchgate(load_settings({**_SETTINGS, "home": home, **options}), cached=True)
        self.application: Application = build_application(self.latchgate)
        self._runner = asyncio.Runner()
        self._peers = itertools.count(1)
        self._known: tuple[int, LogPosition] | None = None
        """How many rows were written, and where the log ended, when it was looked at last."""

    def close(self) -> None:
        """Close the loop first: its threads may be using the database."""
        self._runner.close()
        self.latchgate.close()

    def ask(
        self,
        target: str | bytes = LOGGED_USER,
        authorization: str | bytes | None = None,
        *,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
        peer: str = PEER,
    ) -> Answer:
        """Send one request and give its answer, which must be whole and sound."""
        fields = [] if authorization is None else [(b"authorization", _bytes(authorization))]
        fields += [(_bytes(name), _bytes(value)) for name, value in headers]
        if body:
            # As every client says it: for a body one waits, and is judged again.
            fields.append((b"content-length", str(len(body)).encode()))
        written, position = self._end_of_log()
        begun_us = self.latchgate.clock.now_us()
        status, received, content = self._runner.run(
            _exchange(self.application, _scope(method, _bytes(target), fields, peer), body)
        )
        # Who else has the same instance open may have written before.
        rows = [row for row in self._rows_since(written, position) if row.time >= begun_us]
        answer = Answer(status, received, content, tuple(rows))
        _assert_sound(answer)
        return answer

    def send_noting(self, target: str, authorization: str | None, events: list[str]) -> int:
        """Send one request, note what is sent in answer among other events, and give the status."""
        fields = [] if authorization is None else [(b"authorization", authorization.encode())]
        sent = self._runner.run(_run(self.application, _scope("GET", target.encode(), fields, PEER), [], events))
        return int(sent[0]["status"])

    def log_refusal(self, target: str, authorization: str, status: int) -> None:
        """Log a request as the protocol does that refuses it by itself."""
        scope = _scope("POST", target.encode(), [(b"authorization", authorization.encode())], PEER)
        self.application.log_refusal(scope, status)

    def post_together(self, target: str, arguments: Any, count: int, *, peer: str = PEER) -> list[int]:  # noqa: ANN401
        """Send so many POSTs at the same moment, each with the same JSON, and give the statuses of their answers."""
        headers = [(b"content-type", b"application/json")]
        scopes = [_scope("POST", target.encode(), headers, peer) for _ in range(count)]

        async def ask_all() -> list[int]:
            body = json.dumps(arguments).encode()
            answers = await asyncio.gather(*(_exchange(self.application, scope, body) for scope in scopes))
            return [status for status, _, _ in answers]

        return self._runner.run(ask_all())

    def forms_together(
        self, target: str, form: Sequence[tuple[str, str]], authorization: str | None, count: int
    ) -> list[tuple[int, bytes]]:
        """Send the same form so many times at the same moment, and give the answers' statuses and bodies."""
        headers = [(b"content-type", b"application/x-www-form-urlencoded")]
        headers += [(b"authorization", authorization.encode())] if authorization else []
        scopes = [_scope("POST", target.encode(), headers, self.new_peer()) for _ in range(count)]

        async def ask_all() -> list[tuple[int, bytes]]:
            body = urlencode(form).encode()
            answers = await asyncio.gather(*(_exchange(self.application, scope, body) for scope in scopes))
            return [(status, content) for status, _, content in answers]

        return self._runner.run(ask_all())

    def new_peer(self) -> str:
        """Give an address from which nobody has failed yet."""
        high, low = divmod(next(self._peers), 65_536)
        return f"2001:db8:{high:x}:{low:x}::1"

    def leave(self, target: str, authorization: str) -> list[Any]:
        """Begin a POST and go away in the middle of its body; give what was sent in answer nevertheless."""
        fields = [(b"authorization", authorization.encode()), (b"content-type", b"application/json")]
        pieces: list[dict[str, Any] | Callable[[], object]] = [
            {"type": "http.request", "body": b"{", "more_body": True}
        ]
        return self._runner.run(_run(self.application, _scope("POST", target.encode(), fields, PEER), pieces))

    def cut_off(self, target: str, arguments: object, authorization: str, when: Callable[[], object]) -> None:
        """Send a POST, and let the server cut it off, as it does at its end, after something that is waited for."""
        body = json.dumps(arguments).encode()
        fields = [(b"authorization", authorization.encode()), (b"content-type", b"application/json")]
        fields.append((b"content-length", str(len(body)).encode()))

        async def ask() -> None:
            task = asyncio.create_task(_exchange(self.application, _scope("POST", target.encode(), fields, PEER), body))
            await asyncio.to_thread(when)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._runner.run(ask())

    def post_held(self, target: str, arguments: object, authorization: str, meanwhile: Callable[[], object]) -> int:
        """Send a POST whose body waits in its middle until something has happened; give the answer's status."""
        fields = [(b"authorization", authorization.encode()), (b"content-type", b"application/json")]
        fields.append((b"transfer-encoding", b"chunked"))
        body = json.dumps(arguments).encode()
        first = {"type": "http.request", "body": body[:3], "more_body": True}
        rest = {"type": "http.request", "body": body[3:], "more_body": False}
        scope = _scope("POST", target.encode(), fields, PEER)
        start, *_ = self._runner.run(_run(self.application, scope, [first, meanwhile, rest]))
        return int(start["status"])

    def post(
        self,
        target: str,
        arguments: Any = None,  # noqa: ANN401  # whatever is sent
        authorization: str | None = None,
        *,
        form: bool = False,
        headers: Headers = (),
        peer: str = PEER,
    ) -> Answer:
        """Send a POST with arguments as JSON or as a form."""
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        body = urlencode(arguments or {}) if form else json.dumps(arguments)
        fields = [("content-type", kind), *headers]
        return self.ask(target, authorization, method="POST", headers=fields, body=body.encode(), peer=peer)

    def sign_in(self, user: str, *, peer: str = PEER) -> Answer:
        """Open a session with the password that all users here have."""
        answer = self.post("/api/method/login", {"usr": user, "pwd": PASSWORD}, form=True, peer=peer)
        assert answer.status == 200, answer.text
        return answer

    def csrf_token(self, sid: str) -> str:
        """Tell a session's token, which each page has in it."""
        return csrf_token(self.latchgate.gate.peppers, Secret(sid))

    def make_user(self, name: str, **order: Any) -> str:  # noqa: ANN401  # whatever UserOrder takes
        """Make a user with the password that all users here have."""
        user = UserOrder(name, **{"password": Secret(PASSWORD), **order})
        return self.latchgate.users.create(COMMAND_LINE, user).name

    def make_key(self, record: str, *, source: str = "User", **limits: Any) -> Pair:  # noqa: ANN401  # as Limits takes
        """Generate a key, unlimited but for what is named."""
        order = KeyOrder(limits=Limits(**{"scopes": frozenset({"all"}), **limits}))
        issued = self.latchgate.api_keys.generate(COMMAND_LINE, Owner(source, record), order)
        return Pair(issued.key.key_id, issued.secret.text)

    def make_bearer(self, user: str, text: str, *scopes: str) -> str:
        """Take in an access token and give the header's value."""
        expires_at = self.latchgate.clock.now() + 3600
        order = TokenOrder(Secret(text), user, "some-client", frozenset(scopes or {"all"}), expires_at)
        self.latchgate.access_tokens.import_token(COMMAND_LINE, order)
        return f"Bearer {text}"

    # To look into the log takes longer than most requests: where nothing was written there is nothing to see.

    def _end_of_log(self) -> tuple[int, LogPosition | None]:
        """Tell how many rows were written, and where the log ends; None if it cannot be looked at."""
        written = self._count_written()
        if self._known is None or self._known[0] != written:
            self._follow(None)
        return written, self._known[1] if self._known is not None else None

    def _rows_since(self, written: int, position: LogPosition | None) -> list[LogEntry]:
        return self._follow(position) if position is None or self._count_written() != written else []

    def _follow(self, position: LogPosition | None) -> list[LogEntry]:
        self._known = None
        written = self._count_written()
        try:
            rows, end = self.latchgate.request_log.follow(position)
        except StorageError:
            # Some tests take the log away.
            return []
        self._known = written, end
        return rows

    def _count_written(self) -> int:
        count, _, _ = self.latchgate.request_log.segments.written()
        return count


@contextmanager
def opened_service(home: Path, **options: object) -> Iterator[Service]:
    """Open an instance for a while, with settings by their names."""
    service = Service(home, **options)
    try:
        yield service
    finally:
        service.close()


def _assert_sound(answer: Answer) -> None:
    """Hold any answer to what all promise: no caching, no sniffing, no traceback, a row that is its own."""
    assert answer.header("cache-control") in {"no-store", "public, max-age=300", "public, max-age=3600"}
    assert answer.header("x-content-type-options") == "nosniff"
    assert b"Traceback" not in answer.body
    assert b'File "' not in answer.body
    for row in answer.rows:
        assert row.request_id == answer.header("x-request-id")
        assert row.status == answer.status
        assert row.reason or answer.status < 400
    if answer.status == 401:
        assert answer.header("www-authenticate")
    if answer.status == 429:
        assert int(answer.header("retry-after") or 0) > 0


def _scope(method: str, target: bytes, headers: list[tuple[bytes, bytes]], peer: str) -> dict[str, Any]:
    raw_path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        # As the specification asks of servers: names in lower case.
        "headers": [(name.lower(), value) for name, value in headers],
        "client": (peer, 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _exchange(
    application: Application, scope: dict[str, Any], body: bytes
) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    middle = len(body) // 2
    arriving: list[dict[str, Any] | Callable[[], object]] = [
        {"type": "http.request", "body": body[:middle], "more_body": True}
    ]
    arriving += [{"type": "http.request", "body": body[middle:], "more_body": False}]
    start, *pieces = await _run(application, scope, arriving)
    assert start["type"] == "http.response.start"
    assert [piece.get("more_body", False) for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    received = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"])
    return start["status"], received, b"".join(piece.get("body", b"") for piece in pieces)


async def _run(
    application: Application,
    scope: dict[str, Any],
    arriving: list[dict[str, Any] | Callable[[], object]],
    events: list[str] | None = None,
) -> list[Any]:
    """Ask; between the pieces of the body something may be done, and what is sent may be noted."""
    sent: list[Any] = []
    whole = False

    async def receive() -> dict[str, Any]:
        nonlocal whole
        if whole:
            # Whoever sent all of it stays for the answer, however many pieces that has.
            await asyncio.Future()
        piece = arriving.pop(0) if arriving else {"type": "http.disconnect"}
        while not isinstance(piece, dict):
            piece()
            piece = arriving.pop(0)
        whole = piece.get("more_body") is False
        return piece

    async def send(message: Any) -> None:  # noqa: ANN401  # as ASGI says
        sent.append(message)
        if events is not None:
            events.append(message["type"])

    await application(scope, receive, send)
    return sent


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
