"""The fast lane's questions of proxies: `/auth/verify` answered by a remembered verdict and remembered rules.

The rules are judged for each request anew, unless caller, rules and request are the very same as before. What the
answer says of the caller was written once for this minute, by the ordinary way's own code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

from latchgate.core.addresses import Network, covers
from latchgate.core.credentials import Presented
from latchgate.core.forwarded import Proxy
from latchgate.core.heads import read_text
from latchgate.core.hosts import parse_host
from latchgate.core.peers import tells_address
from latchgate.core.policy import Decision, decide
from latchgate.server.forward_auth import VERIFY_PATH, ForwardAuth, render_identity
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
from latchgate.services.gate import Gate, RecalledRow
from latchgate.services.verdicts import Verdict

__all__ = ["ForwardLane", "ForwardSent"]

_YES = HTTPStatus.NO_CONTENT
_ASKED_BYTES_MAX = 256
"""How much of method, host and target together a verdict keeps, so that the next such request costs less."""
_FRAMES_MAX = 4096
_PEERS_MAX = 4096
# Where the only value of a header goes. What stands at -1 makes a question unusual. A cookie says nothing where there
# is an Authorization header.
_METHOD, _HOST, _TARGET, _AUTHORIZATION, _SOURCE, _AGENT, _FORWARDED_FOR, _OWN_HOST, _PLACES = range(9)
_COMMON = {
    b"authorization": _AUTHORIZATION,
    b"frappe-authorization-source": _SOURCE,
    b"user-agent": _AGENT,
    b"x-forwarded-for": _FORWARDED_FOR,
    **dict.fromkeys((b"content-length", b"transfer-encoding", b"upgrade", b"expect"), -1),
}
_ORIGINAL = {**_COMMON, b"x-original-method": _METHOD, b"host": _HOST, b"x-original-uri": _TARGET}
_FORWARDED = {
    **_COMMON,
    b"host": _OWN_HOST,
    b"x-forwarded-method": _METHOD,
    b"x-forwarded-host": _HOST,
    b"x-forwarded-uri": _TARGET,
}


class ForwardSent(NamedTuple):
    """What a question tells of the original request."""

    asked: tuple[bytes, bytes, bytes]
    """Method, host and target."""
    sent: Sent


@dataclass(frozen=True, slots=True)
class _Ready:
    """That a request was let in before, by a verdict that this is kept with."""

    target: bytes
    agent: bytes
    address: str
    asked: tuple[bytes, bytes, bytes]
    host: str
    rules: int
    """By which rules, as they are counted here."""
    row: RecalledRow = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return size_of_ready(self.row, *self.asked, self.host, self.address, self.agent)


class ForwardLane:
    """The part of one process's lane that proxies ask."""

    def __init__(
        self,
        gate: Gate,
        forward_auth: ForwardAuth,
        resolve: Callable[[str, bytes | None], str],
        share: Callable[[bytes], bytes],
    ) -> None:
        self._gate = gate
        self._tokens = forward_auth.tokens
        self._trusted_proxies: Sequence[Network] = forward_auth.trusted_proxies
        self._resolve, self._share = resolve, share
        self._trusted: dict[str, bool] = {}
        self._rules: object = None
        self._rules_count = 0
        self._frames: dict[str, LaneFrame] = {}
        self._frames_minute = -1
        self.targets = _targets(forward_auth.proxy)
        """What is asked, byte for byte, and by which names each dialect tells."""

    def read(self, target: bytes, headers: Sequence[Header], peer: str) -> ForwardSent | None:
        """Read the headers of a question; None if they are unusual, or the peer is nobody who may ask."""
        if not self._is_trusted(peer):
            return None
        places = self.targets[target]
        values: list[bytes | None] = [None] * _PLACES
        for name, value in headers:
            place = places.get(name)
            if place is not None:
                if place < 0 or values[place] is not None:
                    return None
                values[place] = value
        method, host, asked, authorization, source, agent, forwarded_for, _ = values
        if not (method and host and asked and authorization and forwarded_for):
            return None
        if (
            len(authorization) > AUTHORIZATION_BYTES_MAX
            or max(len(agent or b""), len(forwarded_for)) > REMEMBERED_BYTES_MAX
            or not tells_address((forwarded_for,))
        ):
            return None
        name = self._gate.name(authorization, source)
        sent = Sent(authorization, source, agent or b"", self._resolve(peer, forwarded_for), name)
        return ForwardSent((method, host, asked), sent)

    def find(self, target: bytes, question: ForwardSent) -> Found | None:
        """Find the answer to a question; None if the ordinary way is to answer."""
        asked, (authorization, source, agent, address, name) = question
        verdict = self._gate.recall(authorization, source, address, name)
        # After the verdict: to find it, what changed was followed.
        rules = self._gate.recall_rules()
        if verdict is None or rules is None:
            return None
        if rules is not self._rules:
            self._rules, self._rules_count = rules, self._rules_count + 1
        for ready in verdict.prepared:
            if (
                ready.target == target
                and ready.asked == asked
                and ready.rules == self._rules_count
                and ready.agent == agent
                and ready.address == address
            ):
                break
        else:
            told = _decode(asked)
            if told is None or not told[2].startswith("/"):
                return None
            match = rules.find(*told)
            host = parse_host(told[1])
            if host is None or decide(verdict.who, match.requirement).decision is not Decision.ALLOWED:
                return None
            ready = self._prepare(verdict, target, question, told, host)
        token = self._tokens.find(verdict.who, ready.host)
        if token is None:
            return None
        return Found(verdict, ready.row, self._find_frame(verdict, token), b"")

    def _prepare(
        self, verdict: Verdict, target: bytes, question: ForwardSent, told: tuple[str, str, str], host: str
    ) -> _Ready:
        asked, (authorization, source, agent, address, name) = question
        presented = Presented(
            method=told[0],
            path=told[2],
            peer_address=address,
            authorization=(authorization,),
            source=() if source is None else (source,),
            user_agent=read_text(agent),
            host=told[1],
        )
        row = self._gate.prepare_row(verdict.who, presented, _YES)
        ready = _Ready(self._share(target), self._share(agent), address, asked, host, self._rules_count, row)
        if sum(map(len, asked)) <= _ASKED_BYTES_MAX:
            kept = (ready, *verdict.prepared[: READY_MAX - 1])
            self._gate.keep_prepared(name, verdict, kept, sum(one.size_bytes for one in kept))
        return ready

    def _find_frame(self, verdict: Verdict, token: str) -> LaneFrame:
        # The token is one for caller, rights, host and minute, of which the answer tells the first two.
        frame = self._frames.get(token)
        if frame is None:
            if self._frames_minute != self._tokens.minute or len(self._frames) >= _FRAMES_MAX:
                self._frames_minute = self._tokens.minute
                self._frames.clear()
            frame = self._frames[token] = frame_of(render_identity(verdict.who, token, Proxy.NGINX))
        return frame

    def _is_trusted(self, peer: str) -> bool:
        trusted = self._trusted.get(peer)
        if trusted is None:
            if len(self._trusted) >= _PEERS_MAX:
                self._trusted.clear()
            trusted = self._trusted[peer] = covers(self._trusted_proxies, peer)
        return trusted


def _targets(default: Proxy) -> Mapping[bytes, Mapping[bytes, int]]:
    dialects = {Proxy.NGINX: _ORIGINAL, Proxy.TRAEFIK: _FORWARDED, Proxy.CADDY: _FORWARDED, Proxy.HAPROXY: _FORWARDED}
    path = VERIFY_PATH.encode()
    targets: dict[bytes, Mapping[bytes, int]] = {
        b"%b?proxy=%b" % (path, proxy.encode()): names for proxy, names in dialects.items()
    }
    # What Envoy asks has the original's own target in it: that is left to the ordinary way.
    if default in dialects:
        targets[path] = dialects[default]
    return targets


def _decode(asked: tuple[bytes, bytes, bytes]) -> tuple[str, str, str] | None:
    """Read method, host and target; None if the ordinary way might read them in another way."""
    method, host, target = asked
    if not (
        b"".join(asked).isascii() and method.strip() == method and host.strip() == host and target.strip() == target
    ):
        return None
    return method.decode("ascii"), host.decode("ascii"), target.decode("ascii")
