"""The fast lane: a request whose answer the verdict alone decides is answered without walking the whole line.

It judges nothing itself. The gate recalls the verdict and takes the row; what is sent, and what the row says, was made
once by the ordinary way's own code. What is unusual in any way is left to the ordinary way, which answers it alike.

Two entrances ask it: the protocol, before it makes a scope (lane_protocol.py), and the application, whoever serves it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Message, Scope

from latchgate.core.addresses import Network
from latchgate.core.credentials import Presented
from latchgate.core.heads import read_text
from latchgate.core.peers import resolve_peer
from latchgate.core.policy import Decision, Requirement, decide
from latchgate.core.principals import Principal
from latchgate.errors import StorageError
from latchgate.server.replies import Dialect, Reply, encode_body, name_request, render_reply, seal
from latchgate.server.routes import METHOD_PREFIXES, Table
from latchgate.services.gate import Gate, RecalledRow
from latchgate.services.operator_log import OperatorLog
from latchgate.services.verdicts import Verdict

__all__ = ["FastLane", "LaneAnswer", "LaneFrame", "LaneTarget", "Sent", "lane_targets"]

_log = OperatorLog()
Header = tuple[bytes, bytes]

_AUTHORIZATION_BYTES_MAX = 1024
_REMEMBERED_BYTES_MAX = 512
"""What is remembered of other headers is bounded in number, and so must be in bytes."""
_OK = 200
# Where the only value of a header goes. What stands at -1 makes a request unusual.
_HOST, _AUTHORIZATION, _SOURCE, _AGENT, _FORWARDED_FOR, _PLACES = range(6)
_PLACE_OF = {
    b"host": _HOST,
    b"authorization": _AUTHORIZATION,
    b"frappe-authorization-source": _SOURCE,
    b"user-agent": _AGENT,
    b"x-forwarded-for": _FORWARDED_FOR,
    **dict.fromkeys((b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"cookie"), -1),
}
_REQUEST_ID = b"x-request-id"
_PEERS_MAX = 4096
_SHARED_MAX = 4096
_READY_MAX = 2
"""How many answers one verdict keeps ready, by target, address and user agent: see PREPARED_BYTES."""


@dataclass(frozen=True, slots=True)
class LaneTarget:
    """An address whose answer depends on the caller alone."""

    path: str
    requires: Requirement
    dialect: Dialect
    told_of: Callable[[Principal], Reply]

    def render(self, reply: Reply) -> Response:
        """Write an answer as the ordinary way does, without a request id."""
        response = render_reply(reply, self.dialect)
        name_request(response, "")
        seal(response)
        return response


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

    before: tuple[Header, ...]
    """The headers before the request id."""
    after: tuple[Header, ...]
    head: bytes
    """The lines before the request id, with the beginning of its own."""
    tail: bytes
    """From the end of its line to the end of the head."""


@dataclass(frozen=True, slots=True)
class LaneAnswer:
    """An answer without its request id, the log's row without its numbers, and for what it was made.

    Each verdict has one or several, so that it is small: what others have too is one object for all.
    """

    target: bytes
    agent: bytes
    address: str
    row: RecalledRow
    frame: LaneFrame
    body: bytes


def lane_targets(table: Table) -> dict[bytes, LaneTarget]:
    """List what the lane answers, by the request target."""
    targets = [
        LaneTarget(
            prefix + name, method.requires_by.get("GET", method.requires), method.dialect or dialect, method.told_of
        )
        for prefix, dialect in METHOD_PREFIXES.items()
        for name, method in table.methods.items()
        if method.told_of is not None and "GET" in method.http_methods and not method.cross_origin
    ]
    return {target.path.encode("ascii"): target for target in targets}


class FastLane:
    """The lane of one process. Not for several threads: it runs on the event loop."""

    def __init__(self, gate: Gate, targets: Mapping[bytes, LaneTarget], trusted_proxies: Sequence[Network]) -> None:
        self.targets = targets
        self._gate = gate
        self._trusted_proxies = trusted_proxies
        self._peers: dict[tuple[str, bytes | None], str] = {}
        self._shared: dict[bytes, bytes] = {}
        self._frames: dict[tuple[bytes, int], LaneFrame] = {}

    def read(self, headers: Sequence[Header], peer: str) -> Sent | None:
        """Read the headers of a request; None if they are unusual.

        Args:
            headers: Their names in lower case.
            peer: The other end of the connection.
        """
        values: list[bytes | None] = [None] * _PLACES
        for name, value in headers:
            place = _PLACE_OF.get(name)
            if place is not None:
                if place < 0 or values[place] is not None:
                    return None
                values[place] = value
        _, authorization, source, agent, forwarded_for = values
        if authorization is None or len(authorization) > _AUTHORIZATION_BYTES_MAX:
            return None
        if len(agent or b"") > _REMEMBERED_BYTES_MAX or len(forwarded_for or b"") > _REMEMBERED_BYTES_MAX:
            return None
        name = self._gate.name(authorization, source)
        return Sent(authorization, source, agent or b"", self._resolve(peer, forwarded_for), name)

    def answer(self, target: bytes, sent: Sent) -> tuple[LaneAnswer, bytes] | None:
        """Answer a GET of one of `targets`, and log it.

        Args:
            target: As it was sent.
            sent: What `read` gave.

        Returns:
            The answer and its request id in hexadecimal; None if the ordinary way is to answer, and nothing was done.
        """
        started = perf_counter()
        try:
            authorization, source, agent, address, name = sent
            verdict = self._gate.recall(authorization, source, address, name)
            if verdict is None:
                return None
            for ready in verdict.prepared:
                if ready.target == target and ready.agent == agent and ready.address == address:
                    break
            else:
                ready = self._prepare(verdict, target, sent)
                if ready is None:
                    return None
            # Last: after its row is written nothing can fail any more.
            found_by = None
            if verdict.fresh:
                verdict.fresh, found_by = False, verdict.who.scheme
            request_id = self._gate.record_recalled(ready.row, perf_counter() - started, found_by)
        except StorageError:
            # The ordinary way tells of it, and tells the operator.
            return None
        except Exception:  # noqa: BLE001  # whatever fails here, the ordinary way answers
            _log.exception("fast lane failed")
            return None
        return ready, request_id.hex().encode()

    def answer_scope(self, scope: Scope) -> tuple[Message, Message] | None:
        """Answer a request as an ASGI server gives it; None if the ordinary way is to."""
        target, client = scope.get("raw_path", b""), scope.get("client")
        if target not in self.targets or scope["method"] != "GET" or scope["query_string"] or scope.get("root_path"):
            return None
        sent = self.read(scope["headers"], client[0] if client else "")
        answered = None if sent is None else self.answer(target, sent)
        if answered is None:
            return None
        ready, request_id = answered
        headers = [*ready.frame.before, (_REQUEST_ID, request_id), *ready.frame.after]
        return (
            {"type": "http.response.start", "status": _OK, "headers": headers},
            {"type": "http.response.body", "body": ready.body},
        )

    def _prepare(self, verdict: Verdict, target: bytes, sent: Sent) -> LaneAnswer | None:
        asked = self.targets[target]
        if decide(verdict.who, asked.requires).decision is not Decision.ALLOWED:
            return None
        authorization, source, agent, address, _ = sent
        presented = Presented(
            method="GET",
            path=asked.path,
            peer_address=address,
            authorization=(authorization,),
            source=() if source is None else (source,),
            user_agent=read_text(agent),
        )
        reply = asked.told_of(verdict.who)
        if reply.status != _OK or reply.cookies:
            return None
        body = encode_body(reply, asked.dialect)
        ready = LaneAnswer(
            target=self._share(target),
            agent=self._share(agent),
            address=address,
            row=self._gate.prepare_row(verdict.who, presented, _OK),
            frame=self._find_frame(target, reply, len(body)),
            body=self._share(body),
        )
        verdict.prepared = (ready, *verdict.prepared[: _READY_MAX - 1])
        return ready

    def _find_frame(self, target: bytes, reply: Reply, length: int) -> LaneFrame:
        key = target, length
        frame = self._frames.get(key)
        if frame is None:
            if len(self._frames) >= _SHARED_MAX:
                self._frames.clear()
            frame = self._frames[key] = _frame(self.targets[target].render(reply))
        return frame

    def _share(self, value: bytes) -> bytes:
        """Give the one object for all that are equal."""
        if len(self._shared) >= _SHARED_MAX:
            self._shared.clear()
        return self._shared.setdefault(value, value)

    def _resolve(self, peer: str, forwarded_for: bytes | None) -> str:
        key = peer, forwarded_for
        address = self._peers.get(key)
        if address is None:
            if len(self._peers) >= _PEERS_MAX:
                self._peers.clear()
            sent = () if forwarded_for is None else (forwarded_for,)
            address = self._peers[key] = resolve_peer(peer, sent, self._trusted_proxies)
        return address


def _frame(response: Response) -> LaneFrame:
    headers = response.raw_headers
    place = next(place for place, (name, _) in enumerate(headers) if name == _REQUEST_ID)
    before, after = tuple(headers[:place]), tuple(headers[place + 1 :])
    head = b"".join((*(b"%b: %b\r\n" % header for header in before), _REQUEST_ID, b": "))
    tail = b"".join((b"\r\n", *(b"%b: %b\r\n" % header for header in after), b"\r\n"))
    return LaneFrame(before, after, head, tail)
