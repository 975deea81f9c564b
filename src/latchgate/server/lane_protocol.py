"""HTTP/1 on a socket, with the fast lane before the application."""

from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from latchgate.server.fast_lane import Answered, FastLane
from latchgate.server.forward_lane import ForwardSent
from latchgate.server.lane_frames import Header, Sent
from latchgate.server.protocol import BETWEEN, WireProtocol

__all__ = ["LaneProtocol", "lane_protocol_class"]


class LaneProtocol(WireProtocol):
    """Answers in the parser what the lane can answer, and leaves everything else as it found it.

    A client that asks the same again and again sends the same bytes again and again. What the lane answered, and what
    then comes once more, byte for byte and by itself, is not parsed once more; it is judged and logged like the first.
    """

    lane: ClassVar[FastLane]
    _top: ClassVar[tuple[list[Header], bytes]] = ([], b"")
    """The server's own headers, a new list each second, and what an answer says of them after its status."""
    _arriving: bytes | None = None
    """What came in one piece between two requests, and looks like one request without a body."""
    _repeated: tuple[bytes, bytes, Sent | ForwardSent] | None = None
    """What the lane answered last, as it came, and as it was read."""

    def data_received(self, data: bytes) -> None:
        """Answer what is the same as before, or parse what has arrived."""
        if not self._is_between():
            self._arriving = None
        elif self._repeated is not None and data == self._repeated[0] and self._is_free():
            _, target, sent = self._repeated
            if self._send(self.lane.answer(target, sent)):
                self._set_waiting(self.limits.idle_seconds)
                return
            self._arriving = None
        else:
            self._arriving = data if data.find(b"\r\n\r\n") == len(data) - 4 else None
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Answer the request, or begin it as any other."""
        if self.url not in self.lane.targets or not self._answer_quickly():
            super().on_headers_complete()

    def _answer_quickly(self) -> bool:
        if not self._is_plain() or not self._is_free():
            return False
        self._meter.begin_body(len(self.headers))
        sent = self.lane.read(self.url, self.headers, self.client[0] if self.client else "")
        if sent is None or not self._send(self.lane.answer(self.url, sent)):
            return False
        if self._arriving is not None:
            self._repeated = self._arriving, self.url, sent
        return True

    def _send(self, answered: Answered | None) -> bool:
        if answered is None:
            return False
        frame, request_id, body = answered
        self.transport.write(b"".join((frame.line, self._find_top(), frame.head, request_id, frame.tail, body)))
        self.server_state.total_requests += 1
        return True

    def _is_between(self) -> bool:
        """Whether all that came was parsed, and was whole requests."""
        return self._stage is BETWEEN and not self._meter.silent_bytes and not self._held

    def _is_free(self) -> bool:
        """Whether a request is answered before any other of this connection, and its answer taken."""
        cycle: RequestResponseCycle | None = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and not self.draining
        )

    def _is_plain(self) -> bool:
        """Whether the request line is a usual one."""
        parser = self.parser
        return (
            parser.get_method() == b"GET"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and parser.get_http_version() == "1.1"
        )

    def _find_top(self) -> bytes:
        headers, top = LaneProtocol._top
        if headers is not self.server_state.default_headers:
            headers = self.server_state.default_headers
            top = b"".join(b"%b: %b\r\n" % header for header in headers)
            LaneProtocol._top = headers, top
        return top


def lane_protocol_class(lane: FastLane) -> type[LaneProtocol]:
    """Return the protocol with this lane, as a base for `protocol_class`."""
    return type("LaneProtocol", (LaneProtocol,), {"lane": lane})
