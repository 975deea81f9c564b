"""The policy of keys at every entrance of HTTP: no key lives longer than it allows, whoever asks, in whatever form."""

import re
from collections.abc import Iterator

import pytest

from latchgate.core.questions import Asked
from latchgate.core.system_settings import SETTING_NAMES
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import key_seen_in, secret_in, send_form, visit

MANAGER, API, WEB = "manager@example.com", "api@example.com", "web@example.com"
GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"
_ALL_KEYS = Asked(fields=["name"], limit=0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind."""
    with opened_service(tmp_path_factory.mktemp("policy") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        yield service


@pytest.fixture
def held(shared: Service) -> Iterator[Service]:
    """Keys live for 30 days at most, and a former secret for an hour."""
    shared.latchgate.system_settings.change(COMMAND_LINE, key_days_max=30, key_overlap_seconds_max=3600)
    yield shared
    for name in SETTING_NAMES:
        shared.latchgate.system_settings.reset(COMMAND_LINE, name)


def _errors(text: str) -> list[str]:
    return re.findall(r'<p class="error" id="([a-z_]+)-error">', text)


def _count_keys(service: Service) -> int:
    return len(service.latchgate.documents.list_rows(COMMAND_LINE, "API Key", _ALL_KEYS).rows)


def _seconds_left(service: Service, key_id: str) -> int:
    with service.latchgate.store.read() as tx:
        (key,) = tx.api_keys.find_any(key_id)
    assert key.limits.expires_at is not None
    return key.limits.expires_at - service.latchgate.clock.now()


def test_the_form_of_a_new_key_offers_what_is_allowed(held: Service) -> None:
    """Never is not offered, nor ninety days; sent all the same they make nothing."""
    page = f"/app/user/{API}/new-key"
    text = assert_page(visit(held, page, MANAGER))
    before = _count_keys(held)

    offered = re.findall(r'<option value="([a-z0-9]*)"', text.partition('name="expires"')[2].partition("</select>")[0])
    for expires in ("", "90", "365"):
        typed = {"label": "x", "may": "all", "expires": expires}
        assert _errors(assert_shown(send_form(held, page, MANAGER, typed), 417)) == ["expires"]
    far = {"label": "x", "may": "all", "expires": "date", "expires_on": "2199-01-01"}
    assert _errors(assert_shown(send_form(held, page, MANAGER, far), 417)) == ["expires"]
    after = _count_keys(held)
    made = send_form(held, page, MANAGER, {"label": "x", "may": "all", "expires": "30"})

    assert offered == ["30", "date"]
    assert after == before
    assert secret_in(made.text)


@pytest.mark.parametrize("user", [MANAGER, API])
def test_the_resource_api_makes_no_key_that_lives_longer(held: Service, user: str) -> None:
    """Neither a manager nor a user for themselves; the field is told."""
    sid = held.sign_in(user).sid
    headers = [("cookie", f"sid={sid}"), ("x-frappe-csrf-token", held.csrf_token(sid))]

    for sent in ({}, {"expires": "2199-01-01 00:00:00"}, {"expires": None}):
        answer = held.post("/api/resource/API%20Key", {"label": "x", **sent}, headers=headers)
        assert answer.status == 417
        assert "30 days" in answer.text


def test_generate_keys_gives_the_longest_life(held: Service) -> None:
    """Frappe's clients know no end to ask for."""
    sid = held.sign_in(API).sid
    headers = [("cookie", f"sid={sid}"), ("x-frappe-csrf-token", held.csrf_token(sid))]

    answer = held.post(GENERATE, {"user": API}, headers=headers)

    key_id = held.latchgate.documents.get(COMMAND_LINE, "User", API)["api_key"]
    assert answer.status == 200
    assert 30 * 86_400 - 60 < _seconds_left(held, str(key_id)) <= 30 * 86_400


def test_a_rotation_in_the_desk_prolongs_nothing(held: Service) -> None:
    """An old key without an end gets one, and the overlap is no longer than allowed."""
    held.latchgate.system_settings.reset(COMMAND_LINE, "key_days_max")
    pair = held.make_key(WEB)
    held.latchgate.system_settings.change(COMMAND_LINE, key_days_max=30)
    page = f"/app/user/{WEB}/key/{pair.key_id}/rotate"

    text = assert_page(visit(held, page, MANAGER))
    refused = send_form(held, page, MANAGER, {"overlap": "86400", **key_seen_in(text)})
    rotated = send_form(held, page, MANAGER, {"overlap": "3600", **key_seen_in(text)})

    assert re.findall(r'<option value="(\d+)"', text.partition('name="overlap"')[2]) == ["0", "3600"]
    assert refused.status == 417
    assert secret_in(rotated.text)
    assert 0 < _seconds_left(held, pair.key_id) <= 30 * 86_400
    assert held.ask(LOGGED_USER, pair.token).status == 200
