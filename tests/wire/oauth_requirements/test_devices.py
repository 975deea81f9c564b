"""RFC 8628, devices without a browser: every MUST, row by row."""

from typing import Any

import pytest

from support.asgi import Answer
from support.oauth import DEVICE_CODE, App
from wire.oauth_requirements.rows import USER, Row, World, answered, met


def _started(world: World, app: App | None = None, **fields: str) -> dict[str, Any]:
    answer = world.post("device_authorization", app, **fields)
    assert answer.status == 200, answer.text
    document: dict[str, Any] = answer.document
    return document


def _only_openid(world: World) -> App:
    return world.oauth.make(grant_types=frozenset({DEVICE_CODE}), scopes=frozenset({"openid"}))


def _polled(world: World, device: dict[str, Any], app: App | None = None) -> Answer:
    # As if it had waited as long as it was told.
    world.oauth.age("oauth_device_code", "polled_at", 60)
    return world.post("get_token", app, grant_type=DEVICE_CODE, device_code=device["device_code"])


def _answer_device(world: World, device: dict[str, Any], decision: str, typed: str | None = None) -> Answer:
    csrf = world.oauth.service.csrf_token(world.oauth.sid(USER))
    form = {"user_code": typed or device["user_code"], "csrf_token": csrf, "decision": decision}
    return world.oauth.send("/device", form, user=USER)


def _device_after(world: World, decision: str, typed: str | None = None) -> Answer:
    device = _started(world)
    _answer_device(world, device, decision, typed and device["user_code"].lower().replace("-", " "))
    return _polled(world, device)


def _impatient(world: World) -> Answer:
    device = _started(world)
    _polled(world, device)
    return world.post("get_token", grant_type=DEVICE_CODE, device_code=device["device_code"])


def _expired(world: World) -> Answer:
    device = _started(world)
    world.oauth.age("oauth_device_code", "expires_at", 601)
    return _polled(world, device)


def _twice(world: World) -> Answer:
    device = _started(world)
    _answer_device(world, device, "allow")
    assert _polled(world, device).status == 200
    return _polled(world, device)


def _page(world: World, path: str, user: str) -> Answer:
    headers = [("accept", "text/html"), *([("cookie", f"sid={world.oauth.sid(user)}")] if user else [])]
    return world.oauth.service.ask(path, headers=headers)


def _complete(world: World, user: str = USER) -> Answer:
    address = _started(world)["verification_uri_complete"].removeprefix("http://127.0.0.1:8000")
    return _page(world, address, user)


def _guessed(world: World) -> Answer:
    user = world.oauth.service.make_user("guesser@example.com")
    csrf = world.oauth.service.csrf_token(world.oauth.sid(user))
    for _ in range(21):
        answer = world.oauth.send("/device", {"user_code": "BBBB-BBBB", "csrf_token": csrf}, user=user)
    return answer


ROWS = (
    Row(
        "RFC 8628",
        "3.1",
        "A client with a secret proves itself",
        lambda w: w.oauth.send("device_authorization", {"client_id": w.web.client_id}),
        answered(401, "invalid_client"),
    ),
    Row(
        "RFC 8628",
        "3.2",
        "The answer holds what the device needs, and is kept by nobody",
        lambda w: w.post("device_authorization"),
        lambda answer: (
            answered(200)(answer) is not False
            and {"device_code", "user_code", "verification_uri", "expires_in"} <= set(answer.document)
        ),
    ),
    Row(
        "RFC 8628",
        "3.1",
        "Scopes that go with openid are not asked for in vain",
        lambda w: w.post("device_authorization", _only_openid(w), scope="openid profile email"),
        answered(200),
    ),
    Row(
        "RFC 8628",
        "3.1",
        "Devices have no scripts of other origins",
        lambda w: w.post("device_authorization"),
        lambda answer: answer.status == 200 and answer.header("access-control-allow-origin") is None,
    ),
    Row(
        "RFC 8628",
        "3.3",
        "The user signs in first",
        lambda w: _complete(w, ""),
        lambda answer: answer.status == 303 and (answer.header("location") or "").startswith("/login"),
    ),
    Row(
        "RFC 8628",
        "3.3.1",
        "Following the address allows nothing: the code is shown and must be confirmed",
        _complete,
        lambda answer: answer.status == 200 and 'value="allow"' not in answer.text,
    ),
    Row(
        "RFC 8628",
        "3.5",
        "authorization_pending while nobody answered",
        lambda w: _polled(w, _started(w)),
        answered(400, "authorization_pending"),
    ),
    Row("RFC 8628", "3.5", "slow_down for a device that asks too often", _impatient, answered(400, "slow_down")),
    Row(
        "RFC 8628",
        "3.5",
        "access_denied after a no",
        lambda w: _device_after(w, "deny"),
        answered(400, "access_denied"),
    ),
    Row("RFC 8628", "3.5", "expired_token after its time", _expired, answered(400, "expired_token")),
    Row("RFC 8628", "3.4", "Tokens after a yes", lambda w: _device_after(w, "allow"), answered(200)),
    Row(
        "RFC 8628",
        "3.4",
        "Another client's code is none",
        lambda w: _polled(w, _started(w), w.public),
        answered(400, "invalid_grant"),
    ),
    Row("RFC 8628", "3.4", "A device's code works once", _twice, answered(400, "invalid_grant")),
    Row(
        "RFC 8628",
        "5.1",
        "Codes that are shown cannot be guessed: twenty tries",
        _guessed,
        lambda answer: answer.status == 429 and int(answer.header("retry-after") or 0) > 0,
    ),
    Row("RFC 8628", "5.2", "A device's code cannot be guessed", holds=lambda w: len(_started(w)["device_code"]) > 40),
    Row(
        "RFC 8628",
        "6.1",
        "What is typed may be in small letters and without the dash",
        lambda w: _device_after(w, "allow", typed="in small letters"),
        answered(200),
    ),
)


@pytest.mark.parametrize("row", met(ROWS), ids=str)
def test_devices_meet_their_requirements(world: World, row: Row) -> None:
    """Each row of RFC 8628 holds."""
    row.check(world)
