"""HTTP/1 on a socket, with the fast lane before the application."""

from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from latchgate.server.fast_lane import FastLane
from latchgate.server.protocol import WireProtocol

__all__ = ["LaneProtocol", "lane_protocol_class"]

_STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
Header = tuple[bytes, bytes]


class LaneProtocol(WireProtocol):
    """Answers in the parser what the lane can answer, and leaves everything else as it found it."""

    lane: ClassVar[FastLane]
    _top: ClassVar[tuple[list[Header], bytes]] = ([], b"")
    """The server's own headers, a new list each second, and the beginning of an answer with them."""

    def on_headers_complete(self) -> None:
        """Answer the request, or begin it as any other."""
        if self.url not in self.lane.targets or not self._answer_quickly():
            super().on_headers_complete()

    def _answer_quickly(self) -> bool:
        if not self._is_plain():
            return False
        self._meter.begin_body(len(self.headers))
        answered = self.lane.answer(self.url, self.headers, self.client[0] if self.client else "")
        if answered is None:
            return False
        ready, request_id = answered
        self.transport.write(b"%b%b%b%b" % (self._find_top(), ready.head, request_id, ready.tail))
        self.server_state.total_requests += 1
        return True

    def _is_plain(self) -> bool:
        """Whether the request is a usual one, and is answered before any other of this connection."""
        parser = self.parser
        cycle: RequestResponseCycle | None = self.cycle
        return (
            parser.get_method() == b"GET"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and (cycle is None or cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and parser.get_http_version() == "1.1"
        )

    def _find_top(self) -> bytes:
        headers, top = LaneProtocol._top
        if headers is not self.server_state.default_headers:
            headers = self.server_state.default_headers
            top = _STATUS_LINE + b"".join(b"%b: %b\r\n" % header for header in headers)
            LaneProtocol._top = headers, top
        return top


def lane_protocol_class(lane: FastLane) -> type[LaneProtocol]:
    """Return the protocol with this lane, as a base for `protocol_class`."""
    return type("LaneProtocol", (LaneProtocol,), {"lane": lane})
