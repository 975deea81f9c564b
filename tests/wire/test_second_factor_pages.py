"""One's own second factor in the browser; and what a System Manager sees and ends of another user's sign-ins."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import PASSWORD, Answer, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, done_at
from support.second_factors import Device, give_device, wrong_code

MANAGER, API, WEB = "manager@example.com", "api@example.com", "web@example.com"
PAGE = "/me/second-factor"


@pytest.fixture
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with users of each kind."""
    with opened_service(tmp_path_factory.mktemp("second") / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        yield service


def _get(service: Service, path: str, sid: str) -> Answer:
    return service.ask(path, headers=[("cookie", f"sid={sid}"), HTML])


def _post(service: Service, path: str, sid: str, typed: Mapping[str, object]) -> Answer:
    sent = {**typed, "csrf_token": service.csrf_token(sid)}
    return service.post(path, sent, form=True, headers=[("cookie", f"sid={sid}"), HTML])


def _now(service: Service) -> int:
    return service.latchgate.clock.now()


def _device(service: Service, user: str) -> Device:
    return give_device(service.latchgate.store, service.latchgate.sign_in_steps.enrolments, user)


def _enter(service: Service, user: str, device: Device) -> str:
    begun = service.post("/api/method/login", {"usr": user, "pwd": PASSWORD}, form=True)
    code = device.code(_now(service))
    return service.post("/api/method/login", {"tmp_id": begun.document["tmp_id"], "otp": code}, form=True).sid


def _key_in(text: str) -> tuple[Device, str]:
    (key,) = re.findall(r'<code id="key">([A-Z2-7]{32})</code>', text)
    (proof,) = re.findall(r'name="proof" value="([^"]+)"', text)
    return Device(str(key)), str(proof)


def _codes_in(text: str) -> list[str]:
    (shown,) = re.findall(r'<pre class="codes"[^>]*>([^<]*)</pre>', text)
    return str(shown).split()


def _set_up(service: Service, sid: str) -> tuple[Device, list[str]]:
    device, proof = _key_in(assert_page(_post(service, f"{PAGE}/set-up", sid, {"current_password": PASSWORD})))
    done = _post(service, f"{PAGE}/confirm", sid, {"proof": proof, "code": device.code(_now(service))})
    return device, _codes_in(assert_page(done))


@pytest.mark.parametrize("user", [API, WEB, MANAGER])
def test_everybody_sets_one_up(opened: Service, user: str) -> None:
    """By password and a code; other sessions end, and recovery codes are shown once."""
    other, sid = opened.sign_in(user).sid, opened.sign_in(user).sid
    assert "Set up" in assert_page(_get(opened, PAGE, sid))
    assert 'name="code"' not in assert_page(_get(opened, f"{PAGE}/set-up", sid))

    _, codes = _set_up(opened, sid)

    assert len(set(codes)) == 10
    text = assert_page(_get(opened, PAGE, sid))
    assert "10 of 10 left" in text
    assert not any(code in text for code in codes)
    assert 'href="/me/second-factor">Manage' in assert_page(_get(opened, "/me", sid))
    assert _get(opened, "/me", other).status == 303
    begun = opened.post("/login", {"usr": user, "pwd": PASSWORD}, form=True, headers=[HTML])
    assert begun.header("location") == "/login/code"


def test_what_is_refused_says_why_at_its_field(opened: Service) -> None:
    """With the key still there where it is the code; nothing that was typed comes back."""
    sid = opened.sign_in(API).sid
    wrong = _post(opened, f"{PAGE}/set-up", sid, {"current_password": "not it"})
    assert 'id="current_password-error"' in assert_shown(wrong, 417)
    assert "not it" not in wrong.text
    device, proof = _key_in(assert_page(_post(opened, f"{PAGE}/set-up", sid, {"current_password": PASSWORD})))

    mistyped = _post(opened, f"{PAGE}/confirm", sid, {"proof": proof, "code": wrong_code(device, _now(opened))})
    assert 'id="code-error"' in assert_shown(mistyped, 417)
    assert device.key in mistyped.text
    lost = _post(opened, f"{PAGE}/confirm", sid, {"code": device.code(_now(opened))})
    assert "Begin again" in assert_shown(lost, 417)
    odd = _post(opened, f"{PAGE}/confirm", sid, {})
    assert odd.status == 417
    again = _get(opened, f"{PAGE}/confirm", sid)
    assert (again.status, again.header("location")) == (303, PAGE)


def test_guessing_is_slowed(opened: Service) -> None:
    """Of the password and of the code."""
    sid = opened.sign_in(API).sid
    device, proof = _key_in(assert_page(_post(opened, f"{PAGE}/set-up", sid, {"current_password": PASSWORD})))
    sent = {"proof": proof, "code": wrong_code(device, _now(opened))}

    assert [_post(opened, f"{PAGE}/confirm", sid, sent).status for _ in range(15)][-1] == 429
    assert _post(opened, f"{PAGE}/set-up", sid, {"current_password": "x"}).status == 429


def test_it_is_replaced_renewed_and_turned_off(opened: Service) -> None:
    """Each with the password and a code, which may be a recovery code."""
    sid = opened.sign_in(API).sid
    _, codes = _set_up(opened, sid)
    assert 'name="code"' in assert_page(_get(opened, f"{PAGE}/set-up", sid))
    known: dict[str, object] = {"current_password": PASSWORD}

    for path in ("set-up", "recovery-codes", "turn-off"):
        assert 'id="code-error"' in assert_shown(_post(opened, f"{PAGE}/{path}", sid, known), 417)
        opened.latchgate.sign_in.throttles.forget_sign_ins(API, "192.0.2.7")
    renewed = _codes_in(assert_page(_post(opened, f"{PAGE}/recovery-codes", sid, {**known, "code": codes[0]})))
    assert _post(opened, f"{PAGE}/turn-off", sid, {**known, "code": codes[1]}).status == 417
    other, proof = _key_in(assert_page(_post(opened, f"{PAGE}/set-up", sid, {**known, "code": renewed[0]})))
    confirmed = _post(opened, f"{PAGE}/confirm", sid, {"proof": proof, "code": other.code(_now(opened))})
    last = _codes_in(assert_page(confirmed))
    off = _post(opened, f"{PAGE}/turn-off", sid, {**known, "code": last[0]})

    assert (off.status, off.header("location")) == (303, f"{PAGE}?done=second-factor-off")
    assert opened.sign_in(API).status == 200
    with opened.latchgate.store.read() as tx:
        operations = [entry.operation for entry in tx.activity.list_latest(20)]
    for operation in ("enrolled", "codes_renewed", "replaced", "turned_off"):
        assert f"second_factor.{operation}" in operations


def test_what_a_role_requires_is_not_turned_off(opened: Service) -> None:
    """No button offers it, and the address refuses."""
    sid = opened.sign_in(API).sid
    _, codes = _set_up(opened, sid)
    opened.latchgate.roles.require_second_factor(COMMAND_LINE, "All", required=True)

    text = assert_page(_get(opened, PAGE, sid))
    assert "turn-off" not in text
    assert "<dd>All</dd>" in text
    refused = _post(opened, f"{PAGE}/turn-off", sid, {"current_password": PASSWORD, "code": codes[0]})
    assert "requires one" in assert_shown(refused, 417)


PATHS = [f"{PAGE}/{path}" for path in ("set-up", "confirm", "recovery-codes", "turn-off", "download")]


@pytest.mark.parametrize("path", PATHS)
def test_another_site_s_form_changes_nothing(opened: Service, path: str) -> None:
    """It lacks the session's token."""
    sid = opened.sign_in(API).sid
    sent = {"current_password": PASSWORD, "codes": "abcd-abcd-abcd-abcd"}

    assert opened.post(path, sent, form=True, headers=[("cookie", f"sid={sid}"), HTML]).status == 400


@pytest.mark.parametrize("path", [PAGE, *PATHS])
def test_a_key_has_no_second_factor(opened: Service, path: str) -> None:
    """It comes to none of these pages, and its user's account says nothing of it."""
    pair = opened.make_key(API)
    method = "GET" if path == PAGE else "POST"

    assert opened.ask(path, pair.token, method=method).status == 403
    assert "Second factor" not in opened.ask("/me", pair.token, headers=[HTML]).text
    assert opened.ask(path, method="GET", headers=[HTML]).status in {303, 403}


def test_a_file_holds_recovery_codes_alone(opened: Service) -> None:
    """Nothing else is given back by the address."""
    sid = opened.sign_in(API).sid

    for sent in ("", "<script>", "abcd-abcd-abcd-abcd <b>"):
        assert _post(opened, f"{PAGE}/download", sid, {"codes": sent}).status == 417
    given = _post(opened, f"{PAGE}/download", sid, {"codes": "abcd-abcd-abcd-abcd"})
    assert given.header("content-type") == "text/plain; charset=utf-8"
    assert given.text.endswith("\n\nabcd-abcd-abcd-abcd\n")


def test_a_manager_sees_and_ends_sessions(opened: Service) -> None:
    """With where and since when, one or all; what ended is refused at its next request."""
    boss = opened.sign_in(MANAGER).sid
    agent = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]
    sent = {"usr": API, "pwd": PASSWORD}
    first, second, third = (opened.post("/api/method/login", sent, form=True, headers=agent).sid for _ in range(3))
    opened.post("/api/method/login", {"usr": API, "pwd": "wrong"}, form=True, headers=agent)
    text = assert_page(_get(opened, f"/app/user/{API}?tab=sessions", boss))

    assert len(re.findall(r'<span title="Mozilla/5.0[^"]*">Firefox on Linux</span>', text)) == 3
    assert text.count("from 192.0.2.7") >= 3
    for said in ("Last sign-ins", "Refused", "Signed in", "wrong password or disabled"):
        assert said in text
    for sid in (first, second, third):
        assert sid not in text
    (newest, *_) = re.findall(rf'action="/app/user/{quote(API)}/session/([^"]+)/end"', text)
    done = _post(opened, f"/app/user/{API}/session/{newest}/end", boss, {})
    assert done.header("location") == f"/app/user/{quote(API)}?tab=sessions&done=session-ended"
    assert [_get(opened, "/me", sid).status for sid in (first, second, third)].count(200) == 2
    assert _post(opened, f"/app/user/{API}/session/nothing/end", boss, {}).status == 404
    assert _post(opened, f"/app/user/{WEB}/session/{newest}/end", boss, {}).status == 404
    ended = _post(opened, f"/app/user/{API}/end-sessions", boss, {})
    assert ended.status == 303
    assert {_get(opened, "/me", sid).status for sid in (first, second, third)} == {303}
    assert _get(opened, "/me", boss).status == 200
    own = assert_page(_get(opened, f"/app/user/{MANAGER}?tab=sessions", boss))
    assert own.count("This one") == 1


def test_a_manager_ends_a_lost_second_factor(opened: Service) -> None:
    """After a question; their sessions end, and the password alone opens the account."""
    device = _device(opened, API)
    theirs, boss = _enter(opened, API, device), opened.sign_in(MANAGER).sid
    text = assert_page(_get(opened, f"/app/user/{API}?tab=sessions", boss))
    assert "10 recovery codes left" in text
    asked = assert_page(_get(opened, f"/app/user/{API}/end-second-factor", boss))
    assert "signed out everywhere" in asked
    assert _get(opened, "/me", theirs).status == 200

    done = _post(opened, f"/app/user/{API}/end-second-factor", boss, {})

    assert done.header("location") == f"/app/user/{quote(API)}?tab=sessions&done=second-factor-ended"
    assert _get(opened, "/me", theirs).status == 303
    assert opened.sign_in(API).status == 200


@pytest.mark.parametrize(
    ("user", "of"), [(API, WEB), (API, API), (WEB, API), (MANAGER, MANAGER), (MANAGER, ADMINISTRATOR)]
)
def test_who_may_not_end_a_second_factor(opened: Service, user: str, of: str) -> None:
    """Whoever is no System Manager; and nobody their own, or Administrator's."""
    device = _device(opened, of)
    sid = opened.sign_in(user).sid if user != of else _enter(opened, user, device)

    assert _get(opened, f"/app/user/{of}/end-second-factor", sid).status == 403
    assert _post(opened, f"/app/user/{of}/end-second-factor", sid, {}).status == 403
    with opened.latchgate.store.read() as tx:
        found = tx.users.find(of)
        assert found is not None
        assert tx.second_factors.find(found.id) is not None


def test_who_may_end_none_is_not_told_who_there_is(opened: Service) -> None:
    """Of a user that there is not, the refusal is the same, asked and sent."""
    sid, path = opened.sign_in(API).sid, "/app/user/{}/end-second-factor"

    for user in (WEB, "nobody@example.com"):
        assert _get(opened, path.format(user), sid).status == 403
        assert _post(opened, path.format(user), sid, {}).status == 403


@pytest.mark.parametrize("user", [API, WEB])
def test_others_neither_see_nor_end_sessions(opened: Service, user: str) -> None:
    """No tab shows them, and the addresses refuse."""
    theirs, sid = opened.sign_in(MANAGER).sid, opened.sign_in(user).sid

    shown = _get(opened, f"/app/user/{user}?tab=sessions", sid)
    assert "Last sign-ins" not in shown.text
    for path in ("session/x/end", "end-sessions"):
        assert _post(opened, f"/app/user/{MANAGER}/{path}", sid, {}).status == 403
    assert _get(opened, "/me", theirs).status == 200


@pytest.mark.parametrize("path", ["session/x/end", "end-sessions", "end-second-factor"])
def test_ending_needs_the_session_s_token(opened: Service, path: str) -> None:
    """Another site's form ends nothing."""
    sid = opened.sign_in(MANAGER).sid

    assert opened.post(f"/app/user/{API}/{path}", {}, form=True, headers=[("cookie", f"sid={sid}"), HTML]).status == 400


def test_a_role_requires_one(opened: Service) -> None:
    """By its page: who has the role and no second factor is signed out; not by who would sign themselves out."""
    opened.latchgate.roles.create(COMMAND_LINE, "Careful")
    opened.latchgate.roles.grant(COMMAND_LINE, API, "Careful")
    boss, theirs = opened.sign_in(MANAGER).sid, opened.sign_in(API).sid
    assert "Second factor required" in assert_page(_get(opened, "/app/role/Careful", boss))
    own = _post(opened, "/app/role/System%20Manager/second-factor", boss, {"two_factor_auth": "1"})
    assert 'id="two_factor_auth-error"' in assert_shown(own, 417)

    done = _post(opened, "/app/role/Careful/second-factor", boss, {"two_factor_auth": "1"})

    assert done_at(done) == "/app/role/Careful?done=saved"
    assert 'value="1" checked' in assert_page(_get(opened, "/app/role/Careful", boss))
    assert _get(opened, "/me", theirs).status == 303
    text = assert_page(_get(opened, f"/app/user/{API}?tab=sessions", boss))
    assert "to be set up at the next sign-in" in text
    assert _post(opened, "/app/role/Careful/second-factor", boss, {}).status == 303
    assert _get(opened, "/me", theirs).status == 200
    assert _post(opened, "/app/role/Careful/second-factor", theirs, {"two_factor_auth": "1"}).status == 403


def test_a_role_requires_one_over_the_api(opened: Service) -> None:
    """By its field, which Frappe calls so too; System Managers alone set it."""
    boss, user = opened.make_key(MANAGER), opened.make_key(API)
    made = opened.post("/api/resource/Role", {"role_name": "Careful", "two_factor_auth": 1}, boss.token)
    assert made.document["data"]["two_factor_auth"] == 1

    def change(token: str, value: object) -> Answer:
        headers = [("content-type", "application/json")]
        body = f'{{"two_factor_auth": {value}}}'.encode()
        return opened.ask("/api/resource/Role/Careful", token, method="PUT", headers=headers, body=body)

    assert change(boss.token, 0).document["data"]["two_factor_auth"] == 0
    assert change(boss.token, 2).status == 417
    assert change(user.token, 1).status == 403
    with opened.latchgate.store.write() as tx:
        tx.permissions.add(Grant("Desk User", "Role", if_owner=False, actions=frozenset(Action)), MANAGER, 1)
    assert change(user.token, 1).status == 403
    assert opened.post("/api/resource/Role", {"role_name": "Other", "two_factor_auth": 1}, user.token).status == 403
    listed = opened.ask('/api/resource/User?fields=["name","has_second_factor"]&limit_page_length=0', boss.token)
    assert {"name": API, "has_second_factor": 0} in listed.document["data"]
