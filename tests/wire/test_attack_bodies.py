"""Bodies that are no form, no JSON, too deep, too many or of another type: a clean refusal, never a 500."""

import json

import pytest

from support.asgi import PASSWORD, Answer, Pair, Service
from support.envelopes import assert_refused

API = "api@example.com"
GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"
LOGIN = "/api/method/login"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
TARGETS = [LOGIN, GENERATE, "/login", "/", "/setup/lgl_x", "/api/v2/method/login"]


def _send(service: Service, target: str, kind: str, body: bytes, authorization: str | None = None) -> Answer:
    headers = [("content-type", kind), ("sec-fetch-site", "same-origin")]
    return service.ask(target, authorization, method="POST", headers=headers, body=body)


@pytest.fixture(scope="module")
def signed_in(service: Service) -> list[tuple[str, str]]:
    """What a browser with a session sends along."""
    sid = service.sign_in(API).sid
    return [("cookie", f"sid={sid}"), ("x-frappe-csrf-token", service.csrf_token(sid))]


_BODIES: dict[str, tuple[str, bytes]] = {
    "deep list": (JSON, b"[" * 200_000),
    "deep list, closed": (JSON, b'{"usr":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep object": (JSON, b'{"a":' * 100_000),
    "a number without end": (JSON, b'{"usr": ' + b"9" * 500_000 + b"}"),
    "a huge exponent": (JSON, b'{"usr": 1e999999999, "pwd": -1e999999999}'),
    "not a number": (JSON, b'{"usr": NaN, "pwd": -Infinity}'),
    "a list": (JSON, b'["usr", "pwd"]'),
    "a text": (JSON, b'"usr"'),
    "null": (JSON, b"null"),
    "null bytes": (JSON, b"\x00" * 1000),
    "invalid UTF-8": (JSON, b'{"usr": "\xff\xfe\xc3\x28", "pwd": "\xed\xa0\x80"}'),
    "UTF-16": (JSON, '{"usr": "a", "pwd": "b"}'.encode("utf-16")),
    "UTF-32 with NUL": (JSON, '{"usr": "a\\u0000", "pwd": "b"}'.encode("utf-32")),
    "half a surrogate pair": (JSON, b'{"usr": "\\ud800", "pwd": "\\udfff", "cmd": "\\ud800"}'),
    "duplicate keys": (JSON, b'{"usr": "a", "usr": ["b"], "pwd": "c", "pwd": null}'),
    "keys of every kind": (JSON, b'{"": 1, "__proto__": {}, "__class__": {}, "cmd": {}, "csrf_token": []}'),
    "a byte order mark": (JSON, b'\xef\xbb\xbf{"usr": "a", "pwd": "b"}'),
    "10,000 fields": (FORM, b"&".join(b"f%d=v" % number for number in range(10_000))),
    "10,000 empty fields": (FORM, b"&" * 10_000),
    "invalid escapes": (FORM, b"usr=%&pwd=%zz&cmd=%u0041&%=%"),
    "invalid UTF-8 in a form": (FORM, b"usr=%ff%fe&pwd=\xff&\xff=\xfe&cmd=%ff"),
    "NUL in a form": (FORM, b"usr=%00&pwd=%00&cmd=%00login"),
    "one long field": (FORM, b"usr=" + b"a" * 1_000_000 + b"&pwd=x"),
    "a field without value": (FORM, b"usr&pwd&cmd"),
    "the same field twice": (FORM, b"usr=a&usr=b&pwd=c&pwd=d&cmd=ping&cmd=login"),
    "a file": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="usr"; filename="../../etc/passwd"\r\n\r\na\r\n--x--\r\n',
    ),
    "1,000 parts": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 1000 + b"--x--\r\n",
    ),
    "a part without end": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="usr"\r\n\r\na',
    ),
    "a part without name": (
        "multipart/form-data; boundary=x",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
    ),
    "parts without boundary": ("multipart/form-data", b"--x\r\n\r\n--x--"),
    "an empty boundary": ("multipart/form-data; boundary=", b"----\r\n"),
    "a boundary too long": ("multipart/form-data; boundary=" + "x" * 5000, b"--x--"),
    "an odd charset": (
        "multipart/form-data; boundary=x; charset=idna",
        b'--x\r\nContent-Disposition: form-data; name="usr"\r\n\r\n\xff\xfe..\r\n--x--\r\n',
    ),
    "no charset at all": (
        "multipart/form-data; boundary=x; charset=\x01\x02",
        b'--x\r\nContent-Disposition: form-data; name="usr"\r\n\r\na\r\n--x--\r\n',
    ),
}


@pytest.mark.parametrize("name", _BODIES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kept", ["guest", "key", "session"])
def test_no_body_is_more_than_a_bad_request(
    service: Service, manager_key: Pair, signed_in: list[tuple[str, str]], name: str, target: str, kept: str
) -> None:
    """Whatever the body, whoever sends it: a refusal that the caller could mend, and nobody is signed in."""
    kind, body = _BODIES[name]
    headers = [("content-type", kind), *(signed_in if kept == "session" else [])]

    answer = service.ask(
        target,
        manager_key.token if kept == "key" else None,
        method="POST",
        headers=headers,
        body=body,
        peer=service.new_peer(),
    )

    assert 400 <= answer.status < 500, answer.text
    assert answer.cookies == {}
    if kept != "session":
        assert len(answer.rows) == (kept == "key")


@pytest.mark.parametrize("body", [b"{", b"a=%", b"--x"])
@pytest.mark.parametrize("kind", [FORM, JSON, "multipart/form-data; boundary=x"])
def test_a_session_s_unreadable_body_is_refused_for_its_missing_token(
    service: Service, signed_in: list[tuple[str, str]], kind: str, body: bytes
) -> None:
    """Where the CSRF token would be looked for in a body that cannot be read, there is none."""
    answer = service.ask("/", method="POST", headers=[signed_in[0], ("content-type", kind)], body=body)

    assert answer.status == 400
    assert answer.row.reason == "csrf_token_missing_or_wrong"


# Of another type than it says


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/octet-stream", "text/json", "application/jsonp", "", "application/xml", ";", "\xff"],
)
def test_a_body_of_another_type_says_nothing(service: Service, kind: str) -> None:
    """What is neither a form nor JSON is not guessed at: another site's text cannot pass for a sign-in."""
    body = json.dumps({"usr": API, "pwd": PASSWORD}).encode()

    answer = _send(service, LOGIN, kind, body)

    assert assert_refused(answer, 401, "AuthenticationError") == "Incomplete login details"


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json;charset=utf-8", " application/json ; x=y"])
def test_a_type_is_read_in_any_spelling(service: Service, kind: str) -> None:
    """Case and parameters do not matter."""
    body = json.dumps({"usr": API, "pwd": PASSWORD}).encode()

    assert _send(service, LOGIN, kind, body).status == 200


@pytest.mark.parametrize("value", [["a"], {"a": "b"}, 0, 1.5, True, None, [], {}, 10**300, [[["x"]]]])
@pytest.mark.parametrize("field", ["usr", "pwd", "cmd", "csrf_token", "user", "password", "password_again"])
def test_an_argument_of_another_type_is_no_argument(
    service: Service, manager_key: Pair, field: str, value: object
) -> None:
    """Nothing but a text is ever compared, hashed or looked up."""
    for target in TARGETS:
        arguments = {"usr": API, "pwd": "wrong horse battery", "user": "web@example.com", field: value}
        answer = service.post(target, arguments, manager_key.token, peer=service.new_peer())
        assert answer.status < 500
        assert answer.cookies == {}


def test_a_body_in_many_pieces_is_one(service: Service) -> None:
    """How the body arrives does not matter, and an empty one is no error."""
    for kind in (FORM, JSON):
        assert _send(service, "/api/method/ping", kind, b"").document == {"message": "pong"}
        assert _send(service, "/api/method/ping", kind, b"  ").document == {"message": "pong"}


def test_a_caller_that_leaves_is_not_answered(service: Service, api_key: Pair) -> None:
    """A connection that breaks in the middle of its body leaves neither an answer nor a complaint."""
    assert service.leave(GENERATE, api_key.token) == []
