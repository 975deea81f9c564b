"""HTTP/1 on a socket, with the limits that keep one client from taking the server's memory or its connections.

uvicorn's own protocol accepts a header of any size, keeps half a request for ever and queues pipelined requests
without end. Here every byte is counted as it is read, and one sweep a second ends what has outstayed its time.
"""

import asyncio
import enum
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, cast
from weakref import WeakKeyDictionary

import httptools
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from latchgate.server.cycle import Cycle
from latchgate.server.flow import HeldFlow, StallWatch
from latchgate.server.meter import RefusedError, RequestMeter, find_piece_end
from latchgate.server.sweep import Sweep
from latchgate.server.wire import Refusal, WireLimits, bad_request, judge_head, set_request_line

RefusalObserver = Callable[[HTTPScope, int], None]
"""Told the scope and the status of each request that is refused with 413, just before the answer is written.

It runs on the event loop; if it raises, the connection breaks unanswered. The application has not seen such a request,
or, if the body came in chunks, finds its client gone when it reads on.
"""

# After a refusal, what still arrives is read and thrown away for a while: closing a socket that holds unread bytes
# resets the connection, and many a client would see the reset instead of the answer.
_LINGER_SECONDS = 2.0
_LINGER_BYTES_MAX = 1024 * 1024


class _Stage(enum.Enum):
    """Where in the client's bytes the parser stands."""

    BETWEEN = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    OVER = enum.auto()
    """Nothing more is parsed: the request just read, or refused, was the connection's last."""


# Looking a member up on its class costs as much as a call, and this is done for every header.
BETWEEN, _HEAD, _BODY, _OVER = _Stage


class WireProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol, made safe against hostile and broken clients.

    Written against uvicorn 0.54. It replaces ``data_received``, ``on_url``, ``on_header`` and ``on_response_complete``
    whole (and with the last the keep-alive timers), extends the other methods that it defines, and uses the attributes
    of ``HttpToolsProtocol``, ``RequestResponseCycle`` and ``FlowControl`` that a test lists by name.

    A subclass may answer a request by itself in ``on_headers_complete``, without calling this one: the next request
    then follows as after any other answer.
    """

    limits: ClassVar[WireLimits] = WireLimits()
    draining: ClassVar[bool] = False
    """Whether the server takes no more connections, and each answer is its connection's last."""
    patience_seconds: ClassVar[float] = math.inf
    """How long a connection on which nothing is under way may wait for its next request, at most; see `hasten`."""
    observer: ClassVar[RefusalObserver | None] = None
    _sweeps: ClassVar[WeakKeyDictionary[ServerState, Sweep]] = WeakKeyDictionary()
    flow: HeldFlow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._stage = BETWEEN
        self._meter = RequestMeter(self.limits)
        self._deadline = math.inf
        self._body_deadline = math.inf
        self._stall_watch = StallWatch()
        self._running: RequestResponseCycle | None = None
        self._held = b""
        self._refusal: Refusal | None = None
        self._refused_scope: HTTPScope | None = None
        self._discarded_bytes = 0

    # The socket

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin a connection; its first request is to arrive in the time that a head may take."""
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._set_waiting(self.limits.head_seconds)
        sweep = self._sweeps.get(self.server_state)
        if sweep is None:
            connections = cast("set[WireProtocol]", self.connections)
            sweep = self._sweeps[self.server_state] = Sweep(self.loop, connections, self.limits.sweep_seconds)
        sweep.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the running application that its client has gone."""
        super().connection_lost(exc)
        # uvicorn tells the newest request alone, which need not be the one that runs.
        if self._running is not None and not self._running.response_complete:
            _disconnect(self._running)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, or keep it while the pipeline is full."""
        if self._held:
            # Only a transport that had decrypted more before it was paused gets here.
            self._held += data
        else:
            self._feed(data)

    def check_time(self, now: float) -> None:
        """Close the connection if it has outstayed its time; the sweep calls this."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if self._stall_watch.has_stalled(unsent_bytes, now, self.limits.body_idle_seconds):
            # Closing would wait until the client takes what is left.
            self.transport.abort()
        elif self._keeps_client_waiting():
            in_head = self._stage is _HEAD
            self._set_deadline(self.limits.head_seconds if in_head else self.limits.body_idle_seconds)
        elif now < self._deadline:
            return
        elif self.draining and self._stage in {BETWEEN, _HEAD}:
            # A request may just be on its way: closing would reset it, where an end that is read tells the client
            # that it was not taken. Source: RFC 9112, section 9.6.
            self._stage = _OVER
            self._linger()
        else:
            self.transport.close()

    # The end of the server

    @classmethod
    def drain(cls, server_state: ServerState) -> None:
        """Let each answer be its connection's last; from now on the server itself looks at the time."""
        cls.draining = True
        sweep = cls._sweeps.get(server_state)
        if sweep is not None:
            sweep.stop()
        for connection in cast("set[WireProtocol]", server_state.connections):
            connection.wind_up()

    def wind_up(self) -> None:
        """Let the answer under way be the connection's last, or that to the next request, if one still comes."""
        # If a head is being read, that request is the last one; an answer whose head is out cannot say so any more.
        if self._stage is not _HEAD and self._running is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False
            if self._stage is BETWEEN:
                self._stage = _OVER

    def hasten(self) -> None:
        """Wait for nothing that has not begun longer than `patience_seconds`."""
        if self._stage in {BETWEEN, _HEAD} and not self._is_busy():
            self._deadline = min(self._deadline, self.loop.time() + self.patience_seconds)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        self.url, self.headers = b"", []
        self.expect_100_continue = False
        self._stage = _HEAD
        self._meter.head_bytes = 0
        self._set_waiting(self.limits.head_seconds)

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._meter.silent_bytes = 0
        self._meter.head_bytes += len(url)
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is counted and dropped, or a body could bring its own ``Authorization``."""
        # Called more often than anything else here: the meter is kept without calls, and read at the end of the piece.
        meter = self._meter
        meter.silent_bytes = 0
        meter.head_bytes += len(name) + len(value) + 4
        if self._stage is _BODY:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head, and start or queue the application's work on it."""
        self._meter.begin_body(len(self.headers))
        upgrades = self.parser.should_upgrade()
        version = self.parser.get_http_version()
        refusal = judge_head(version, self.url, self.headers, upgrades=upgrades, limits=self.limits)
        if refusal is not None and refusal.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise RefusedError(refusal)
        self.scope = scope = self._begin_scope()
        set_request_line(scope, self.parser.get_method(), self.url, version)
        if refusal is not None:
            # The observer is shown a scope as complete as the application's would have been.
            raise RefusedError(refusal)
        self._stage = _BODY
        now = self.loop.time()
        self._body_deadline = now + self.limits.body_seconds
        self._deadline = now + self.limits.body_idle_seconds
        # A client told 401 instead of 100 may or may not send its body; nobody could tell where its next request
        # begins. Nor does the parser say where an upgrade's own bytes do.
        ends = version == "1.0" or upgrades or self.expect_100_continue or self.draining
        self._begin_cycle(scope, keep_alive=not ends and self.parser.should_keep_alive())

    def _begin_scope(self) -> HTTPScope:
        """Make a scope that lacks the request line."""
        return {  # type: ignore[typeddict-item]  # as uvicorn makes it
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }

    def _begin_cycle(self, scope: HTTPScope, *, keep_alive: bool) -> None:
        before: RequestResponseCycle | None = self.cycle
        self.cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, as long as it is within its limit."""
        self._meter.count_body(len(body))
        self._set_deadline(self.limits.body_idle_seconds)
        self._deadline = min(self._deadline, self._body_deadline)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; what follows is the next one, unless this was the last."""
        is_last = False
        if self._stage is _BODY:
            self._meter.check_head(0)
            super().on_message_complete()
            is_last = not self.cycle.keep_alive
        self._stage = _OVER if is_last else BETWEEN
        if self._is_busy():
            self._deadline = math.inf
        else:
            self._set_waiting(self.limits.idle_seconds)

    # The answers

    def on_response_complete(self) -> None:
        """Go on with the next request, or with the refusal that waited for its turn, or wait."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self._send_refusal(self._refusal)
        elif self._stage is BETWEEN:
            self._set_waiting(self.limits.idle_seconds)
        if self._held and not self.pipeline:
            # Not from here: this may be running inside the parser.
            self.loop.call_soon(self._feed_held)
        else:
            self.flow.resume_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_busy(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _keeps_client_waiting(self) -> bool:
        """Return whether an unfinished request cannot go on because of this side."""
        if self._stage not in {_HEAD, _BODY}:
            return False
        behind_another = bool(self.pipeline) or (self._stage is _HEAD and self._is_busy())
        return behind_another or self.flow.read_paused

    def _set_waiting(self, seconds: float) -> None:
        self._set_deadline(min(seconds, self.patience_seconds))

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    # Reading

    def _feed(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            if self._stage is _OVER:
                self._discard(len(data) - start)
                return
            if self.pipeline and self._is_full():
                self._held = data[start:]
                self.flow.hold()
                return
            end = find_piece_end(data, start, in_head=self._stage is _HEAD)
            self._parse(data if end - start == len(data) else memoryview(data)[start:end])
            start = end

    def _feed_held(self) -> None:
        if self.transport.is_closing():
            return
        data, self._held = self._held, b""
        # First, so that what the parser finds can pause reading again.
        self.flow.release()
        self._feed(data)

    def _is_full(self) -> bool:
        waiting_bytes = sum(len(cycle.body) for cycle, _ in self.pipeline)
        return len(self.pipeline) >= self.limits.pipeline_max or waiting_bytes > HIGH_WATER_LIMIT

    def _parse(self, piece: bytes | memoryview) -> None:
        try:
            self._meter.silent_bytes += len(piece)
            self.parser.feed_data(piece)
            self._meter.check_head(len(self.headers) if self._stage is _HEAD else 0)
        except httptools.HttpParserUpgrade:
            self._stage = _OVER
        except httptools.HttpParserError as error:
            self._end_with(self._refusal_for(error.__context__))
        except RefusedError as error:
            self._end_with(error.refusal)

    def _discard(self, count: int) -> None:
        self._discarded_bytes += count
        if self._discarded_bytes > _LINGER_BYTES_MAX:
            self.transport.abort()

    # Refusing

    def _refusal_for(self, cause: BaseException | None) -> Refusal:
        """Return the answer to a request that the parser gave up, by what a callback had raised, if one did."""
        if isinstance(cause, RefusedError):
            return cause.refusal
        if cause is not None and not isinstance(cause, httptools.HttpParserInvalidURLError):
            self.logger.error("A callback of the HTTP parser failed.", exc_info=cause)
        return bad_request("The request is not valid HTTP/1.1.")

    def _end_with(self, refusal: Refusal) -> None:
        """Refuse the request being read, after the answers to those before it."""
        has_begun = self._stage is _BODY
        self._stage = _OVER
        if has_begun and self.cycle.response_started:
            # Its answer is under way or out; all that is left to say is that the connection ends.
            _disconnect(self.cycle)
            self._linger()
            return
        if has_begun and self._running is self.cycle:
            _disconnect(self.cycle)
            self._running = None
        elif has_begun:
            self.pipeline.popleft()
        if refusal.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._refused_scope = self.scope
        self._refusal = refusal
        if self._is_busy():
            self._deadline = math.inf
            self.flow.hold()
        else:
            self._send_refusal(refusal)

    def _send_refusal(self, refusal: Refusal) -> None:
        observer = type(self).observer
        if observer is not None and self._refused_scope is not None:
            observer(self._refused_scope, refusal.status)
        self.transport.write(refusal.render(self.server_state.default_headers))
        self._linger()

    def _linger(self) -> None:
        """Close this side, and leave the client a moment to notice."""
        self.flow.release()
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._set_deadline(_LINGER_SECONDS)
        else:
            self.transport.close()


def protocol_class(
    limits: WireLimits, observer: RefusalObserver | None = None, base: type[WireProtocol] = WireProtocol
) -> type[WireProtocol]:
    """Return the protocol with these limits, for ``uvicorn.Config(http=...)``."""
    return type("LimitedProtocol", (base,), {"limits": limits, "observer": observer})


def _disconnect(cycle: RequestResponseCycle) -> None:
    """Let the application of this request find its client gone; what it still sends is dropped."""
    cycle.disconnected = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
