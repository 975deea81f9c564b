"""Questions of proxies in every shape, plain and odd, as bytes: what a fast way must answer as a slow one."""

from collections.abc import Iterator
from dataclasses import replace

from latchgate.core.access_rules import AccessRule
from latchgate.core.forwarded import Proxy
from support.odd_requests import Credentials
from support.protected import question
from support.rule_books import rule_of
from support.two_servers import Exchange

__all__ = ["RULES", "asked_by_everybody", "asked_oddly", "told_oddly", "written_oddly"]

RULES: tuple[AccessRule, ...] = tuple(
    replace(rule, id=0)
    for rule in (
        rule_of("/open/*", guest=True),
        rule_of("/shop/*", guest=True, foreign=True),
        rule_of("/managed/*", "System Manager"),
        rule_of("/noted/*", scopes="notes"),
        rule_of("/posted/*", methods="POST"),
        rule_of("/mine/*", host="app.example.com"),
        rule_of("/any/*"),
        rule_of("/odd/*", unusual=True),
    )
)
"""What the two servers protect."""

_LANE = (Proxy.NGINX, Proxy.TRAEFIK)
_TARGETS = ("/open/a", "/shop/a", "/managed/a", "/noted/a", "/posted/a", "/mine/a", "/any/a?b=c", "/odd//a", "/nowhere")
_PATHS = (
    *("/", "", "*", "a", "http://b.example.com/open/a", "//open/a", "/open/../any/a", "/open/%2e%2e/any/a", "/any/%"),
    *("/any/a;b", "/any/a%2fb", "/any/a\\b", "/any/a b", "/any/%41", "/any/a?token=abcdefgh", "/any/é", "/any/a#b"),
    *("/any/" + "a" * length for length in (200, 600, 9_000)),
)
_ASKED = (
    "",
    "?",
    *(f"?proxy={name}" for name in ("nginx", "nginx&", "", "apache", "envoy")),
    "?x=1",
    "/",
    "/any/a",
    "//a",
)


def _ask(
    proxy: Proxy,
    *more: bytes,
    target: str | bytes = "/any/a",
    method: str = "GET",
    host: str = "app.example.com",
    line: bytes = b"GET %b HTTP/1.1",
    without: str = "",
) -> bytes:
    asked_by, asked, fields = question(proxy, method, target, host)
    start = (
        line % asked
        if line.startswith(b"GET") and asked_by == "GET"
        else b"%b %b HTTP/1.1" % (asked_by.encode(), asked)
    )
    lines = [b"%b: %b" % field for field in fields if field[0].decode() != without]
    return b"\r\n".join([start, *lines, *more, b"", b""])


def _one(*pieces: bytes) -> Exchange:
    # The first of a minute reads the key to sign with in a thread, whose end no ping tells of.
    return Exchange(pieces, answers=1)


def asked_by_everybody(known: Credentials) -> Iterator[Exchange]:
    """Ask about requests that may pass and that may not, with each credential and none."""
    good = [known.good.token, known.good.basic, known.bearer]
    for proxy in Proxy:
        for target in _TARGETS:
            yield _one(_ask(proxy, b"Authorization: " + good[0].encode(), target=target))
        yield from (_one(_ask(proxy, target=target)) for target in _TARGETS[:3])
    for target in ("/any/a", "/shop/a"):
        for value in (*good, *known.bad.values(), "Negotiate abc"):
            yield _one(_ask(Proxy.NGINX, b"Authorization: " + value.encode(), target=target))
    for method in ("GET", "HEAD", "POST", "OPTIONS", "get", "PROPFIND", "X" * 40, "GE T", "\xe9"):
        yield _one(_ask(Proxy.NGINX, b"Authorization: " + good[0].encode(), target="/posted/a", method=method))


def told_oddly(known: Credentials) -> Iterator[Exchange]:
    """Tell of the original request once, twice, not at all, and by headers of another dialect."""
    good = b"Authorization: " + known.good.token.encode()
    forged = [
        b"X-Original-URI: /open/a",
        b"X-Forwarded-Uri: /open/a",
        b"X-Forwarded-Method: GET",
        b"X-Rewrite-URL: /open/a",
    ]
    forged += [
        b"X-Forwarded-Host: b.example.com",
        b"X-Original-Method: GET",
        b"Host: b.example.com",
        b"X_Original_URI: /",
    ]
    forged += [b"X-Auth-Request-User: root", b"Connection: X-Auth-Request-User", b"Connection: close", b"Cookie: a=b"]
    forged += [b"Cookie: sid=" + b"0" * 56, b"Content-Length: 0", b"Content-Length: 1", b"Transfer-Encoding: chunked"]
    forged += [b"X-Forwarded-For: 192.0.2.9", b"X-Forwarded-For: nonsense", b"Frappe-Authorization-Source: User"]
    forged += [b"Frappe-Authorization-Source: Nope", good, b"Authorization:", b"User-Agent: a", b"Expect: 100-continue"]
    for proxy in _LANE:
        names = [name.decode() for name, _ in question(proxy)[2]]
        yield from (_one(_ask(proxy, good, line)) for line in forged)
        yield from (_one(_ask(proxy, good, without=name)) for name in names)
        yield from (_one(_ask(proxy, good, b"%b:" % name.encode(), without=name)) for name in names)
        yield from (_one(_ask(proxy, good, b"%b:  /any/a \t" % name.encode(), without=name)) for name in names)
    for host in ("b.example.com", "APP.example.com:80", "app.example.com.", "a, b", "[::1]:8", "x@y", "a_b", "a" * 300):
        yield _one(_ask(Proxy.NGINX, good, target="/mine/a", host=host))


def written_oddly(known: Credentials) -> Iterator[Exchange]:
    """Write the target of the original request in unusual ways, and cut a question anywhere."""
    good = b"Authorization: " + known.good.token.encode()
    paths = [*_PATHS, f"/any/?{known.good.secret}", f"/any/{known.good.secret}"]
    for proxy in (Proxy.NGINX, Proxy.ENVOY):
        for path in paths:
            if proxy is not Proxy.ENVOY or (path.startswith("/") and path.isascii() and " " not in path):
                yield _one(_ask(proxy, good, target=path))
    for raw in (b"/any/\xff", b"/any/\x80\xfe", b"/any/\x01"):
        yield _one(_ask(Proxy.NGINX, good, target=raw))
    whole = b"GET /auth/verify?proxy=nginx HTTP/1.1" + _lines(known)
    yield Exchange((whole * 5,), answers=5)
    yield Exchange((whole + whole[:50], whole[50:]), answers=2)
    yield from (_one(whole[:position], whole[position:]) for position in range(1, len(whole), 29))


def asked_oddly(known: Credentials) -> Iterator[Exchange]:
    """Write the target and the method of the question itself in unusual ways."""
    lines = _lines(known)
    for asked in _ASKED:
        for line in ("GET /auth/verify%s HTTP/1.1", "GET /auth/verify%s HTTP/1.0", "HEAD /auth/verify%s HTTP/1.1"):
            whole = line.replace("%s", asked).encode() + lines
            yield Exchange((whole,), answers=1, is_head=line.startswith("HEAD"))
        yield _one(b"POST /auth/verify" + asked.encode() + b" HTTP/1.1\r\nContent-Length: 0" + lines)
    for asked in (
        "http://latchgate/auth/verify",
        "/auth/verify#a",
        "/auth//verify",
        "/auth/%76erify",
        "/auth/verify%3Fx",
    ):
        yield _one(b"GET " + asked.encode() + b" HTTP/1.1" + lines)


def _lines(known: Credentials) -> bytes:
    fields = [*question(Proxy.NGINX, "GET", "/any/a")[2], (b"authorization", known.good.token.encode())]
    return b"".join(b"\r\n%b: %b" % field for field in fields) + b"\r\n\r\n"
