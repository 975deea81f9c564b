"""What the fast lane's answers are made of: a request as it is read, a head in pieces, and what was found."""

import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from starlette.responses import Response

from latchgate.server.replies import name_request, seal
from latchgate.services.gate import RecalledRow
from latchgate.services.verdicts import Verdict

__all__ = [
    "AUTHORIZATION_BYTES_MAX",
    "READY_MAX",
    "REMEMBERED_BYTES_MAX",
    "Found",
    "Header",
    "LaneFrame",
    "Sent",
    "frame_of",
    "size_of_ready",
]

Header = tuple[bytes, bytes]

AUTHORIZATION_BYTES_MAX = 1024
"""A longer one is left to the ordinary way."""
READY_MAX = 2
"""How many answers one verdict keeps ready, by what was asked, address and user agent."""
REMEMBERED_BYTES_MAX = 512
"""What is remembered of a header is bounded in number, and so must be in bytes."""
_READY_BYTES = 300
"""An answer that is kept ready and its row, without texts, with its part of the tuple of them. A test measures it."""
_TOLD_BYTES = 700
"""A row as it is told, where somebody wants to be told."""
_REQUEST_ID = b"x-request-id"


class Sent(NamedTuple):
    """What a request sends beside its target."""

    authorization: bytes
    source: bytes | None
    agent: bytes
    address: str
    """The caller's."""
    name: bytes
    """What the gate calls the first two."""


@dataclass(frozen=True, slots=True)
class LaneFrame:
    """What answers of one length have in common, in both forms in which they are sent."""

    status: int
    line: bytes
    """The status line."""
    before: tuple[Header, ...]
    """The headers before the request id."""
    after: tuple[Header, ...]
    head: bytes
    """The lines before the request id, with the beginning of its own."""
    tail: bytes
    """From the end of its line to the end of the head."""

    def headers(self, request_id: bytes) -> list[Header]:
        """Give the headers with a request id among them."""
        return [*self.before, (_REQUEST_ID, request_id), *self.after]


class Found(NamedTuple):
    """What the lane found to answer and to write down."""

    verdict: Verdict
    row: RecalledRow
    frame: LaneFrame
    body: bytes


def size_of_ready(row: RecalledRow, *texts: bytes | str) -> int:
    """Tell how many bytes an answer that is kept ready takes; what it shares with others is counted for each."""
    told = _TOLD_BYTES if row.entry else 0
    return _READY_BYTES + told + sum(map(sys.getsizeof, (row.who, row.what, *texts)))


def frame_of(response: Response) -> LaneFrame:
    """Take an answer's head apart, as the ordinary way would have sent it."""
    name_request(response, "")
    seal(response)
    headers, status = response.raw_headers, HTTPStatus(response.status_code)
    place = next(place for place, (name, _) in enumerate(headers) if name == _REQUEST_ID)
    before, after = tuple(headers[:place]), tuple(headers[place + 1 :])
    head = b"".join((*(b"%b: %b\r\n" % header for header in before), _REQUEST_ID, b": "))
    tail = b"".join((b"\r\n", *(b"%b: %b\r\n" % header for header in after), b"\r\n"))
    line = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    return LaneFrame(status, line, before, after, head, tail)
