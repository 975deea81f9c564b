"""Ask a Latchgate server about a request as a proxy does, over connections that are kept."""

import http.client
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from latchgate.client.servers import read_server

__all__ = ["Answer", "Questioner", "Unreachable"]

_VERIFY = "/auth/verify?proxy=nginx"
_IDLE_MAX = 16
"""How many connections are kept for the next question."""
_BODY_BYTES_MAX = 64 * 1024
_UNIX = "unix:"
_FORMS = "http://host:port, https://host or unix:/path/of.socket"


class Unreachable(Exception):
    """The server gave no answer, or none that can be read."""


class _Closed(Unreachable):
    """A connection came to its end before there was an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; names of headers are in lower case."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Questioner:
    """Connections to one server. Any thread may ask; never across a fork."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """Connect to nothing yet. Raises ValueError if the address is none.

        Args:
            url: `http://host:port`, `https://host`, or `unix:/path/of.socket`.
            timeout_seconds: How long to wait for a connection, and for each piece of an answer.
        """
        self._timeout_seconds = timeout_seconds
        self._path = url.removeprefix(_UNIX) if url.startswith(_UNIX) else None
        self._address = read_server(url, forms=_FORMS) if self._path is None else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def ask(self, headers: Sequence[tuple[bytes, bytes]]) -> Answer:
        """Ask a question that these headers tell.

        Raises:
            Unreachable: There is no answer.
        """
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            # The server may have closed it meanwhile: that is no answer, and no failure either. A silent one has
            # perhaps heard the question, which asked once more would be logged and counted twice.
            with suppress(_Closed):
                return self._try(connection, headers)
        return self._try(self._connect(), headers)

    def close(self) -> None:
        """Let all connections go."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._address is None:
            return _UnixConnection(self._path or "", self._timeout_seconds)
        kind = http.client.HTTPSConnection if self._address.secure else http.client.HTTPConnection
        return kind(self._address.host, self._address.port, timeout=self._timeout_seconds)

    def _try(self, connection: http.client.HTTPConnection, headers: Sequence[tuple[bytes, bytes]]) -> Answer:
        try:
            return self._ask(connection, headers)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            kind = Unreachable if isinstance(error, TimeoutError) else _Closed
            raise kind(f"{type(error).__name__}: {error}") from None
        except ValueError as error:
            connection.close()
            # Its text would show the header that cannot be sent, whatever secret is in it.
            raise Unreachable(type(error).__name__) from None

    def _ask(self, connection: http.client.HTTPConnection, headers: Sequence[tuple[bytes, bytes]]) -> Answer:
        connection.putrequest("GET", _VERIFY, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name.decode("latin-1"), value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read(_BODY_BYTES_MAX)
        # Two of a name would be joined or lost below: none of ours comes twice.
        names = [name.lower() for name in response.headers]
        found = {name: response.headers[name] for name in names if names.count(name) == 1}
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            self._keep(connection)
        return Answer(response.status, found, body)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _IDLE_MAX:
                self._idle.append(connection)
                return
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
