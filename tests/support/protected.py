"""An instance that protects applications behind a proxy, asked as the proxy would ask; the rules are a test's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from latchgate.core.access_rules import AccessRule, RuleSet
from latchgate.core.forwarded import Proxy
from latchgate.core.identity_headers import IDENTITY_HEADERS
from latchgate.server.run import build_application
from support.asgi import Answer, Headers, Service
from support.rule_books import FakeBook

__all__ = ["APP", "CALLER", "PROXY", "Protected", "identity", "protected_service", "question"]

PROXY, CALLER, APP = "127.0.0.1", "192.0.2.7", "app.example.com"
"""The addresses of the proxy and of its caller, and the host that is protected."""

Field = tuple[bytes, bytes]


def question(
    proxy: Proxy, method: str = "GET", target: str | bytes = "/", host: str = APP, caller: str = CALLER
) -> tuple[str, bytes, list[Field]]:
    """Write a question as a proxy of that kind asks it: method, target and headers."""
    raw = target.encode() if isinstance(target, str) else target
    told_for = (b"x-forwarded-for", caller.encode())
    match proxy:
        case Proxy.ENVOY:
            return (
                method,
                b"/auth/verify" + raw,
                [(b"host", host.encode("latin-1")), told_for, (b"content-length", b"0")],
            )
        case Proxy.NGINX:
            names = b"x-original-method", b"host", b"x-original-uri"
        case _:
            names = b"x-forwarded-method", b"x-forwarded-host", b"x-forwarded-uri"
    told = list(zip(names, (method.encode(), host.encode("latin-1"), raw), strict=True))
    if proxy is not Proxy.NGINX:
        told.append((b"host", b"latchgate.internal"))
    return "GET", f"/auth/verify?proxy={proxy}".encode(), [*told, told_for]


@dataclass
class Protected:
    """The instance, and its book of rules, which may be changed."""

    service: Service
    book: FakeBook = field(default_factory=FakeBook)

    def rule(self, *rules: AccessRule) -> None:
        """Let these be the rules."""
        self.book.rules = RuleSet(rules)

    def ask(
        self,
        target: str | bytes = "/",
        authorization: str | None = None,
        *,
        proxy: Proxy = Proxy.NGINX,
        method: str = "GET",
        host: str = APP,
        headers: Headers = (),
        peer: str = PROXY,
        before: Sequence[Field] = (),
    ) -> Answer:
        """Ask about a request.

        Args:
            target: Of the original request, as are method and host.
            authorization: That it brings.
            proxy: Who asks.
            method: As above.
            host: As above.
            headers: That it brings besides.
            peer: From where the question comes.
            before: Headers before the proxy's own.
        """
        asked_by, asked, told = question(proxy, method, target, host)
        return self.service.ask(asked, authorization, method=asked_by, headers=[*before, *told, *headers], peer=peer)


def identity(answer: Answer) -> dict[str, str]:
    """Give the identity headers of an answer, each of which must be there once, by their last word."""
    found = {}
    for name in IDENTITY_HEADERS:
        value = answer.header(name.lower())
        assert value is not None, name
        found[name.rpartition("-")[2].lower()] = value
    return found


@contextmanager
def protected_service(home: Path, **options: object) -> Iterator[Protected]:
    """Open an instance that believes its proxy, for a while."""
    # The others name themselves in what they ask; Envoy cannot.
    own = {"trusted_proxies": PROXY, "public_url": "https://example.com:8443", "proxy": Proxy.ENVOY}
    service = Service(home, **{**own, **options})
    try:
        protected = Protected(service)
        gate = replace(service.latchgate.gate, rule_book=protected.book)
        service.latchgate = replace(service.latchgate, gate=gate)
        service.application = build_application(service.latchgate)
        yield protected
    finally:
        service.close()
