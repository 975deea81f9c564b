"""A client of a running server: one kept connection, from an address of the loopback network that one may choose."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from support.asgi import LOGGED_USER

__all__ = ["Client", "Received", "ask_once"]

_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Received:
    """An answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:  # noqa: ANN401  # whatever the JSON is
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        """Under which id the log has it."""
        return self.headers["x-request-id"]


class Client:
    """Asks a server on this machine."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=_PATIENCE_SECONDS, source_address=(address, 0)
        )

    def ask(
        self,
        authorization: str | None = None,
        *,
        path: str = LOGGED_USER,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        arguments: object = None,
    ) -> Received:
        """Send one request and wait for its answer; raises OSError or HTTPException if none comes."""
        fields = dict(headers or {})
        if authorization is not None:
            fields["Authorization"] = authorization
        body = None
        if arguments is not None:
            body = json.dumps(arguments).encode()
            fields["Content-Type"] = "application/json"
        self._connection.request(method, path, body, fields)
        answer = self._connection.getresponse()
        received = [(name.lower(), value) for name, value in answer.getheaders()]
        pairs = [value.partition(";")[0].partition("=") for name, value in received if name == "set-cookie"]
        cookies = {name: value for name, _, value in pairs}
        return Received(answer.status, dict(received), cookies, answer.read())

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()


def ask_once(
    port: int, authorization: str | None = None, *, path: str = LOGGED_USER, headers: dict[str, str] | None = None
) -> Received:
    """Send one GET on a connection of its own."""
    with closing(Client(port)) as client:
        return client.ask(authorization, path=path, headers=headers)
