"""One request, asked of an ASGI or a WSGI application in this process as a server would hand it on."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

__all__ = ["HOST", "PEER", "Ask", "Request", "Seen", "ask_asgi", "ask_wsgi", "environ_of", "scope_of"]

PEER = "192.0.2.7"
HOST = b"app.example.com"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; headers in order, each as often as it is to come."""

    target: bytes = b"/signed-in"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    method: str = "GET"
    peer: str = PEER
    host: bytes = HOST
    """Empty where it stands among the headers."""

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """All headers, the host's too."""
        return [*([(b"host", self.host)] if self.host else []), (b"user-agent", b"test"), *self.headers]


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes = field(default=b"")

    @property
    def document(self) -> Any:  # noqa: ANN401  # whatever the JSON is
        """The body as JSON."""
        return json.loads(self.body)


Ask = Callable[[Request], Seen]


def scope_of(request: Request, kind: str = "http") -> dict[str, Any]:
    """Write a request as a server's scope."""
    raw_path, _, query = request.target.partition(b"?")
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": request.fields,
        "client": (request.peer, 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def ask_asgi(application: Callable[..., Awaitable[None]]) -> Ask:
    """Give what asks an ASGI application."""

    def ask(request: Request) -> Seen:
        sent: list[dict[str, Any]] = []
        arriving = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            return arriving.pop() if arriving else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(application(scope_of(request), receive, send))  # type: ignore[arg-type]  # a coroutine
        start, *pieces = sent
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
        return Seen(start["status"], headers, b"".join(piece.get("body", b"") for piece in pieces))

    return ask


def environ_of(request: Request) -> dict[str, Any]:
    """Write a request as gunicorn does: headers of one name joined by commas, the target as sent beside it."""
    raw_path, _, query = request.target.partition(b"?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),
        "REMOTE_ADDR": request.peer,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.fields:
        variable = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        environ[variable] = f"{environ[variable]},{text}" if variable in environ else text
    return environ


def ask_wsgi(application: Callable[..., Iterable[bytes]]) -> Ask:
    """Give what asks a WSGI application."""

    def ask(request: Request) -> Seen:
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            begun.append((status, headers))
            return None

        answer = application(environ_of(request), start_response)
        try:
            body = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        [(status, headers)] = begun
        return Seen(int(status[:3]), {name.lower(): value for name, value in headers}, body)

    return ask
