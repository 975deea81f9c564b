"""Middleware for WSGI: each request passes the gate before the application, and its row is written before its reply."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from types import TracebackType
from typing import Any

from latchgate.core.policy import Requirement
from latchgate.middleware.environs import read_environ
from latchgate.middleware.identities import JUDGED_KEY, KEY, Identity, Judged
from latchgate.middleware.judging import Judge
from latchgate.middleware.keepers import Keeper, Passage
from latchgate.middleware.refusals import CLIENT_GONE, INTERNAL, NOT_LOGGED, UNAVAILABLE, Refusal, Refused
from latchgate.middleware.sent_names import is_identity_variable

__all__ = ["WsgiMiddleware", "tell_environ"]

Environ = MutableMapping[str, Any]
Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
Write = Callable[[bytes], object]
StartResponse = Callable[..., Any]
# Frameworks and applications type the two in ways of their own.
WsgiApplication = Callable[[Any, Any], Iterable[bytes]]

_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class WsgiMiddleware:
    """A WSGI application before another one, which sees only requests that were let in."""

    def __init__(
        self,
        app: WsgiApplication,
        *,
        requires: Requirement | None = None,
        rules: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        """Put Latchgate before an application. Opens nothing yet.

        Args:
            app: The application.
            requires: What is asked of each caller; unless it says else, a user by a credential that is limited to
                nothing. With PUBLIC a request without a credential is let in as Guest, and the application says by
                `Identity.require` what it asks.
            rules: Whether the access rules decide instead.
            keeper: Whom to ask; without one, the instance that the environment names, opened in this process.
        """
        self.app = app
        self._judge = Judge(requires, rules=rules, keeper=keeper)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        passage = self._judge.admit(read_environ(environ, by_rules=self._judge.by_rules), environ)
        exchange = _Exchange(passage, start_response)
        if passage.refusal is not None or passage.identity is None:
            return exchange.refuse(passage.refusal or UNAVAILABLE)
        tell_environ(environ, passage.identity, passage.judged)
        try:
            answer = self.app(environ, exchange.start_response)
        except Refused as refused:
            if exchange.begun:
                raise
            return exchange.refuse(refused.refusal)
        except BaseException:
            exchange.record_unanswered(INTERNAL, "internal")
            raise
        return _Answer(answer, exchange)


def tell_environ(environ: Environ, identity: Identity, judged: Judged | None) -> None:
    """Put who a request acts as into its environ, in the place of whatever the caller has said of itself."""
    for name in [name for name in environ if is_identity_variable(name)]:
        del environ[name]
    environ[KEY], environ[JUDGED_KEY] = identity, judged
    # By CGI's own names too: another's word there must not be taken for ours.
    environ.pop("REMOTE_USER", None)
    environ.pop("AUTH_TYPE", None)
    if not identity.is_guest:
        environ["REMOTE_USER"] = identity.user
        environ["AUTH_TYPE"] = identity.scheme


class _Exchange:
    """One request and what is sent in answer: the start is held back until its row is written."""

    def __init__(self, passage: Passage, start_response: StartResponse) -> None:
        self.begun = False
        """Whether anything was sent."""
        self.replaced = False
        """Whether another answer than the application's was."""
        self._passage, self._start_response = passage, start_response
        self._held: tuple[str, Headers, ExcInfo | None] | None = None
        self._write: Write | None = None

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Take what the application says, as PEP 3333 has it."""
        if self.begun and exc_info and exc_info[1] is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._held is not None and not exc_info:
            raise AssertionError("the application has begun to answer twice")
        self._held = (status, headers, exc_info)
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece in the old way."""
        replacement = self.begin()
        if self._write is None or replacement is not None:
            raise ConnectionAbortedError("the request could not be logged")
        self._write(data)

    def begin(self) -> bytes | None:
        """Write the row and send the start, if that is yet to be done.

        Returns:
            The body to send instead of the application's, if the row could not be written.
        """
        if self.begun:
            return None
        if self._held is None:
            raise AssertionError("the application has sent a body before its status")
        status, headers, exc_info = self._held
        if not self._passage.try_record(int(status.split(" ", 1)[0])):
            self.begun = self.replaced = True
            return self._send_refusal(NOT_LOGGED)
        self.begun = True
        self._write = self._start_response(status, headers, *([exc_info] if exc_info else []))
        return None

    def refuse(self, refusal: Refusal) -> list[bytes]:
        """Answer by a refusal."""
        self.begun = self.replaced = True
        self._passage.refusal = refusal
        return [self._send_refusal(refusal if self._passage.try_record(refusal.status) else NOT_LOGGED)]

    def record_unanswered(self, status: int, reason: str) -> None:
        """Write the row of a request that nothing was sent for."""
        if not self.begun:
            self._passage.try_record(status, reason)

    def _send_refusal(self, refusal: Refusal) -> bytes:
        self._write = self._start_response(f"{refusal.status} {_PHRASES[refusal.status]}", refusal.all_headers)
        return refusal.body


class _Answer:
    """The body that an application gives, and what becomes of the request if it is not read to its end."""

    def __init__(self, pieces: Iterable[bytes], exchange: _Exchange) -> None:
        self._pieces = pieces
        self._exchange = exchange
        self._own = self._iterate()

    def __iter__(self) -> Iterator[bytes]:
        return self._own

    def close(self) -> None:
        """Let the application go, as PEP 3333 asks; nothing was sent: nobody was there any more."""
        try:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
        finally:
            self._exchange.record_unanswered(CLIENT_GONE, "client_gone")

    def _iterate(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            # Of an empty piece nothing is sent, and the status may still become another.
            for piece in filter(None, self._pieces):
                replacement = exchange.begin()
                if exchange.replaced:
                    yield replacement or b""
                    return
                yield piece
            replacement = exchange.begin()
            if replacement is not None:
                yield replacement
        except Refused as refused:
            if exchange.begun:
                raise
            yield from exchange.refuse(refused.refusal)
        except Exception:
            exchange.record_unanswered(INTERNAL, "internal")
            raise
