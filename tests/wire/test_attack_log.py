"""What a caller can do to the log: forge a row, hide in one, or have it keep a secret. None of it works."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from latchgate.core.policy import SIGNED_IN
from latchgate.request_log.exports import csv_records, json_line
from latchgate.server.replies import Reply
from latchgate.server.requests import Call
from latchgate.server.routes import DEFAULT_METHODS, Method
from support.asgi import LOGGED_USER, PASSWORD, Pair, Service
from support.envelopes import assert_refused, assert_refused_v2, assert_shown

API = "api@example.com"
_EVIL = {
    "CR LF": "\r\nGET /admin 200",
    "LF": "\n{}",
    "CR": "\roverwritten",
    "ANSI": "\x1b[2K\x1b[1Aerased\x1b]0;title\x07",
    "NUL": "a\x00b",
    "bidi": "\u202egpj.exe\u2066x\u2069",
    "invisible": "\u200b\ufeff\u00ad",
    "separators": "\u2028\u2029\x85\x0b\x0c",
    "C1": "\x9b31m\x90x\x9c",
    "escapes of its own": "\\x0a\\n\\u000a",
    "quotes": '","status":200,"user":"Administrator',
    "formula": '=HYPERLINK("http://evil.example";"x")',
    "long": "a" * 20_000,
}


@pytest.mark.parametrize("name", _EVIL)
@pytest.mark.parametrize("place", ["path", "query", "user agent", "source", "method", "cookie"])
def test_no_text_forges_a_row(service: Service, api_key: Pair, place: str, name: str) -> None:
    """Whatever a caller writes wherever, its row is one line of JSON and one record of CSV, all of it printable."""
    evil = _EVIL[name]
    raw = evil.encode()
    quoted = "".join(f"%{byte:02x}" for byte in raw)
    target: bytes | str = LOGGED_USER
    headers: list[tuple[str, str | bytes]] = []
    method = "GET"
    match place:
        case "path":
            target = b"/" + raw.replace(b"?", b"")
        case "query":
            target = f"{LOGGED_USER}?q={quoted}"
        case "user agent":
            headers = [("user-agent", raw)]
        case "source":
            headers = [("frappe-authorization-source", raw)]
        case "method":
            method = evil
        case _:
            headers = [("cookie", raw + b"; sid=" + raw)]

    row = service.ask(target, api_key.token, method=method, headers=headers, peer=service.new_peer()).row

    line = json_line(row)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == row.document()
    written = "".join(csv_records([row]))
    columns, record = csv.reader(io.StringIO(written, newline=""))
    assert written.count("\r\n") == 2
    assert written.replace("\r\n", "").isprintable()
    assert dict(zip(columns, record, strict=True))["request_id"] == row.request_id
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in record)
    for text in (row.path, row.user_agent, row.method, row.source or "", row.reason or ""):
        assert text.isprintable()
        assert len(text) <= 1024


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"a\r\nb", "a\\x0d\\x0ab"),
        (b"\x1b[2K", "\\x1b[2K"),
        (b"a\x00b", "a\\x00b"),
        ("\u202ea".encode(), "\\u202ea"),
        (b"\xff\xfe", "\\udcff\\udcfe"),
        ("Zoë 東京".encode(), "Zoë 東京"),
    ],
)
def test_what_was_written_can_still_be_read(service: Service, api_key: Pair, sent: bytes, shown: str) -> None:
    """Characters are escaped, not dropped, so that an attack can be seen for what it is; letters stay letters."""
    answer = service.ask(b"/" + sent, api_key.token, headers=[("user-agent", sent)])

    assert answer.row.user_agent == shown
    assert answer.row.path == "/" + shown


def test_an_escape_cannot_be_imitated(service: Service, api_key: Pair) -> None:
    """A caller that writes a backslash and `x0a` is told apart from one that wrote a line end."""
    genuine, imitated = (
        service.ask(authorization=api_key.token, headers=[("user-agent", value)]).row.user_agent
        for value in (b"a\n\xff", b"a\\x0a\\udcff")
    )

    assert genuine == "a\\x0a\\udcff"
    assert imitated == "a\\\\x0a\\\\udcff"


# Secrets


@pytest.mark.parametrize(
    "query",
    [
        "api_secret={}",
        "API_SECRET={}",
        "a=b&access_token={}&c=d",
        "pwd={}",
        "p%77d={}",
        "password={}",
        "sid={}",
        "key={}",
        "token={}",
        "authorization=token%20a:{}",
        "a=1;secret={}",
        "code={}",
        "refresh_token={}&x",
    ],
)
def test_a_secret_in_the_address_is_blanked(service: Service, api_key: Pair, query: str) -> None:
    """A caller that puts a secret where it does not belong does not thereby put it into the log."""
    secret = "Hunter2Hunter2Hunter2"

    row = service.ask(f"{LOGGED_USER}?{query.format(secret)}", api_key.token).row

    assert secret not in str(row)
    assert "***" in row.path


def test_our_own_secrets_are_blanked_wherever_they_stand(service: Service, api_key: Pair) -> None:
    """A secret of ours is known by its form, in a path as in a query; the public half stays readable."""
    for target in (f"/x/{api_key.secret}/y", f"{LOGGED_USER}?q={api_key.secret}", f"/setup/lgl_{'a' * 39}"):
        row = service.ask(target, api_key.token).row
        assert api_key.secret not in str(row)
        assert "lgl_aaaa" not in str(row)
    assert api_key.key_id in service.ask(f"/x/{api_key.key_id}", api_key.token).row.path


def test_what_a_stranger_typed_is_nobody_s_name(service: Service) -> None:
    """An unknown key, a user who is none and a guessed secret are not in the row, lest they pass for somebody's."""
    for value in ("token Administrator:Hunter2Hunter2", "Bearer Hunter2Hunter2", "Basic QWRtaW5pc3RyYXRvcjpIdW50ZXIy"):
        row = service.ask(authorization=value, peer=service.new_peer()).row
        assert (row.user, row.api_key) == (None, None)
        assert "Hunter2" not in str(row)
        assert "Administrator" not in str(row)


def test_no_secret_reaches_the_disk(service: Service, api_key: Pair) -> None:
    """Neither database holds a secret, a password, an access token or a session id, in any table."""
    token = "made-elsewhere-never-to-be-found-1"
    bearer = service.make_bearer(API, token)
    sid = service.sign_in(API).sid
    csrf = service.csrf_token(sid)
    for value in (bearer, api_key.token, api_key.basic):
        assert service.ask(authorization=value).status == 200

    home = service.latchgate.settings.home
    stored = b"".join(path.read_bytes() for path in home.iterdir() if path.is_file())

    assert api_key.key_id.encode() in stored
    for secret in (api_key.secret, token, sid, csrf, PASSWORD):
        assert secret.encode() not in stored


# Which requests leave a row


_PRESENTED: list[tuple[str, Sequence[tuple[str, str]], int]] = [
    ("nothing", [], 0),
    ("an empty header", [("authorization", "")], 0),
    ("white space", [("authorization", " \t ")], 0),
    ("a cookie that is none", [("cookie", "a=b; user_id=Administrator")], 0),
    ("a session id that is none", [("cookie", "sid=%00")], 0),
    ("a wrong key", [("authorization", "token a:b")], 1),
    ("no scheme", [("authorization", "x")], 1),
    ("two headers", [("authorization", ""), ("authorization", "")], 1),
    ("an unknown session", [("cookie", "sid=0123456789abcdef")], 1),
]


@pytest.mark.parametrize(("what", "headers", "count"), _PRESENTED)
@pytest.mark.parametrize(
    "target", [LOGGED_USER, "/api/method/ping", "/api/v2/method/ping", "/me", "/nowhere", "/livez"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "OPTIONS"])
def test_each_credential_leaves_one_row_and_nothing_else_does(
    service: Service, what: str, headers: Sequence[tuple[str, str]], count: int, target: str, method: str
) -> None:
    """One row for each request that presents something, good or bad, wherever to; none for guests."""
    answer = service.ask(target, method=method, headers=headers, peer=service.new_peer())

    assert len(answer.rows) == count, what


def test_a_handler_that_fails_is_logged_and_says_nothing(
    service: Service, api_key: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is a clean 500 whose row says so; the traceback is the operator's alone."""

    async def fail(_call: Call) -> Reply:
        raise RuntimeError("secret detail")

    methods = {"broken": Method(SIGNED_IN, DEFAULT_METHODS, fail)}
    table = replace(service.application.table, methods=methods)
    monkeypatch.setattr(service, "application", replace(service.application, table=table))

    first = service.ask("/api/method/broken", api_key.token)
    second = service.ask("/api/v2/method/broken", api_key.token)
    page = service.ask("/api/method/broken", api_key.token, headers=[("accept", "text/html")])

    assert "logged" in assert_refused(first, 500, "InternalError")
    assert_refused_v2(second, 500, "InternalError")
    # Whoever sees the page has no other way to the ID than to be told.
    assert f"<code>{page.header('x-request-id')}</code>" in assert_shown(page, 500)
    for answer in (first, second, page):
        assert "secret detail" not in answer.text
        assert (answer.row.user, answer.row.status, answer.row.reason) == (API, 500, "internal")
