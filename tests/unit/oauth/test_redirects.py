import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.oauth.redirects import find_redirect, is_claimed, origin_source, redirect_matches, redirect_problem

_GOOD = [
    "https://app.example/cb",
    "https://app.example",
    "https://app.example?next=1",
    "https://App.Example:8443/cb?tenant=a%20b&x=(1)",
    "https://192.0.2.1/cb",
    "https://[2001:db8::1]:8443/cb",
    "https://app.example/a..b/...",
    "http://127.0.0.1/cb",
    "http://127.0.0.1:3000/cb",
    "http://[::1]:3000/cb",
    "http://localhost:5000/cb",
    "com.example.app:/oauth2redirect",
    "com.example.app://callback/path",
    "com.googleusercontent.apps.123-abc:/cb",
]
_BAD = [
    ("", "no redirect URI may"),
    ("notaurl", "is no redirect URI"),
    ("/cb", "is no redirect URI"),
    ("//app.example/cb", "is no redirect URI"),
    ("https:/app.example/cb", "is no redirect URI"),
    ("https://", "is no redirect URI"),
    ("https:///cb", "is no redirect URI"),
    ("https://app.example/cb#", "no redirect URI may"),
    ("https://app.example/cb#fragment", "no redirect URI may"),
    ("https://app.example/c b", "no redirect URI may"),
    (" https://app.example/cb", "no redirect URI may"),
    ("https://app.example/cb\n", "no redirect URI may"),
    ("https://app.example/cb\r\nX: y", "no redirect URI may"),
    ("https://app.example\\@evil.example/cb", "no redirect URI may"),
    ("https://app.example/\x00", "no redirect URI may"),
    ("https://app.example/%00", "no redirect URI may"),
    ("https://app.example/%0d%0aX:y", "no redirect URI may"),
    ("https://app.example/%7F", "no redirect URI may"),
    ("https://app.example/100%", "no redirect URI may"),
    ("https://app.example/%zz", "no redirect URI may"),
    ("https://app.example/ü", "no redirect URI may"),
    ("https://äpp.example/cb", "no redirect URI may"),
    ("https://app.example/\ud800", "no redirect URI may"),
    ("https://app.example/*", "no redirect URI may"),
    ("https://*.app.example/cb", "no redirect URI may"),
    ("https://app.example/{id}", "no redirect URI may"),
    ("https://good.example@evil.example/cb", "is no redirect URI"),
    ("https://good.example:pw@evil.example/cb", "is no redirect URI"),
    ("https://good.example%2f@evil.example/cb", "is no redirect URI"),
    ("https://evil.example%2fgood.example/cb", "is no redirect URI"),
    ("https://evil.example%5cgood.example/cb", "is no redirect URI"),
    ("https://app_1.example/cb", "is no redirect URI"),
    ("https://app.example./cb", "is no redirect URI"),
    ("https://.example/cb", "is no redirect URI"),
    ("https://-app.example/cb", "is no redirect URI"),
    ("https://app.example:/cb", "is no redirect URI"),
    ("https://app.example:0/cb", "is no redirect URI"),
    ("https://app.example:65536/cb", "is no redirect URI"),
    ("https://app.example:8443x/cb", "is no redirect URI"),
    ("https://2130706433/cb", "is no redirect URI"),
    ("https://0x7f.1/cb", "is no redirect URI"),
    ("https://127.1/cb", "is no redirect URI"),
    ("https://127.0.0.0x1/cb", "is no redirect URI"),
    ("https://[::1/cb", "is no redirect URI"),
    ("https://[fe80::1%25eth0]/cb", "is no redirect URI"),
    ("https://[1::2::3]/cb", "is no redirect URI"),
    ("https://app.example/../cb", "segment"),
    ("https://app.example/a/.", "segment"),
    ("https://app.example/%2e%2E/cb", "segment"),
    ("https://app.example/..%2fcb", "segment"),
    ("https://app.example/..%5Ccb", "segment"),
    ("com.example.app:/../cb", "segment"),
    ("http://app.example/cb", "is not https"),
    ("http://127.0.0.2/cb", "is not https"),
    ("http://localhost.evil.example/cb", "is not https"),
    ("http://127.0.0.1.evil.example/cb", "is not https"),
    ("http://[::2]/cb", "is not https"),
    ("http://[0:0:0:0:0:0:0:1]/cb", "is not https"),
    ("http://127.0.0.1@evil.example/cb", "is no redirect URI"),
    ("javascript:alert(1)", "is no redirect URI"),
    ("JavaScript:/alert(1)", "is no redirect URI"),
    ("data:text/html,x", "is no redirect URI"),
    ("file:///etc/passwd", "is no redirect URI"),
    ("vbscript:/x", "is no redirect URI"),
    ("blob:https://app.example/1", "is no redirect URI"),
    ("about:blank", "is no redirect URI"),
    ("intent://x", "is no redirect URI"),
    ("myapp:/cb", "is no redirect URI"),
    ("myapp://cb", "is no redirect URI"),
    ("Com.Example.App:/cb", "is no redirect URI"),
    ("com.example.app:cb", "is no redirect URI"),
    ("com.example.app:", "is no redirect URI"),
    ("com..app:/cb", "is no redirect URI"),
    ("com.example.app://good@evil/cb", "is no redirect URI"),
    ("com.example.app://good%2f/cb", "is no redirect URI"),
    ("urn:ietf:wg:oauth:2.0:oob", "is no redirect URI"),
    ("https://app.example/" + "x" * 2_000, "longer than 2000"),
]


@pytest.mark.parametrize("uri", _GOOD)
def test_what_is_a_redirect_uri(uri: str) -> None:
    """Any host by https, http on this very machine, and private-use schemes with a dot."""
    assert redirect_problem(uri) is None


@pytest.mark.parametrize(("text", "told"), _BAD)
def test_what_is_no_redirect_uri(text: str, told: str) -> None:
    """Whatever programs could read in two ways, and every scheme that runs something, is refused by a sentence."""
    problem = redirect_problem(text)

    assert problem is not None
    assert told in problem
    assert text[:100] in problem


@pytest.mark.parametrize(
    ("registered", "presented", "same"),
    [
        ("https://app.example/cb", "https://app.example/cb", True),
        ("https://app.example/cb", "https://app.example/cb/", False),
        ("https://app.example/cb", "https://app.example/cb?x=1", False),
        ("https://app.example/cb", "https://app.example/CB", False),
        ("https://app.example/cb", "https://APP.example/cb", False),
        ("https://app.example/cb", "https://app.example:443/cb", False),
        ("https://app.example/cb", "https://app.example/x/../cb", False),
        ("https://app.example/cb", "https://app.example/c%62", False),
        ("https://app.example/cb", "https://app.example.evil.example/cb", False),
        ("https://app.example/cb", "https://app.example@evil.example/cb", False),
        ("https://app.example/cb", "http://app.example/cb", False),
        ("https://app.example/cb", "", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb" + "/" * 2_000, False),
        ("https://localhost:1/cb", "https://localhost:2/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51000/cb", True),
        ("http://127.0.0.1:3000/cb", "http://127.0.0.1:51000/cb", True),
        ("http://127.0.0.1:3000/cb", "http://127.0.0.1/cb", True),
        ("http://[::1]/cb", "http://[::1]:51000/cb", True),
        ("http://localhost:3000/cb?x=1", "http://localhost:4000/cb?x=1", True),
        ("http://localhost:3000", "http://localhost:4000", True),
        ("http://127.0.0.1/cb", "http://localhost:51000/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51000/other", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51000/cb?x=1", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1.evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51000/cb#x\n", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:51000/cb", False),
        ("com.example.app:/cb", "com.example.app:/cb", True),
        ("com.example.app:/cb", "com.example.app://cb", False),
    ],
)
def test_redirect_matches(registered: str, presented: str, same: bool) -> None:
    """A redirect URI is the registered one character by character; only a loopback port may be another."""
    assert redirect_matches(registered, presented) == same
    assert find_redirect(["https://other.example/", registered], presented) == (presented if same else None)


_PIECES = st.sampled_from(
    [
        "http://",
        "https://",
        "127.0.0.1",
        "localhost",
        "[::1]",
        "evil.example",
        ":",
        ":80",
        ":8080",
        "/cb",
        "?x",
        "@",
        "com.a:/",
    ]
)
_URIS = st.sampled_from([uri for uri in _GOOD if "://" in uri]) | st.lists(_PIECES, max_size=5).map("".join) | st.text()


@given(_URIS, _URIS)
def test_a_match_is_equality_but_for_the_loopback_port(registered: str, presented: str) -> None:
    """No two texts match that differ in more than the port of a loopback address."""

    def portless(uri: str) -> str:
        return re.sub(
            r"^(http://(?:127\.0\.0\.1|\[::1\]|localhost)):[0-9]{1,5}(?=[/?]|\Z)", r"\1", uri, flags=re.IGNORECASE
        )

    assert redirect_matches(registered, registered)
    if redirect_matches(registered, presented):
        assert portless(registered) == portless(presented)


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://app.example/cb?x=1", "https://app.example"),
        ("https://App.Example:8443/cb", "https://app.example:8443"),
        ("http://127.0.0.1:51000/cb", "http://127.0.0.1:51000"),
        ("http://localhost/cb", "http://localhost"),
        ("http://[::1]:51000/cb", "http:"),
        ("com.example.app:/cb", "com.example.app:"),
        ("https://app.example/cb; script-src *", "'none'"),
        ("javascript:alert(1)", "'none'"),
        ("", "'none'"),
    ],
)
def test_origin_source(uri: str, source: str) -> None:
    """A page that asks may lead to the one origin that it was asked for."""
    assert origin_source(uri) == source


@given(_URIS | st.text())
def test_every_text_gives_a_source_that_is_safe_in_a_header(text: str) -> None:
    """No text can end the directive, and only a redirect URI gives a source that allows anything."""
    source = origin_source(text)

    assert re.fullmatch(r"[a-z0-9.:/-]+|'none'", source)
    assert (source == "'none'") == (redirect_problem(text) is not None)


@pytest.mark.parametrize(
    ("uri", "claimed"),
    [
        ("https://app.example/cb", True),
        ("https://192.0.2.1/cb", True),
        ("https://localhost/cb", False),
        ("https://app.localhost/cb", False),
        ("https://127.8.8.8/cb", False),
        ("https://[::1]/cb", False),
        ("http://127.0.0.1/cb", False),
        ("com.example.app:/cb", False),
        ("", False),
    ],
)
def test_is_claimed(uri: str, claimed: bool) -> None:
    """Only a host by https proves who receives; a port or a private-use scheme can be taken by any program."""
    assert is_claimed(uri) == claimed
