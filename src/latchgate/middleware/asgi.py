"""Middleware for ASGI: each request passes the gate before the application, and its row is written before its reply."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from latchgate.core.heads import Head, find_target
from latchgate.core.policy import Requirement
from latchgate.errors import SettingsError
from latchgate.middleware.identities import JUDGED_KEY, KEY
from latchgate.middleware.judging import UNANSWERED_GONE, Judge, record_on_loop, record_unanswered_on_loop
from latchgate.middleware.keepers import Keeper, Passage
from latchgate.middleware.refusals import INTERNAL, NOT_LOGGED, Refusal, Refused
from latchgate.middleware.sent_names import is_identity_header

__all__ = ["AsgiMiddleware", "find_peer"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Frameworks and applications type the three in ways of their own.
AsgiApplication = Callable[[Any, Any, Any], Awaitable[None]]

_NO_WEBSOCKETS = Refusal(403, "forbidden", "Websockets are not let in here.", reason="not_permitted")
_SWITCHED = 101
_UNKNOWN_PEER = "unknown"
_REFUSED = 403
_UNANSWERED = INTERNAL, "internal"


class AsgiMiddleware:
    """An ASGI application before another one, which sees only requests that were let in."""

    def __init__(
        self,
        app: AsgiApplication,
        *,
        requires: Requirement | None = None,
        rules: bool = False,
        websockets: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        """Put Latchgate before an application. Opens nothing yet.

        Args:
            app: The application.
            requires: What is asked of each caller; unless it says else, a user by a credential that is limited to
                nothing. With PUBLIC a request without a credential is let in as Guest, and the application says by
                `Identity.require` what it asks.
            rules: Whether the access rules decide instead.
            websockets: Whether websockets are let in, judged at their handshake as a GET. Without it, none is.
            keeper: Whom to ask; without one, the instance that the environment names, opened in this process.
        """
        self.app = app
        self._judge = Judge(requires, rules=rules, keeper=keeper)
        self._websockets = websockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let the application take part in start and stop."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "websocket":
                await self._connect(scope, receive, send)
            case "lifespan":
                await self._live(scope, receive, send)
            case other:
                # What is not known cannot be judged.
                raise ValueError(f"latchgate lets no connection of type {other!r} in")

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.to_thread(self._judge.keeper.open)
        except SettingsError as error:
            # Servers take an exception here for an application that knows nothing of start and stop.
            await receive()
            await send({"type": "lifespan.startup.failed", "message": error.public})
            return
        try:
            await self.app(scope, receive, send)
        finally:
            await asyncio.to_thread(self._judge.keeper.close)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Here and below a coroutine is made only if somebody has to wait.
        head = _read_head(scope, scope["method"])
        passage = self._judge.admit_at_once(head, scope) or await self._judge.admit_in_thread(head)
        if passage.refusal is not None or passage.identity is None:
            await _refuse(passage, passage.refusal, send)
            return
        exchange = _Exchange(passage, receive, send)
        try:
            await self.app(_scope_for(scope, passage), exchange.receive, exchange.send)
        except Refused as refused:
            if exchange.begun:
                raise
            await exchange.refuse(refused.refusal)
        except asyncio.CancelledError:
            exchange.gone = True
            raise
        finally:
            if passage.write is not None:
                await exchange.record_unanswered()

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A browser lets any page open a websocket, and sends its cookies along: they prove nothing here.
        headers = [header for header in scope["headers"] if header[0] != b"cookie"]
        passage = await self._judge.admit_on_loop(_read_head({**scope, "headers": headers}, "GET"), scope)
        refusal = passage.refusal
        if refusal is None and not self._websockets:
            refusal = passage.refusal = _NO_WEBSOCKETS
        shake = _Handshake(passage, scope, send)
        if refusal is not None or passage.identity is None:
            await receive()
            await shake.refuse(refusal or _NO_WEBSOCKETS)
            return
        try:
            await self.app(_scope_for(scope, passage), receive, shake.send)
        except Refused as refused:
            if shake.begun:
                raise
            await shake.refuse(refused.refusal)
        except Exception:
            await record_unanswered_on_loop(passage, *_UNANSWERED)
            raise
        finally:
            await record_unanswered_on_loop(passage, *UNANSWERED_GONE)


class _Exchange:
    """The messages of one request that was let in."""

    __slots__ = ("_passage", "_receive", "_replaced", "_send", "begun", "gone")

    def __init__(self, passage: Passage, receive: Receive, send: Send) -> None:
        self.begun = False
        """Whether the application has begun to answer."""
        self.gone = False
        """Whether the client was seen to have left."""
        self._replaced = False
        self._passage, self._receive, self._send = passage, receive, send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self.begun:
            self.begun = True
            if not await record_on_loop(self._passage, message["status"]):
                # What is not in the log must not be answered as if it were.
                self._replaced = True
                await _send_refusal(NOT_LOGGED, self._send)
        if not self._replaced:
            await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        self.begun = True
        self._passage.refusal = refusal
        await _refuse(self._passage, refusal, self._send)

    async def record_unanswered(self) -> None:
        """Write the row of a request that the application has not begun to answer, or whose row was cut off."""
        await record_unanswered_on_loop(self._passage, *(UNANSWERED_GONE if self.gone else _UNANSWERED))


class _Handshake:
    """The messages of one websocket until it is accepted or refused."""

    def __init__(self, passage: Passage, scope: Scope, send: Send) -> None:
        self.begun = False
        self._replaced = False
        self._passage, self._send = passage, send
        self._can_answer = "websocket.http.response" in (scope.get("extensions") or {})

    async def send(self, message: Message) -> None:
        if not self.begun and message["type"] in {
            "websocket.accept",
            "websocket.close",
            "websocket.http.response.start",
        }:
            self.begun = True
            accepted = _SWITCHED if message["type"] == "websocket.accept" else _REFUSED
            if not await record_on_loop(self._passage, message.get("status", accepted)):
                self._replaced = True
                await self._answer(NOT_LOGGED)
        if not self._replaced:
            await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        self.begun = True
        self._passage.refusal = refusal
        logged = await record_on_loop(self._passage, refusal.status)
        await self._answer(refusal if logged else NOT_LOGGED)

    async def _answer(self, refusal: Refusal) -> None:
        if self._can_answer:
            await _send_refusal(refusal, self._send, "websocket.http.response")
        else:
            # The server makes a 403 of it.
            await self._send({"type": "websocket.close", "code": 1008, "reason": ""})


def _read_head(scope: Scope, method: str) -> Head:
    path: str = scope["path"]
    target = find_target(path.encode("utf-8", "surrogatepass"), scope.get("query_string", b""), scope.get("raw_path"))
    return Head(method, target, find_peer(scope), scope["headers"])


def find_peer(scope: Mapping[str, Any]) -> str:
    """Give the address of the other end; empty at a Unix socket alone, since who asks there may be trusted."""
    client, server = scope.get("client"), scope.get("server")
    if client and client[0]:
        return str(client[0])
    # Of a connection that was reset meanwhile a server knows its own port alone.
    return _UNKNOWN_PEER if server and server[1] is not None else ""


def _scope_for(scope: Scope, passage: Passage) -> Scope:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    kept = [header for header in headers if not is_identity_header(header[0])]
    return {**scope, "headers": kept, KEY: passage.identity, JUDGED_KEY: passage.judged}


async def _refuse(passage: Passage, refusal: Refusal | None, send: Send) -> None:
    refusal = refusal or NOT_LOGGED
    logged = await record_on_loop(passage, refusal.status)
    await _send_refusal(refusal if logged else NOT_LOGGED, send)


async def _send_refusal(refusal: Refusal, send: Send, kind: str = "http.response") -> None:
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in refusal.all_headers]
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": refusal.body, "more_body": False})
