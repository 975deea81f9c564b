"""One request between parser and application: uvicorn's own cycle, at less cost for an answer that is sent whole.

uvicorn writes head and body apart and judges each header by two regular expressions. Here the head waits for the body,
as ASGI allows, and header lines that were found sound before are known. What is not whole and plain goes uvicorn's way.
"""

import re

from uvicorn._types import ASGISendEvent, HTTPResponseBodyEvent, HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

__all__ = ["Cycle"]

# As uvicorn judges them; source: RFC 9110, sections 5.1 and 5.5.
_NO_NAME = re.compile(b'[\x00-\x1f\x7f()<>@,;:\\[\\]={} \t\\\\"]')
_NO_VALUE = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_WITHOUT_BODY = frozenset({204, 304})
_SOUND = frozenset({b"date", b"x-request-id"})
_REPEATED = frozenset({b"cache-control", b"content-type", b"x-content-type-options"})
_KNOWN_MAX = 64


class Cycle(RequestResponseCycle):
    """Fulfils what uvicorn's cycle does. The head is written with the first piece of the body."""

    _start: HTTPResponseStartEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Take a message of the application's answer; raises RuntimeError for one that is none."""
        if self._start is None:
            if message["type"] == "http.response.start" and not self.response_started:
                self._start = message
                return
        else:
            start, self._start = self._start, None
            if message["type"] == "http.response.body":
                whole = None if self._is_hindered() else _join(self.default_headers, start, message)
                if whole is not None:
                    self._finish(whole)
                    return
            await super().send(start)
        await super().send(message)

    async def send_500_response(self) -> None:
        """Answer for an application that has failed; what it had begun was not sent, and is forgotten."""
        self._start = None
        await super().send_500_response()

    def _is_hindered(self) -> bool:
        return not self.keep_alive or self.disconnected or self.flow.write_paused or self.scope["method"] == "HEAD"

    def _finish(self, whole: bytes) -> None:
        self.transport.write(whole)
        self.waiting_for_100_continue = False
        self.response_started = self.response_complete = True
        self.message_event.set()
        self.on_response()


Header = tuple[bytes, bytes]
_known: dict[Header, bytes] = {}
"""Lines of headers that come with almost every answer, and have but a few values."""


def _join(default_headers: list[Header], start: HTTPResponseStartEvent, message: HTTPResponseBodyEvent) -> bytes | None:
    """Write a whole answer; None if it is not whole, or its framing is not the plain one."""
    headers, body = list(start.get("headers", ())), message.get("body", b"")
    length = b"content-length", b"%d" % len(body)
    if message.get("more_body", False) or start["status"] in _WITHOUT_BODY or length not in headers:
        return None
    lines = [STATUS_LINE[start["status"]]]
    for header in default_headers + headers:
        line = _known.get(header)
        if line is None:
            line = b"content-length: %b\r\n" % length[1] if header == length else _write_line(*header)
        if not line:
            return None
        lines.append(line)
    lines += (b"\r\n", body)
    return b"".join(lines)


def _write_line(name: bytes, value: bytes) -> bytes:
    """Write a header; empty if it says how the answer is framed. Raises RuntimeError if it could hold another one."""
    if _NO_VALUE.search(value):
        raise RuntimeError("Invalid HTTP header value.")
    if name in _SOUND:
        return b"%b: %b\r\n" % (name, value)
    if _NO_NAME.search(name):
        raise RuntimeError("Invalid HTTP header name.")
    lower = name.lower()
    if lower in _FRAMING:
        return b""
    line = b"%b: %b\r\n" % (lower, value)
    if name in _REPEATED and len(_known) < _KNOWN_MAX:
        _known[name, value] = line
    return line
