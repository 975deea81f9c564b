"""What a proxy tells of the original request: its own headers alone, each once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.forwarded import Original, Proxy, Untold, read_original

_NGINX = [(b"x-original-method", b"POST"), (b"host", b"app.example.com"), (b"x-original-uri", b"/a?b=c")]
_FORWARDED = [
    (b"x-forwarded-method", b"POST"),
    (b"x-forwarded-host", b"app.example.com"),
    (b"x-forwarded-uri", b"/a?b=c"),
]
_HOST = [(b"host", b"app.example.com")]
_FOR = (b"x-forwarded-for", b"192.0.2.1")
_ASKED = Original("POST", "app.example.com", "/a?b=c")
_OWN = {
    Proxy.NGINX: _NGINX,
    Proxy.TRAEFIK: _FORWARDED,
    Proxy.CADDY: _FORWARDED,
    Proxy.HAPROXY: _FORWARDED,
    Proxy.ENVOY: _HOST,
}
_FORGED = [(b"x-original-method", b"GET"), (b"x-original-uri", b"/open"), (b"x-original-url", b"/open")]
_FORGED += [(b"x-forwarded-method", b"GET"), (b"x-forwarded-host", b"open.example.com"), (b"x-forwarded-uri", b"/open")]
_FORGED += [(b"x_original_uri", b"/open"), (b"x_forwarded_uri", b"/open"), (b"x-rewrite-url", b"/open")]
_FORGED += [(b"x-forwarded-prefix", b"/open"), (b"forwarded", b"host=open.example.com"), (b":path", b"/open")]


def _read(proxy: Proxy, headers: list[tuple[bytes, bytes]]) -> Original | Untold:
    method, rest = ("POST", b"/a?b=c") if proxy is Proxy.ENVOY else ("GET", b"")
    return read_original(proxy, method, rest, [_FOR, *headers])


@pytest.mark.parametrize("proxy", Proxy)
def test_each_dialect_is_read(proxy: Proxy) -> None:
    """Its own headers say what was asked for."""
    assert _read(proxy, _OWN[proxy]) == _ASKED


@pytest.mark.parametrize("proxy", Proxy)
def test_the_headers_of_other_dialects_say_nothing(proxy: Proxy) -> None:
    """Whatever a caller forges of another dialect, before or after the proxy's own, the request stays what it is."""
    own = _OWN[proxy]
    forged = [header for header in _FORGED if header[0] not in {name for name, _ in own}]

    assert _read(proxy, [*forged, *own]) == _ASKED
    assert _read(proxy, [*own, *forged]) == _ASKED
    for header in forged:
        assert isinstance(_read(proxy, [header, *own[1:]]), Untold) or proxy is Proxy.ENVOY


@pytest.mark.parametrize("proxy", [proxy for proxy in Proxy if proxy is not Proxy.ENVOY])
@pytest.mark.parametrize("place", range(3))
def test_what_is_missing_or_comes_twice_is_named(proxy: Proxy, place: int) -> None:
    """The operator is told which header it is."""
    own = _OWN[proxy]
    name, value = own[place]
    told = name.decode()

    missing = _read(proxy, [header for header in own if header[0] != name])
    twice = _read(proxy, [*own, (name, value)])
    empty = _read(proxy, [(other, b" " if other == name else told_value) for other, told_value in own])

    for found, problem in ((missing, "missing"), (twice, "2 times"), (empty, "empty")):
        assert isinstance(found, Untold)
        assert found.what.lower() == told
        assert problem in str(found)


@pytest.mark.parametrize("proxy", Proxy)
def test_the_callers_address_must_be_told(proxy: Proxy) -> None:
    """Without it the proxy's own would be judged."""
    found = read_original(proxy, "GET", b"/a", _OWN[proxy])

    assert isinstance(found, Untold)
    assert found.what == "X-Forwarded-For"


@pytest.mark.parametrize(
    "told", [b"", b" ", b"unix:", b"unknown", b"192.0.2.1, unix:", b"192.0.2.1,", b"192.0.2.1 192.0.2.2"]
)
@pytest.mark.parametrize("before", [[], [_FOR]])
@pytest.mark.parametrize("proxy", Proxy)
def test_what_is_no_address_tells_none(proxy: Proxy, before: list[tuple[bytes, bytes]], told: bytes) -> None:
    """Such as nginx has of a caller on a local socket: the proxy's own address must not be taken for the caller's."""
    found = read_original(proxy, "GET", b"/a", [*before, (_FOR[0], told), *_OWN[proxy]])

    assert isinstance(found, Untold)
    assert found.what == "X-Forwarded-For"


@pytest.mark.parametrize("told", [b"192.0.2.1:4711", b"[2001:db8::1]:4711", b"nonsense, 2001:db8::1", b" ::1 "])
def test_an_address_is_told_in_each_form(told: bytes) -> None:
    """With a port, in brackets, behind whatever a caller says."""
    assert read_original(Proxy.NGINX, "GET", b"", [(_FOR[0], told), *_NGINX]) == _ASKED


@pytest.mark.parametrize("target", [b"*", b"a", b"example.com:443", b"http://open.example.com/open", b"?a", b"\\a"])
def test_what_is_no_path_is_refused(target: bytes) -> None:
    """The asterisk, an authority, an absolute address: no rule is about these."""
    headers = [(name, target if name == b"x-original-uri" else value) for name, value in _NGINX]

    found = _read(Proxy.NGINX, headers)

    assert str(found) == "X-Original-URI is no absolute path"
    assert isinstance(read_original(Proxy.ENVOY, "GET", target, [_FOR, *_HOST]), Untold)


_bytes = st.binary(max_size=20)


@given(
    st.sampled_from(Proxy), _bytes, st.lists(st.tuples(st.sampled_from([name for name, _ in _FORGED + _NGINX]), _bytes))
)
def test_anything_is_read_or_refused(proxy: Proxy, rest: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Nothing that is sent raises, and what is read is one of what was sent."""
    found = read_original(proxy, "GET", rest, [_FOR, *headers])

    if isinstance(found, Original):
        sent = {rest, *(value.strip(b" \t") for _, value in headers)}
        assert found.target.encode("utf-8", "surrogateescape") in sent
