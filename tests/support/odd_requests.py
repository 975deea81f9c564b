"""Requests of every shape for `get_logged_user`, plain and odd, as bytes: what a fast way must answer as a slow one."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from support.asgi import LOGGED_USER, Pair
from support.two_servers import Exchange

__all__ = ["Credentials", "bodies_and_framing", "credentials", "headers", "heads", "request", "streams", "targets"]


@dataclass(frozen=True)
class Credentials:
    """What there is to present; each name says what is the matter with it."""

    good: Pair
    bearer: str
    """The header's value."""
    bad: dict[str, str]
    """Header values that are refused, by what is the matter."""
    limited: tuple[Pair, ...]
    """Keys that may be used three times a minute."""


def request(
    *fields: bytes, target: bytes = LOGGED_USER.encode(), method: bytes = b"GET", version: bytes = b"HTTP/1.1"
) -> bytes:
    """Write a request without a body, with these header lines after Host."""
    return b"\r\n".join([b"%b %b %b" % (method, target, version), b"Host: latchgate", *fields, b"", b""])


def credentials(known: Credentials) -> Iterator[Exchange]:
    """Present every credential, whatever is the matter with it, in every spelling of its scheme."""
    pair, coded = _pair(known.good), base64.b64encode(_pair(known.good))
    for scheme in (b"token", b"TOKEN", b"Token", b"tOkEn"):
        yield _one(b"Authorization: " + scheme + b" " + pair)
    for scheme in (b"Basic", b"basic", b"BASIC", b"bAsIc"):
        yield _one(b"Authorization: " + scheme + b" " + coded)
    token = known.bearer.encode().partition(b" ")[2]
    for scheme in (b"Bearer", b"bearer", b"BEARER"):
        yield _one(b"Authorization: " + scheme + b" " + token)
    for value in known.bad.values():
        yield _one(b"Authorization: " + value.encode())
    yield from map(_one, _odd_authorizations(pair, coded))
    yield _one()


def _odd_authorizations(pair: bytes, coded: bytes) -> Iterator[bytes]:
    name = b"Authorization:"
    good = b"token " + pair
    values = [b"", b" ", b" token", b" token ", b" Basic", b" Basic ", b" Bearer", b" Bearer ", b" Negotiate abc"]
    values += [b"" + good, b"  " + good, b"\t" + good, b" " + good + b" ", b" " + good + b"\t", b" " + good + b"\x0b"]
    values += [b" token  " + pair, b" token\t" + pair, b" token \t" + pair, b" token " + pair + b":", b" " + pair]
    values += [b" token " + pair + b",token x:y", b" token \xff" + pair, b" token " + pair + b"\xc3\xa9"]
    values += [b" token " + pair.replace(b":", b"%3A"), b" token " + pair.upper(), b" token " + pair.lower()]
    # Base64 that is none, or that is another spelling of the same.
    values += [b" Basic " + broken for broken in (coded[:-1], coded + b"=", coded.rstrip(b"="), b"abcde", b"====")]
    values += [b" Basic " + coded[:8] + b"*" + coded[8:], b" Basic " + coded[:8] + b" " + coded[8:]]
    values += [b" Basic " + coded.replace(b"=", b"") + b"==", b" Basic " + base64.b64encode(pair + b"\xff")]
    values += [b" Basic " + base64.urlsafe_b64encode(pair + b"\xfb\xff"), b" Basic " + coded + b"\x80"]
    # Around every limit of a length: 1 KiB for a fast way, 32 KiB for the wire.
    for size in (1022, 1023, 1024, 1025, 4096):
        values += [b" token " + pair + b"x" * (size - len(good)), good.join([b" ", b" " * max(0, size - len(good))])]
    values += [b" Bearer " + b"b" * size for size in (1016, 1017, 1018, 32_500, 32_600, 32_760, 33_000, 70_000)]
    yield from (name + value for value in values)
    yield from (spelt + b" " + good for spelt in (b"authorization:", b"AUTHORIZATION:", b"aUtHoRiZaTiOn:"))
    yield from (b"Authorization : " + good, b" Authorization: " + good, b"Authorization\t: " + good)


def headers(known: Credentials) -> Iterator[Exchange]:
    """Send what stands beside the credential: other headers, once, twice, empty, malformed."""
    good = b"Authorization: token " + _pair(known.good)
    wrong = b"Authorization: token " + _pair(known.good) + b"x"
    empty = b"Authorization:"
    for first, second in ((good, good), (good, wrong), (wrong, good), (good, empty), (empty, good), (empty, empty)):
        yield _one(first, second)
        yield _one(first, b"Accept: */*", second)
    for line in _lines_beside():
        yield _one(good, line)
        yield _one(line, good)
        yield _one(line)
    for name in (b"Frappe-Authorization-Source", b"frappe-authorization-source"):
        for values in (
            (b"",),
            (b"User",),
            (b"user",),
            (b"Nope",),
            (b"API Device",),
            (b"User", b"User"),
            (b"", b"User"),
        ):
            yield _one(good, *(name + b": " + value for value in values))
    yield _one(good, *(b"X-Filler-%d: x" % number for number in range(97)))
    yield _one(good, *(b"X-Filler-%d: x" % number for number in range(98)))
    yield _one(good, *(b"X-Filler-%d: x" % number for number in range(99)))
    yield _one(good, b"X-Long: " + b"x" * 32_000)
    yield _one(good, b"X-Long: " + b"x" * 33_000)


def _lines_beside() -> Iterator[bytes]:
    for value in (
        b"*/*",
        b"application/json",
        b"text/html",
        b"text/html,application/xhtml+xml,*/*;q=0.8",
        b"",
        b"text/*",
    ):
        yield b"Accept: " + value
    yield b"Accept: application/json\r\nAccept: text/html"
    yield b"Accept: text/html\r\nX-Requested-With: XMLHttpRequest"
    for value in (b"sid=0123456789abcdef", b"user_id=Administrator", b"", b"sid=Guest; sid=x", b"sid"):
        yield b"Cookie: " + value
    for value in (
        b"10.1.1.1",
        b"10.1.1.1, 127.0.0.1",
        b"10.1.1.1:80",
        b"[2001:db8::1]:80",
        b"",
        b"nonsense",
        b"\xff",
        b",,",
    ):
        yield b"X-Forwarded-For: " + value
    yield b"X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-For: 10.1.1.2"
    yield b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: elsewhere"
    yield b"Forwarded: for=10.1.1.1"
    for value in (b"curl/8.5", b"", b"\xff\xfe", b"x" * 2_000, b"lgs_looks-like-a-secret", b"\x1b[31m"):
        yield b"User-Agent: " + value
    for value in (b"keep-alive", b"Keep-Alive", b"close", b"Close", b"close, keep-alive", b"upgrade", b"", b"TE"):
        yield b"Connection: " + value
    yield b"Connection: Upgrade\r\nUpgrade: websocket"
    yield b"Upgrade: h2c"
    yield b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
    yield from (
        b"Expect: 100-continue",
        b"Expect: something",
        b"TE: trailers",
        b"Trailer: Authorization",
        b"Via: 1.1 x",
    )
    yield from (b"Range: bytes=0-1", b"If-None-Match: *", b"Origin: https://elsewhere", b"Host: another", b"X-Empty:")
    yield from _broken_lines()


def _broken_lines() -> Iterator[bytes]:
    """Give what no header may look like."""
    yield from (
        b"X-Folded: a\r\n b",
        b"X-Null: a\x00b",
        b"X-Null\x00: a",
        b"X-High: \xe4\xf6",
        b"X-\xe4: a",
        b"No colon",
    )
    yield from (
        b"X-Bare: a\rb",
        b"X-Newline: a\nX-Other: b",
        b": no name",
        b"X-Bell: \x07",
        b"X-Delete: \x7f",
        b"X Space: a",
    )


def heads(known: Credentials) -> Iterator[Exchange]:
    """Send every request line: methods, versions, with the line's own oddities."""
    good = b"Authorization: token " + _pair(known.good)
    for method in (
        b"HEAD",
        b"POST",
        b"PUT",
        b"DELETE",
        b"OPTIONS",
        b"PATCH",
        b"TRACE",
        b"get",
        b"Get",
        b"PROPFIND",
        b"X",
    ):
        yield Exchange((request(good, method=method),), is_head=method == b"HEAD")
        yield Exchange((request(method=method),), is_head=method == b"HEAD")
    yield Exchange((b"CONNECT latchgate:443 HTTP/1.1\r\nHost: latchgate\r\n" + good + b"\r\n\r\n",))
    yield Exchange((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",))
    for version in (
        b"HTTP/1.0",
        b"HTTP/1.1",
        b"HTTP/2.0",
        b"HTTP/0.9",
        b"HTTP/1.2",
        b"HTTP/1",
        b"http/1.1",
        b"",
        b"HTTP/1.1 ",
    ):
        for line in (b"Connection: keep-alive", b"Connection: close", b"X-Nothing: here"):
            yield Exchange((request(good, line, version=version),))
    yield Exchange((b"GET " + LOGGED_USER.encode() + b"\r\n\r\n",))
    yield Exchange((b"GET  " + LOGGED_USER.encode() + b"  HTTP/1.1\r\nHost: x\r\n" + good + b"\r\n\r\n",))
    yield Exchange((b"\r\n\r\n" + request(good),))
    yield Exchange((request(good).replace(b"\r\n", b"\n"),))
    yield Exchange((request(good).replace(b"\r\n", b"\r"),))
    yield Exchange((request(good).replace(b"Host: latchgate\r\n", b""),))
    yield Exchange((request(good)[:-2], b"X-Late: 1\r\n", b"\r\n"))
    yield Exchange((request(good)[:-3], b"\n"))
    yield Exchange((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",))


def targets(known: Credentials) -> Iterator[Exchange]:
    """Ask for the same address in every other spelling, and for its neighbours."""
    good = b"Authorization: token " + _pair(known.good)
    path = LOGGED_USER.encode()
    found = [
        path + tail for tail in (b"?", b"?a=b", b"?a=%00", b"#part", b"/", b"//", b"?sid=Guest", b";x", b"%20", b".")
    ]
    found += [
        path.replace(b"get_logged_user", part) for part in (b"get%5Flogged_user", b"GET_LOGGED_USER", b"get_logged")
    ]
    found += [b"/" + path, path.replace(b"/api", b"//api"), path.replace(b"/method/", b"//method//"), b"/api/./method"]
    found += [
        b"http://latchgate" + path,
        b"HTTP://LATCHGATE" + path,
        b"https://user@elsewhere:1" + path,
        b"http:" + path,
    ]
    found += [
        path.replace(b"/api/", b"/api/v1/"),
        path.replace(b"/api/", b"/api/v2/"),
        path.replace(b"/api", b"/api/.."),
    ]
    found += [
        b"*",
        b"/*",
        b"latchgate:80",
        b"",
        b"?",
        path[1:],
        path + b"\xc3\xa9",
        path + b"%C3%A9",
        path + b"%",
        path + b"%zz",
    ]
    found += [
        path + b"?" + b"x" * 30_000,
        path + b"?" + b"x" * 40_000,
        path + b"\x00",
        path + b"\t",
        b"/?cmd=frappe.auth.get_logged_user",
    ]
    found += [b"/api/method/ping", b"/livez", b"/", b"/api/resource/Role", b"/nothing"]
    for target in found:
        # Some of them are pages, which threads make.
        yield replace(_one(good, target=target), answers=2)
        yield replace(_one(target=target), answers=2)
    yield Exchange((request(good, method=b"OPTIONS", target=b"*"),))
    yield Exchange((request(good, method=b"OPTIONS"),))


def bodies_and_framing(known: Credentials) -> Iterator[Exchange]:
    """Send a body where there is none to be, in every framing, with the next request behind it."""
    good = b"Authorization: token " + _pair(known.good)
    wrong = b"Authorization: token x:y"
    following = request(good)
    chunked = b"Transfer-Encoding: chunked"
    for lines, body in (
        ((b"Content-Length: 0",), b""),
        ((b"Content-Length: 5",), b"hello"),
        ((b"Content-Length: 5", b"Content-Length: 5"), b"hello"),
        ((b"Content-Length: 5", b"Content-Length: 6"), b"hello!"),
        ((b"Content-Length: +5",), b"hello"),
        ((b"Content-Length: -1",), b""),
        ((b"Content-Length: 5, 5",), b"hello"),
        ((b"Content-Length: 99999999999999999999",), b""),
        ((b"Content-Length: 2000000",), b""),
        ((b"Content-Length: 5", chunked), b"0\r\n\r\n"),
        ((chunked,), b"0\r\n\r\n"),
        ((chunked,), b"5\r\nhello\r\n0\r\n\r\n"),
        ((chunked,), b"5;extension=1\r\nhello\r\n0\r\n\r\n"),
        ((chunked,), b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"),
        ((chunked,), b"0\r\n" + wrong + b"\r\n\r\n"),
        ((chunked, b"Trailer: Authorization"), b"0\r\n" + good + b"\r\n\r\n"),
        ((chunked,), b"zz\r\nhello\r\n0\r\n\r\n"),
        ((chunked,), b"5\r\nhello0\r\n\r\n"),
        ((b"Transfer-Encoding: gzip, chunked",), b"0\r\n\r\n"),
        ((b"Transfer-Encoding: identity",), b""),
        ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
        ((b"Expect: 100-continue", b"Content-Length: 5"), b"hello"),
        ((b"Content-Type: application/json", b"Content-Length: 1"), b"{"),
        ((b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 7"), b"cmd=x&y"),
    ):
        for method in (b"GET", b"POST"):
            yield Exchange((request(good, *lines, method=method) + body + following,))
            yield Exchange((request(good, *lines, method=method), body, following))
    yield Exchange((request(*(chunked,), target=b"/api/method/ping") + b"0\r\n" + good + b"\r\n\r\n" + request(),))


def streams(known: Credentials) -> Iterator[Exchange]:
    """Send several requests on one connection, in one piece, in odd pieces, with every way of ending it."""
    good = request(b"Authorization: token " + _pair(known.good))
    basic = request(b"Authorization: Basic " + base64.b64encode(_pair(known.good)))
    bearer = request(b"Authorization: " + known.bearer.encode())
    wrong = request(b"Authorization: token " + _pair(known.good) + b"x")
    guest, ping = request(), request(target=b"/api/method/ping")
    page, last = request(target=b"/api/openapi.json"), request(b"Connection: close")
    body = request(b"Content-Length: 5", method=b"POST", target=b"/api/method/ping") + b"hello"
    kinds = {"good": good, "basic": basic, "bearer": bearer, "wrong": wrong, "guest": guest, "ping": ping, "body": body}
    for first in kinds.values():
        for second in kinds.values():
            yield Exchange((first + second,))
            yield Exchange((first, second))
            yield Exchange((first + second[:7], second[7:]))
    mixed = b"".join(kinds.values())
    for count in (3, 12, 24, 60):
        yield Exchange((good * count,))
        yield Exchange(tuple([good] * min(count, 12)))
    yield from (
        Exchange((mixed * 3,)),
        Exchange((mixed * 2 + last + good,)),
        Exchange((good + page + good + basic,), answers=4),
    )
    yield from (
        Exchange((good + b"garbage\r\n\r\n" + good,)),
        Exchange((good + b"\r\n" + good,)),
        Exchange((good, b"\x00")),
    )
    for stream in (good, good + good, wrong, guest, good[:-2], good + good[:20], body[:-2], mixed, b""):
        yield Exchange((stream,), ends_its_side=True)
        yield Exchange(_cut(stream, 3), ends_its_side=True)
    yield Exchange((good[:40],))
    yield Exchange((good * 40,), reads_late=True)
    yield Exchange(((page + good) * 12 + bearer,), answers=25, reads_late=True)
    yield Exchange(_cut((page + good + basic) * 8, 5), answers=24, reads_late=True)


def _one(*fields: bytes, target: bytes = LOGGED_USER.encode()) -> Exchange:
    """Send one request, and a plain one behind it that shows where the first was taken to end."""
    return Exchange((request(*fields, target=target), request()))


def _cut(stream: bytes, count: int) -> tuple[bytes, ...]:
    step = max(1, -(-len(stream) // count))
    return tuple(stream[start : start + step] for start in range(0, len(stream), step))


def _pair(pair: Pair) -> bytes:
    return f"{pair.key_id}:{pair.secret}".encode()


def split_everywhere(stream: bytes, positions: Sequence[int]) -> Iterator[Exchange]:
    """Send a stream in two pieces, cut at each of the positions."""
    for position in positions:
        yield Exchange((stream[:position], stream[position:]))
