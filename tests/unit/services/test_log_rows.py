"""What of a request's texts is remembered, so that they need not be searched for secrets once more."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.credentials import KeyPair, Presented, Scheme
from latchgate.core.tokens import Secret, TokenKind, issue_token
from latchgate.services import log_rows
from latchgate.services.log_rows import asked_of, without_secret
from support.house import ADDRESS

_SECRET = "correct-horse-battery"
_TOKEN = issue_token(TokenKind.ACCESS_TOKEN, bytes(24))


def _remembered() -> set[str]:
    return {*log_rows._plain_paths, *log_rows._plain_agents}


def _presented(path: str = "/", user_agent: str = "") -> Presented:
    return Presented("GET", path, ADDRESS, user_agent=user_agent)


@pytest.mark.parametrize(
    "presented",
    [
        _presented(f"/?token={_TOKEN}"),
        _presented("/?password=hunter2hunter2"),
        _presented("/setup/lgl_whatever"),
        _presented(f"/{_TOKEN}"),
        _presented(user_agent=f"tool/1 {_TOKEN}"),
        _presented("/a\nb"),
        _presented(user_agent="tool\x1b[2J"),
        _presented("/" + "a" * 300),
        _presented("/\ud800"),
    ],
)
def test_what_is_changed_or_long_is_not_remembered(presented: Presented) -> None:
    """Nothing that is blanked, escaped or cut stays in memory, and it is shown alike each time."""
    first, second = asked_of(presented), asked_of(presented)

    assert first == second
    assert not _remembered() & {presented.path, presented.user_agent} - {"/", ""}


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    """However many addresses are asked for, and by however many programs."""
    for number in range(3_000):
        asked = asked_of(_presented(f"/app/user/{number}", f"tool/{number}"))
        assert (asked.path, asked.user_agent) == (f"/app/user/{number}", f"tool/{number}")

    assert len(log_rows._plain_paths) <= 1024
    assert len(log_rows._plain_agents) <= 1024


def test_the_secret_itself_is_blanked_where_it_was_plain_before() -> None:
    """A text that was remembered as plain is not, once it holds the secret of who sends it."""
    presented = _presented("/files/correct-horse-battery", "correct-horse-battery/1.0")
    assert asked_of(presented).path == presented.path

    shown = without_secret(presented, KeyPair(Scheme.TOKEN, "key", Secret("correct-horse-battery"), "User"))

    assert asked_of(shown)[1::2] == ("/files/***", "***/1.0")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("", None),
        ("app.example.com", "app.example.com"),
        ("APP.Example.com.:8443", "app.example.com"),
        ("[2001:DB8::0:1]:80", "[2001:db8::1]"),
        ("a" * 60 + ".example.com", "a" * 60 + ".example.com"),
        (".".join(["a" * 50] * 5), None),
        ("a" * 100_000, None),
        ("app.example.com\r\nx", None),
        ("app\x1b[2J.example.com", None),
        ("app.exam\u202eple.com", None),
        ("\u0430pp.example.com", None),
        ("app\uff0eexample\uff0ecom", None),
        ("\u212a.example.com", None),
        ("=1+1", None),
        ("+1.example.com", None),
        ("-1", None),
        ("@SUM(A1)", None),
        ("<script>alert(1)</script>", None),
        ("user:password@app.example.com", None),
        (", ", None),
        (_TOKEN, None),
        (f"{_TOKEN.lower()}.example.com", None),
    ],
)
def test_a_row_has_a_host_or_none(sent: str, shown: str | None) -> None:
    """In the one spelling that rules compare; what is no host's name, or holds a secret, is not shown at all."""
    assert asked_of(replace(_presented(), host=sent)).host == shown


@given(st.text() | st.text(alphabet="aA.-_:[]@%=+0"))
def test_whatever_is_sent_as_a_host_is_harmless(sent: str) -> None:
    """Short, in plain ASCII, and nothing that a terminal, a spreadsheet or a page takes for more than a text."""
    host = asked_of(replace(_presented(), host=sent)).host

    assert host is None or re.fullmatch(r"[a-z0-9_\[][a-z0-9_.:\]-]{0,252}", host)
    assert host is None or asked_of(replace(_presented(), host=host)).host == host


@pytest.mark.parametrize("host", [_SECRET, f"{_SECRET}.example.com", f"{_SECRET.upper()}:80"])
def test_a_secret_is_no_host(host: str) -> None:
    """Whoever sends their secret in the place of a host finds neither in the log, in whatever letters it came."""
    presented = replace(_presented(), host=host)
    assert asked_of(presented).host

    shown = without_secret(presented, KeyPair(Scheme.TOKEN, "key", Secret(_SECRET), "User"))

    assert asked_of(shown).host is None


@pytest.mark.parametrize(("host", "shown"), [("APP.example.com", "app.example.com"), ("\u212a.example.com", None)])
def test_a_secret_elsewhere_leaves_the_host_as_it_is(host: str, shown: str | None) -> None:
    """The look-alike of a host does not become one because a path had to be blanked."""
    presented = replace(_presented(f"/{_SECRET}"), host=host)

    asked = asked_of(without_secret(presented, KeyPair(Scheme.TOKEN, "key", Secret(_SECRET), "User")))

    assert (asked.path, asked.host) == ("/***", shown)
