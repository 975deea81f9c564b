"""Sign-in with a second factor, and every way around it."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from latchgate.core.clients import AuthMethod
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import PASSWORD, Answer, Service, opened_service
from support.envelopes import assert_page, assert_refused, assert_shown
from support.pages import HTML
from support.second_factors import Device, give_device, wrong_code

MANAGER, API, WEB, PLAIN = "manager@example.com", "api@example.com", "web@example.com", "plain@example.com"
NEW = "four unrelated words here"
LOGIN = "/api/method/login"


@pytest.fixture
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with users of each kind."""
    with opened_service(tmp_path_factory.mktemp("second") / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        for name in (API, PLAIN):
            service.make_user(name)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        yield service


def _device(service: Service, user: str = API) -> Device:
    return give_device(service.latchgate.store, service.latchgate.sign_in_steps.enrolments, user)


def _now(service: Service) -> int:
    return service.latchgate.clock.now()


def _enter(service: Service, user: str = API, pwd: str = PASSWORD, **further: str) -> Answer:
    return service.post("/login", {"usr": user, "pwd": pwd, **further}, form=True, headers=[HTML])


def _step(answer: Answer) -> str:
    return answer.cookies["sign_in_step"].partition(";")[0]


def _send(service: Service, step: str, typed: dict[str, str], path: str = "/login/code") -> Answer:
    return service.post(path, typed, form=True, headers=[("cookie", step), HTML])


def _show(service: Service, step: str, path: str = "/login/code") -> Answer:
    return service.ask(path, headers=[("cookie", step), HTML])


def _is_in(service: Service, sid: str) -> bool:
    return service.ask(headers=[("cookie", f"sid={sid}")]).status == 200


def test_a_code_comes_between(opened: Service) -> None:
    """After the password there is no session yet, but a page that asks for the code; a phone offers it."""
    device = _device(opened)

    begun = _enter(opened)
    assert (begun.status, begun.header("location")) == (303, "/login/code")
    assert begun.cookies.keys() == {"sign_in_step"}
    assert re.search(r"; HttpOnly; Path=/login; SameSite=Strict$", begun.cookies["sign_in_step"])
    assert re.search(r"; Max-Age=300;", begun.cookies["sign_in_step"])
    page = assert_page(_show(opened, _step(begun)))
    for said in ('autocomplete="one-time-code"', 'inputmode="numeric"', 'action="/login/code"'):
        assert said in page
    assert "<script" not in page
    done = _send(opened, _step(begun), {"code": device.code(_now(opened))})

    assert (done.status, done.header("location")) == (303, "/app")
    assert "Max-Age=0" in done.cookies["sign_in_step"]
    assert _is_in(opened, done.sid)
    again = _send(opened, _step(begun), {"code": device.code(_now(opened), 1)})
    assert "Sign in again" in assert_shown(again, 401)
    assert "sid" not in again.cookies


def test_a_recovery_code_comes_by_a_page_of_its_own(opened: Service) -> None:
    """For which a phone shows letters too."""
    device, step = _device(opened, WEB), _step(_enter(opened, WEB))
    page = assert_page(_show(opened, step, "/login/code?recovery=1"))
    refused = _send(opened, step, {"code": "abcd-abcd-abcd-abcd", "recovery": "1"})
    done = _send(opened, step, {"code": device.recovery_codes[3], "recovery": "1"})

    assert "numeric" not in page
    assert "not right" in assert_shown(refused, 401)
    assert 'name="recovery"' in refused.text
    assert (done.status, done.header("location")) == (303, "/me")


@pytest.mark.parametrize("target", ["/app/user?search=x&type=System+User", "https://evil.example/", "//evil.example"])
def test_one_arrives_where_one_was_led(opened: Service, target: str) -> None:
    """Through both pages, and never at another host."""
    device = _device(opened)
    begun = _enter(opened, **{"redirect-to": target})
    place = begun.header("location") or ""
    page = assert_page(_show(opened, _step(begun), place))
    hidden = re.findall(r'name="redirect-to" value="([^"]*)"', page)
    sent = {"redirect-to": hidden[0].replace("&amp;", "&")} if hidden else {}
    done = _send(opened, _step(begun), {"code": device.code(_now(opened)), **sent})

    assert done.header("location") == (target if target.startswith("/app") else "/app")
    assert "evil" not in place


def test_nobody_learns_who_has_one(opened: Service) -> None:
    """A wrong password is answered alike, whoever has a second factor."""
    _device(opened)
    wrong = [_enter(opened, user, "wrong") for user in (API, PLAIN, "nobody@example.com")]

    texts = {
        answer.text.replace(user, "") for answer, user in zip(wrong, (API, PLAIN, "nobody@example.com"), strict=True)
    }
    assert {answer.status for answer in wrong} == {401}
    assert len(texts) == 1
    assert not any(answer.cookies for answer in wrong)


@pytest.mark.parametrize("path", ["/login/code", "/login/second-factor"])
@pytest.mark.parametrize("step", ["", "sign_in_step=lgi_0", "sign_in_step=%00", "sign_in_step=x; sid=x"])
def test_a_forged_half_way_proof_opens_nothing(opened: Service, path: str, step: str) -> None:
    """Shown or sent, it leads to the password."""
    device = _device(opened)
    headers = [("cookie", step), HTML] if step else [HTML]
    shown = opened.ask(path, headers=headers)
    sent = opened.post(path, {"code": device.recovery_codes[0], "proof": "1.00"}, form=True, headers=headers)

    for answer in (shown, sent):
        assert 'name="pwd"' in assert_shown(answer, 401)
        assert "sid" not in answer.cookies


def test_another_user_s_proof_takes_their_code_alone(opened: Service) -> None:
    """One's own code is wrong with it, also over the API."""
    mine, theirs = _device(opened), _device(opened, WEB)
    step = _step(_enter(opened, WEB))

    page = _send(opened, step, {"code": mine.code(_now(opened))})
    api = opened.post(LOGIN, {"tmp_id": step.partition("=")[2], "otp": mine.recovery_codes[0], "usr": API}, form=True)
    assert page.status == api.status == 401
    done = opened.post(LOGIN, {"tmp_id": step.partition("=")[2], "otp": theirs.code(_now(opened)), "usr": API})
    assert done.status == 200
    assert f"user_id={quote(WEB)}" in done.cookies["user_id"]


def test_the_step_s_cookie_is_no_credential(opened: Service) -> None:
    """Neither as a session nor as a token."""
    _device(opened)
    token = _step(_enter(opened)).partition("=")[2]

    assert opened.ask(headers=[("cookie", f"sid={token}")]).status == 403
    assert opened.ask(authorization=f"Bearer {token}").status == 401
    assert opened.ask(f"/reset-password/{token}", headers=[HTML]).status == 404
    assert opened.ask(f"/setup/{token}", headers=[HTML]).status == 404


def test_frappe_s_clients_send_the_code_with_the_temporary_id(opened: Service) -> None:
    """As its own do; without it nothing is opened, and no cookie set."""
    device = _device(opened)
    asked = opened.post(LOGIN, {"usr": API, "pwd": PASSWORD}, form=True)

    assert asked.status == 200
    assert asked.document.keys() == {"verification", "tmp_id"}
    assert asked.document["verification"] == {"method": "OTP App", "setup": True}
    assert not asked.cookies
    tmp_id = asked.document["tmp_id"]
    wrong = opened.post(LOGIN, {"tmp_id": tmp_id, "otp": wrong_code(device, _now(opened))}, form=True)
    assert "not right" in assert_refused(wrong, 401, "AuthenticationError")
    for sent in ({"tmp_id": tmp_id}, {"tmp_id": tmp_id, "otp": 123456}, {"tmp_id": ["x"], "otp": "123456"}):
        assert_refused(opened.post(LOGIN, sent), 401, "AuthenticationError")
    done = opened.post(LOGIN, {"tmp_id": tmp_id, "otp": device.code(_now(opened))}, form=True)
    assert done.document["message"] == "Logged In"
    assert _is_in(opened, done.sid)
    again = opened.post(LOGIN, {"tmp_id": tmp_id, "otp": device.code(_now(opened), 1)}, form=True)
    assert again.status == 401
    assert "sid" not in again.cookies


@pytest.mark.parametrize("prefix", ["/api/method/login", "/api/v1/method/login", "/api/v2/method/login", "/?cmd=login"])
def test_no_address_of_login_passes_by_it(opened: Service, prefix: str) -> None:
    """Nor do the password and a code that was not asked for, in one."""
    device = _device(opened)
    for sent in ({}, {"otp": device.code(_now(opened))}):
        answer = opened.post(prefix, {"usr": API, "pwd": PASSWORD, **sent}, form=True)

        assert not answer.cookies
        assert "tmp_id" in answer.text


def test_a_reset_link_sets_the_password_alone(opened: Service) -> None:
    """It ends the sign-in that waits, and the next one asks for the code."""
    device = _device(opened)
    waiting = _step(_enter(opened))
    link = opened.latchgate.passwords.make_reset_link(COMMAND_LINE, API)
    done = opened.post(
        f"/reset-password/{link.text}", {"password": NEW, "password_again": NEW}, form=True, headers=[HTML]
    )

    assert (done.status, done.header("location")) == (303, "/login")
    assert not done.cookies
    assert _send(opened, waiting, {"code": device.code(_now(opened))}).status == 401
    begun = _enter(opened, API, NEW)
    assert begun.header("location") == "/login/code"


def test_the_set_up_link_sets_the_password_alone(opened: Service) -> None:
    """Administrator, whose role requires a second factor, sets one up at the first sign-in."""
    opened.latchgate.roles.require_second_factor(COMMAND_LINE, SYSTEM_MANAGER, required=True)
    link = opened.latchgate.sign_in.make_setup_link()
    assert link is not None
    done = opened.post(f"/setup/{link.text}", {"password": NEW, "password_again": NEW}, form=True, headers=[HTML])

    assert not done.cookies
    begun = _enter(opened, "Administrator", NEW)
    assert begun.header("location") == "/login/second-factor"
    assert begun.cookies.keys() == {"sign_in_step"}


def test_an_application_s_sign_in_asks_for_it(opened: Service) -> None:
    """Whoever comes from an OAuth client is led through both pages, and asked for consent by a session alone."""
    device = _device(opened)
    order = ClientOrder(
        app_name="Notes", redirect_uris=("https://notes.example.com/done",), auth_method=AuthMethod.NONE
    )
    client = opened.latchgate.clients.create(COMMAND_LINE, order).client
    query = (
        f"client_id={client.client_id}&response_type=code&scope=openid&state=s"
        f"&redirect_uri={quote('https://notes.example.com/done', safe='')}"
        f"&code_challenge={'a' * 43}&code_challenge_method=S256"
    )
    target = f"/api/method/frappe.integrations.oauth2.authorize?{query}"
    begun = _enter(opened, **{"redirect-to": target})
    step, place = _step(begun), begun.header("location") or ""

    page = _show(opened, step, place)
    assert "Notes" in assert_page(page)
    assert "https://notes.example.com" in (page.header("content-security-policy") or "")
    asked = opened.ask(target, headers=[("cookie", step), HTML])
    assert asked.status == 302
    assert (asked.header("location") or "").startswith("/login?")
    done = _send(opened, step, {"code": device.code(_now(opened)), "redirect-to": target})
    assert (done.header("location") or "").startswith("/api/method/frappe.integrations.oauth2.authorize?")
    consent = opened.ask(target, headers=[("cookie", f"sid={done.sid}"), HTML])
    assert "Notes" in assert_page(consent)


def test_an_old_session_ends(opened: Service) -> None:
    """One that the password alone opened, as soon as its user must have a second factor."""
    old = opened.sign_in(API).sid
    opened.latchgate.roles.require_second_factor(COMMAND_LINE, "Desk User", required=True)

    assert not _is_in(opened, old)
    shown = opened.ask("/app", headers=[("cookie", f"sid={old}"), HTML])
    assert (shown.status, shown.header("location")) == (303, "/login")
    assert _is_in(opened, opened.sign_in(WEB).sid)


@pytest.mark.parametrize("path", ["/login/code", LOGIN])
def test_guessing_is_slowed(opened: Service, path: str) -> None:
    """With the right password too, which begins the count anew no more."""
    wrong = wrong_code(_device(opened), _now(opened))

    def guess() -> int:
        begun = _enter(opened)
        if begun.status != 303:
            return begun.status
        if path == LOGIN:
            return opened.post(path, {"tmp_id": _step(begun).partition("=")[2], "otp": wrong}, form=True).status
        return _send(opened, _step(begun), {"code": wrong}).status

    statuses = [guess() for _ in range(12)]

    assert statuses[0] == 401
    assert set(statuses[-3:]) == {429}


@pytest.mark.parametrize("path", ["/login/code", "/login/second-factor"])
def test_another_site_s_form_is_refused(opened: Service, path: str) -> None:
    """As the password's is."""
    if path == "/login/code":
        _device(opened)
    else:
        opened.latchgate.roles.require_second_factor(COMMAND_LINE, "All", required=True)
    step = _step(_enter(opened))
    headers = [("cookie", step), HTML, ("sec-fetch-site", "cross-site")]

    assert opened.post(path, {"code": "123456"}, form=True, headers=headers).status == 400


def test_who_must_have_one_is_led_to_set_it_up(opened: Service) -> None:
    """Before anything else: no session is there, and the API says where to go; then recovery codes are shown once."""
    opened.latchgate.roles.require_second_factor(COMMAND_LINE, "All", required=True)
    api = opened.post(LOGIN, {"usr": API, "pwd": PASSWORD}, form=True)
    assert "/login" in assert_refused(api, 401, "AuthenticationError")
    assert not api.cookies

    begun = _enter(opened, **{"redirect-to": "/app/user"})
    step = _step(begun)
    assert (begun.header("location") or "").startswith("/login/second-factor?redirect-to=")
    assert _show(opened, step, "/app").header("location") == "/login"
    assert (_show(opened, step, "/login/code").header("location") or "").startswith("/login/second-factor")
    page = assert_page(_show(opened, step, begun.header("location") or ""))
    (key,) = re.findall(r'<code id="key">([A-Z2-7]{32})</code>', page)
    (proof,) = re.findall(r'name="proof" value="([^"]+)"', page)
    assert "<svg" in page
    device = Device(key)
    wrong = _send(opened, step, {"code": wrong_code(device, _now(opened)), "proof": proof}, "/login/second-factor")
    assert key in assert_shown(wrong, 417)
    lost = _send(opened, step, {"code": device.code(_now(opened))}, "/login/second-factor")
    assert key not in assert_shown(lost, 417)
    sent = {"code": device.code(_now(opened)), "proof": proof, "redirect-to": "/app/user"}
    done = _send(opened, step, sent, "/login/second-factor")

    codes = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", assert_page(done))
    assert len(set(codes)) == 10
    assert 'href="/app/user"' in done.text
    assert _is_in(opened, done.sid)
    saved = opened.post(
        "/me/second-factor/download",
        {"codes": " ".join(codes[:10]), "csrf_token": opened.csrf_token(done.sid)},
        form=True,
        headers=[("cookie", f"sid={done.sid}"), HTML],
    )
    assert saved.header("content-disposition") == 'attachment; filename="latchgate-recovery-codes.txt"'
    assert saved.text.split("\n")[2:12] == codes[:10]
    assert _show(opened, step, "/login/second-factor").status == 401
    assert _step(_enter(opened)).startswith("sign_in_step=lgi_")
    assert _enter(opened).header("location") == "/login/code"


def test_keys_and_tokens_are_not_concerned(opened: Service) -> None:
    """Programs go on, whatever is required of their users."""
    pair, bearer = opened.make_key(API), opened.make_bearer(API, "token-of-a-program")
    _device(opened)
    opened.latchgate.roles.require_second_factor(COMMAND_LINE, "All", required=True)

    for authorization in (pair.token, pair.basic, bearer):
        assert opened.ask(authorization=authorization).document == {"message": API}


def test_no_row_holds_a_code_or_a_proof(opened: Service) -> None:
    """Neither log tells what was typed, and what the browser held."""
    device = _device(opened)
    begun = _enter(opened)
    token, code = _step(begun).partition("=")[2], device.code(_now(opened))
    answers = [begun, _show(opened, _step(begun)), _send(opened, _step(begun), {"code": code})]

    told = repr([row for answer in answers for row in answer.rows])
    with opened.latchgate.store.read() as tx:
        told += repr(tx.activity.list_latest(100))
    for secret in (token, code, device.key, Secret(PASSWORD).text):
        assert secret not in told
