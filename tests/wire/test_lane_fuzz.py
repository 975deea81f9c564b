"""Streams of requests, made up, mangled and cut: the fast lane and the ordinary way answer them alike."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.asgi import LOGGED_USER
from support.frappe_like import running_like_frappe
from support.lanes import COMMON, LANES
from support.odd_requests import request
from support.two_servers import Exchange, Twins, running_twins

_EXAMPLES, _EXAMPLES_LONG = 300, 100_000
_PATH = LOGGED_USER.encode()
_GOOD = (
    b"Authorization: token ap1key000000001:ap1secret000001",
    b"Authorization: Basic YXAxa2V5MDAwMDAwMDAxOmFwMXNlY3JldDAwMDAwMQ==",
    b"Authorization: Bearer bearer-ok-00000000000000000001",
)
_LINES = (
    *_GOOD,
    b"Authorization: token ap1key000000001:wrongsecret",
    b"Authorization: token d1skey000000001:d1ssecret000001",
    b"Authorization: Basic abcde",
    b"Authorization:",
    b"authorization: TOKEN ap1key000000001:ap1secret000001",
    b"Frappe-Authorization-Source: API Device",
    b"Frappe-Authorization-Source: User",
    b"Frappe-Authorization-Source:",
    b"Accept: text/html",
    b"Accept: application/json",
    b"Cookie: sid=0123456789abcdef",
    b"X-Forwarded-For: 10.1.1.1",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: Upgrade\r\nUpgrade: websocket",
    b"Expect: 100-continue",
    b"Transfer-Encoding: chunked",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Trailer: Authorization",
    b"X-Folded: a\r\n b",
    b"User-Agent: \xff",
)
# The event loop answers all of them by itself, and they are too long for mishaps to make a page of them: that would be
# made by a thread, and whether a client that has ended its side still gets it is chance.
_TARGETS = (
    _PATH,
    _PATH,
    _PATH,
    _PATH + b"?a=b",
    _PATH + b"/",
    b"http://x" + _PATH,
    b"/api/method/frappe.ping",
    b"/api/method/nothing.of.the.sort",
    b"*",
)
_METHODS = (b"GET", b"GET", b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"get")
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0")
_BODIES = (
    b"",
    b"",
    b"",
    b"hello",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0\r\nAuthorization: token a:b\r\n\r\n",
    b"\r\n",
)
_SCRAPS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b" ",
    b"\t",
    b":",
    b",",
    b"Authorization: token a:b\r\n",
    b"GET /livez HTTP/1.1\r\n",
)

_plain = st.builds(request, st.sampled_from(_GOOD))
_odd = st.builds(
    lambda lines, target, method, version, body: request(*lines, target=target, method=method, version=version) + body,
    st.lists(st.sampled_from(_LINES), max_size=5),
    st.sampled_from(_TARGETS),
    st.sampled_from(_METHODS),
    st.sampled_from(_VERSIONS),
    st.sampled_from(_BODIES),
)
_mishap = st.tuples(
    st.sampled_from(["insert", "delete", "repeat", "replace"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 12),
    st.sampled_from(_SCRAPS),
)
_exchanges = st.builds(
    lambda parts, mishaps, cuts, ends: _make(b"".join(parts), mishaps, cuts, ends_its_side=ends),
    st.lists(st.one_of(_plain, _odd), min_size=1, max_size=6),
    st.lists(_mishap, max_size=3),
    st.lists(st.floats(0, 1), max_size=5),
    st.booleans(),
)


def _make(
    stream: bytes, mishaps: list[tuple[str, float, int, bytes]], cuts: list[float], *, ends_its_side: bool
) -> Exchange:
    """Let mishaps befall a stream, and cut it in pieces."""
    for kind, where, length, scrap in mishaps:
        at = int(where * len(stream))
        before, hit, after = stream[:at], stream[at : at + length], stream[at + length :]
        new = {"insert": scrap + hit, "delete": b"", "repeat": hit + hit, "replace": scrap}[kind]
        stream = before + new + after
    places = sorted({0, len(stream), *(int(cut * len(stream)) for cut in cuts)})
    pieces = tuple(stream[start:end] for start, end in pairwise(places))
    return Exchange(pieces, ends_its_side=ends_its_side)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """A server with the lane and one without, behind a proxy that both believe."""
    home = tmp_path_factory.mktemp("fuzz") / "home"
    with running_like_frappe(home):
        pass
    with running_twins(
        home, home.parent, [{**COMMON, "LATCHGATE_TRUSTED_PROXIES": "127.0.0.0/8", **lane} for lane in LANES]
    ) as twins:
        for line in _GOOD:
            twins.compare(Exchange((request(line),)))
        yield twins


# An example is two servers' state too: to shrink one that differed would show another one.
@settings(max_examples=_EXAMPLES, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@given(exchange=_exchanges)
def test_a_mangled_stream_is_answered_alike(twins: Twins, exchange: Exchange) -> None:
    """Whatever is sent, in whatever pieces, both answer, log and end alike."""
    twins.compare(exchange)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
@settings(max_examples=_EXAMPLES_LONG, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@given(exchange=_exchanges)
def test_many_mangled_streams_are_answered_alike(twins: Twins, exchange: Exchange) -> None:
    """Whatever is sent, in whatever pieces, both answer, log and end alike."""
    twins.compare(exchange)
