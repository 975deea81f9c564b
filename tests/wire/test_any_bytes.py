"""No bytes whatever, in any header, target, method or body, make the application raise or answer with a 5xx."""

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.asgi import LOGGED_USER, PASSWORD, Answer, Pair, Service

API = "api@example.com"
_FIXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

_METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]) | st.text(max_size=30)
_NAMES = st.sampled_from(
    [
        b"authorization",
        b"frappe-authorization-source",
        b"cookie",
        b"content-type",
        b"accept",
        b"host",
        b"user-agent",
        b"x-forwarded-for",
        b"x-frappe-csrf-token",
        b"x-requested-with",
        b"sec-fetch-site",
        b"origin",
        b"content-length",
        b"connection",
    ]
)
_TYPES = st.sampled_from(
    [
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"multipart/form-data; boundary=x; charset=",
    ]
)
_PATHS = st.sampled_from(
    [
        b"/",
        b"/login",
        b"/logout",
        b"/app",
        b"/me",
        b"/setup/",
        b"/assets/",
        b"/readyz",
        b"/api/method/",
        b"/api/method/login",
        b"/api/method/logout",
        b"/api/method/ping",
        b"/api/v2/method/login",
        b"/api/v1/method/frappe.core.doctype.user.user.generate_keys",
        b"/api/v2/method/User/generate_keys",
        LOGGED_USER.encode(),
    ]
)
_TARGETS = st.builds(lambda path, rest: path + rest, _PATHS | st.just(b""), st.just(b"") | st.binary(max_size=60))
_FORMS = st.lists(
    st.tuples(
        st.sampled_from([b"usr", b"pwd", b"cmd", b"user", b"csrf_token", b"password"]) | st.binary(max_size=8),
        st.binary(max_size=20),
    )
).map(lambda fields: b"&".join(name + b"=" + value for name, value in fields))
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["usr", "pwd", "cmd", "user"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def signed_in(service: Service) -> list[tuple[bytes, bytes]]:
    """What a browser with a session sends along."""
    sid = service.sign_in(API).sid
    return [(b"cookie", b"sid=" + sid.encode()), (b"x-frappe-csrf-token", service.csrf_token(sid).encode())]


def _assert_calm(answer: Answer) -> None:
    # `ask` has already held it to being whole, and to a row that is its own.
    assert answer.status < 500, answer.text
    assert len(answer.rows) <= 1


_REQUEST: dict[str, st.SearchStrategy[Any]] = {
    "method": _METHODS,
    "target": _TARGETS,
    "headers": st.lists(st.tuples(_NAMES | st.binary(max_size=20), _TYPES | st.binary(max_size=60)), max_size=6),
    "body": st.binary(max_size=80),
}


@_FIXED
@given(**_REQUEST)
def test_any_request_is_answered(
    service: Service, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """A guest may send what it likes: there is an answer, and never a 500."""
    _assert_calm(service.ask(target, method=method, headers=headers, body=body, peer=service.new_peer()))


@pytest.mark.soak
@settings(_FIXED, max_examples=50_000)
@given(**_REQUEST)
def test_any_request_is_answered_for_long(
    service: Service, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """The same, for longer."""
    _assert_calm(service.ask(target, method=method, headers=headers, body=body, peer=service.new_peer()))


@_FIXED
@given(scheme=st.sampled_from([b"token ", b"Basic ", b"bearer ", b"", b"Digest "]), value=st.binary(max_size=80))
def test_any_header_is_judged(service: Service, scheme: bytes, value: bytes) -> None:
    """Whatever stands in Authorization, plain or encoded, opens nothing and is a 400, 401 or 403."""
    for sent in (scheme + value, scheme + base64.b64encode(value)):
        answer = service.ask(authorization=sent, peer=service.new_peer())
        _assert_calm(answer)
        # 403 is the guest of an empty value.
        assert answer.status in {400, 401, 403}
        assert len(answer.rows) == bool(sent.strip(b" \t"))


@_FIXED
@given(cookie=st.binary(max_size=60), source=st.binary(max_size=60), rest=st.binary(max_size=20))
def test_any_company_leaves_a_good_key_good(
    service: Service, api_key: Pair, cookie: bytes, source: bytes, rest: bytes
) -> None:
    """Beside a good key, a cookie, query or further header does no harm; a source is judged and never a fault."""
    beside = [(b"cookie", cookie), (b"user-agent", rest), (b"referer", cookie), (b"x-" + rest, cookie)]
    target = LOGGED_USER.encode() + b"?" + rest.replace(b"#", b"")

    answer = service.ask(target, api_key.token, headers=beside)
    sourced = service.ask(
        target, api_key.token, headers=[("frappe-authorization-source", source)], peer=service.new_peer()
    )

    assert answer.document == {"message": API}
    _assert_calm(sourced)
    assert sourced.row.request_id


@_FIXED
@given(path=_PATHS, kind=_TYPES | st.binary(max_size=40), body=_FORMS | st.binary(max_size=100), session=st.booleans())
def test_any_body_is_read_or_refused(
    service: Service, signed_in: list[tuple[bytes, bytes]], path: bytes, kind: bytes, body: bytes, session: bool
) -> None:
    """Forms and what only looks like one, from guests and by session."""
    headers = [(b"content-type", kind), *(signed_in if session and b"logout" not in path + body else [])]

    _assert_calm(service.ask(path, method="POST", headers=headers, body=body, peer=service.new_peer()))


@_FIXED
@given(path=_PATHS, document=_JSON)
def test_any_json_is_read_or_refused(service: Service, manager_key: Pair, path: bytes, document: object) -> None:
    """Every JSON value, half characters and numbers that are none included, with a key that may do everything."""
    answer = service.post(path.decode(), document, manager_key.token, peer=service.new_peer())

    _assert_calm(answer)
    assert PASSWORD not in answer.text
