"""An application behind a proxy that says what reached it, and keeps it for the test."""

import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

__all__ = ["EchoApplication", "Reached"]


@dataclass(frozen=True)
class Reached:
    """A request that reached the application."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body_bytes: int
    trailers: tuple[str, ...] = ()
    """The lines after the body, as they came."""

    def values(self, name: str) -> list[str]:
        """Give the values of a header, however it is spelt: as CGI has it, any other sign is taken for `-`."""
        return [value for other, value in self.headers if re.sub("[^a-z0-9]", "-", other.lower()) == name.lower()]

    @property
    def user(self) -> str:
        """Whom the application takes for the caller; empty for a guest."""
        values = self.values("X-Auth-Request-User")
        assert len(values) < 2, values
        return values[0] if values else ""

    @property
    def path(self) -> str:
        """The path, also where the target is an absolute address."""
        target = self.target.removeprefix("http://")
        return target if target.startswith("/") else "/" + target.partition("/")[2]


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: proxies end connections as they like, and a test sees what reached it and what did not."""


class EchoApplication:
    """A server on a port of its own."""

    def __init__(self) -> None:
        self.reached: list[Reached] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self.reached))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[Reached]:
        """Give what reached it since the last time."""
        reached, self.reached[:] = list(self.reached), []
        return reached


def _handler(reached: list[Reached]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def answer(self) -> None:
            body_bytes, trailers = _read_body(self)
            one = Reached(self.command, self.path, tuple(self.headers.items()), body_bytes, trailers)
            reached.append(one)
            body = json.dumps({"user": one.user, "path": one.target, "body_bytes": body_bytes}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler


def _read_body(handler: BaseHTTPRequestHandler) -> tuple[int, tuple[str, ...]]:
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        return len(handler.rfile.read(int(handler.headers.get("Content-Length", 0)))), ()
    total = 0
    while size := int(handler.rfile.readline().partition(b";")[0], 16):
        total += len(handler.rfile.read(size))
        handler.rfile.readline()
    trailers = []
    while line := handler.rfile.readline().strip():
        trailers.append(line.decode("latin-1"))
    return total, tuple(trailers)
