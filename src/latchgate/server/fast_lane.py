"""The fast lane: a request whose answer the verdict alone decides is answered without walking the whole line.

It judges nothing itself. The gate recalls the verdict and takes the row; what is sent, and what the row says, was made
once by the ordinary way's own code. What is unusual in any way is left to the ordinary way, which answers it alike.

Two entrances ask it: the protocol, before it makes a scope (lane_protocol.py), and the application, whoever serves it.
What proxies ask about requests for others has a part of its own (forward_lane.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from starlette.types import Message, Scope

from latchgate.core.addresses import Network
from latchgate.core.credentials import Presented
from latchgate.core.heads import read_text
from latchgate.core.peers import resolve_peer
from latchgate.core.policy import Decision, Requirement, decide
from latchgate.core.principals import Principal
from latchgate.errors import StorageError
from latchgate.server.forward_auth import ForwardAuth
from latchgate.server.forward_lane import ForwardLane, ForwardSent
from latchgate.server.lane_frames import (
    AUTHORIZATION_BYTES_MAX,
    READY_MAX,
    REMEMBERED_BYTES_MAX,
    Found,
    Header,
    LaneFrame,
    Sent,
    frame_of,
    size_of_ready,
)
from latchgate.server.replies import Dialect, Reply, encode_body, render_reply
from latchgate.server.routes import METHOD_PREFIXES, Table
from latchgate.services.gate import Gate, RecalledRow
from latchgate.services.operator_log import OperatorLog
from latchgate.services.verdicts import Verdict

__all__ = ["Answered", "FastLane", "LaneAnswer", "LaneTarget", "lane_targets"]

_log = OperatorLog()
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
_PEERS_MAX = 4096
_SHARED_MAX = 4096

Answered = tuple[LaneFrame, bytes, bytes]
"""An answer: its head, its request id in hexadecimal, its body."""


@dataclass(frozen=True, slots=True)
class LaneTarget:
    """An address whose answer depends on the caller alone."""

    path: str
    requires: Requirement
    dialect: Dialect
    told_of: Callable[[Principal], Reply]


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

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return size_of_ready(self.row, self.address, self.agent)


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

    def __init__(
        self,
        gate: Gate,
        targets: Mapping[bytes, LaneTarget],
        trusted_proxies: Sequence[Network],
        forward_auth: ForwardAuth,
    ) -> None:
        self._own = targets
        self._forward = ForwardLane(gate, forward_auth, self._resolve, self._share)
        self.targets = frozenset(targets) | frozenset(self._forward.targets)
        """What it answers, by the request target, byte for byte."""
        self._gate = gate
        self._trusted_proxies = trusted_proxies
        self._peers: dict[tuple[str, bytes | None], str] = {}
        self._shared: dict[bytes, bytes] = {}
        self._frames: dict[tuple[bytes, int], LaneFrame] = {}

    def read(self, target: bytes, headers: Sequence[Header], peer: str) -> Sent | ForwardSent | None:
        """Read the headers of a request; None if they are unusual.

        Args:
            target: One of `targets`.
            headers: Their names in lower case.
            peer: The other end of the connection.
        """
        if target not in self._own:
            return self._forward.read(target, headers, peer)
        values: list[bytes | None] = [None] * _PLACES
        for name, value in headers:
            place = _PLACE_OF.get(name)
            if place is not None:
                if place < 0 or values[place] is not None:
                    return None
                values[place] = value
        _, authorization, source, agent, forwarded_for = values
        if authorization is None or len(authorization) > AUTHORIZATION_BYTES_MAX:
            return None
        if max(len(agent or b""), len(forwarded_for or b"")) > REMEMBERED_BYTES_MAX:
            return None
        name = self._gate.name(authorization, source)
        return Sent(authorization, source, agent or b"", self._resolve(peer, forwarded_for), name)

    def answer(self, target: bytes, sent: Sent | ForwardSent) -> Answered | None:
        """Answer a GET of one of `targets`, and log it.

        Args:
            target: As it was sent.
            sent: What `read` gave.

        Returns:
            None if the ordinary way is to answer, and nothing was done.
        """
        started = perf_counter()
        try:
            found = self._forward.find(target, sent) if isinstance(sent, ForwardSent) else self._find(target, sent)
            if found is None:
                return None
            verdict, row, frame, body = found
            # Last: after its row is written nothing can fail any more.
            found_by = None
            if verdict.fresh:
                verdict.fresh, found_by = False, verdict.who.scheme
            request_id = self._gate.record_recalled(row, perf_counter() - started, found_by)
        except StorageError:
            # The ordinary way tells of it, and tells the operator.
            return None
        except Exception:  # noqa: BLE001  # whatever fails here, the ordinary way answers
            _log.exception("fast lane failed")
            return None
        return frame, request_id.hex().encode(), body

    def answer_scope(self, scope: Scope) -> tuple[Message, Message] | None:
        """Answer a request as an ASGI server gives it; None if the ordinary way is to."""
        target, query, client = scope.get("raw_path", b""), scope["query_string"], scope.get("client")
        if query:
            target = b"%b?%b" % (target, query)
        if target not in self.targets or scope["method"] != "GET" or scope.get("root_path"):
            return None
        sent = self.read(target, scope["headers"], client[0] if client else "")
        answered = None if sent is None else self.answer(target, sent)
        if answered is None:
            return None
        frame, request_id, body = answered
        return (
            {"type": "http.response.start", "status": frame.status, "headers": frame.headers(request_id)},
            {"type": "http.response.body", "body": body},
        )

    def _find(self, target: bytes, sent: Sent) -> Found | None:
        authorization, source, agent, address, name = sent
        verdict = self._gate.recall(authorization, source, address, name)
        if verdict is None:
            return None
        for ready in verdict.prepared:
            if ready.target == target and ready.agent == agent and ready.address == address:
                return Found(verdict, ready.row, ready.frame, ready.body)
        ready = self._prepare(verdict, target, sent)
        return None if ready is None else Found(verdict, ready.row, ready.frame, ready.body)

    def _prepare(self, verdict: Verdict, target: bytes, sent: Sent) -> LaneAnswer | None:
        asked = self._own[target]
        if decide(verdict.who, asked.requires).decision is not Decision.ALLOWED:
            return None
        authorization, source, agent, address, name = sent
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
        kept = (ready, *verdict.prepared[: READY_MAX - 1])
        self._gate.keep_prepared(name, verdict, kept, sum(one.size_bytes for one in kept))
        return ready

    def _find_frame(self, target: bytes, reply: Reply, length: int) -> LaneFrame:
        key = target, length
        frame = self._frames.get(key)
        if frame is None:
            if len(self._frames) >= _SHARED_MAX:
                self._frames.clear()
            frame = self._frames[key] = frame_of(render_reply(reply, self._own[target].dialect))
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
