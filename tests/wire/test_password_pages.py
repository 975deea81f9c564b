"""The pages of passwords: one's own, and the link by which somebody sets a new one."""

import re
from collections.abc import Iterator

import pytest

from latchgate.core.users import SYSTEM_MANAGER, UserType
from support.asgi import PASSWORD, Answer, Service, opened_service
from support.envelopes import assert_page, assert_shown

MANAGER, API, WEB = "manager@example.com", "api@example.com", "web@example.com"
NEW = "four unrelated words here"
HTML = ("accept", "text/html")


@pytest.fixture
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a manager, a user of the desk and one of none."""
    with opened_service(tmp_path_factory.mktemp("passwords") / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        yield service


def _post(service: Service, path: str, user: str, typed: dict[str, object], *, sid: str = "") -> Answer:
    sid = sid or service.sign_in(user).sid
    sent = {**typed, "csrf_token": service.csrf_token(sid)}
    return service.post(path, sent, form=True, headers=[("cookie", f"sid={sid}"), HTML])


def _enter(service: Service, user: str, password: str) -> int:
    return service.post("/api/method/login", {"usr": user, "pwd": password}, form=True).status


def _change(current: str, new: str = NEW, again: str = NEW) -> dict[str, object]:
    return {"current_password": current, "password": new, "password_again": again}


@pytest.mark.parametrize("user", [API, WEB])
def test_one_s_own_password_is_changed(opened: Service, user: str) -> None:
    """By who knows the present one; the other sessions end, this one stays."""
    other, own = opened.sign_in(user).sid, opened.sign_in(user).sid
    page = opened.ask("/me/password", headers=[("cookie", f"sid={own}"), HTML])

    answer = _post(opened, "/me/password", user, _change(PASSWORD), sid=own)

    assert "Present password" in assert_page(page)
    assert (answer.status, answer.header("location")) == (303, "/me?done=password")
    assert [_enter(opened, user, password) for password in (PASSWORD, NEW)] == [401, 200]
    statuses = [opened.ask("/me", headers=[("cookie", f"sid={sid}"), HTML]).status for sid in (own, other)]
    assert statuses[0] == 200
    assert statuses[1] != 200


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        (_change("not the present one"), "current_password"),
        (_change(""), "current_password"),
        (_change(PASSWORD, "too few", "too few"), "password"),
        (_change(PASSWORD, NEW, NEW + "!"), "password"),
        (_change(PASSWORD, API, API), "password"),
        ({}, "password"),
    ],
)
def test_a_refused_password_says_why_at_its_field(opened: Service, typed: dict[str, object], field: str) -> None:
    """Nothing that was typed comes back."""
    text = assert_shown(_post(opened, "/me/password", API, typed), 417)

    assert f'id="{field}-error"' in text
    for value in typed.values():
        assert not value or str(value) == API or str(value) not in text
    assert _enter(opened, API, PASSWORD) == 200


def test_guessing_the_present_password_is_slowed(opened: Service) -> None:
    """A stolen session is no way to try passwords."""
    sid = opened.sign_in(API).sid

    statuses = [_post(opened, "/me/password", API, _change(f"guess {i}"), sid=sid).status for i in range(20)]

    assert statuses[0] == 417
    assert statuses[-1] == 429


def test_a_link_sets_a_password_once(opened: Service) -> None:
    """Shown to the manager in a dialog, opened by the user, and then ended; it is in no log."""
    made = _post(opened, f"/app/user/{API}/reset-link", MANAGER, {})
    (link,) = re.findall(r'<code id="link">[^<]*(/reset-password/lgl_[^<]+)</code>', assert_page(made))
    opened_page = opened.ask(link, headers=[HTML])
    differing = opened.post(link, {"password": NEW, "password_again": "x"}, form=True, headers=[HTML])

    done = opened.post(link, {"password": NEW, "password_again": NEW}, form=True, headers=[HTML])

    assert API in assert_page(opened_page)
    assert opened_page.header("referrer-policy") == "no-referrer"
    assert "The two passwords differ." in assert_shown(differing, 417)
    assert (done.status, done.header("location")) == (303, "/login")
    assert [_enter(opened, API, password) for password in (PASSWORD, NEW)] == [401, 200]
    again = [opened.ask(link, headers=[HTML]), opened.post(link, {"password": NEW, "password_again": NEW}, form=True)]
    assert [answer.status for answer in again] == [404, 404]
    rows = [row for answer in (opened_page, differing, done) for row in answer.rows]
    assert all(link.rpartition("/")[2] not in row.path for row in rows)


@pytest.mark.parametrize("password", ["short", API, ""])
def test_a_weak_password_leaves_the_link_open(opened: Service, password: str) -> None:
    """One tries again."""
    made = _post(opened, f"/app/user/{API}/reset-link", MANAGER, {})
    (link,) = re.findall(r"(/reset-password/lgl_[^<]+)</code>", made.text)

    answer = opened.post(link, {"password": password, "password_again": password}, form=True, headers=[HTML])

    assert answer.status == 417
    assert opened.ask(link, headers=[HTML]).status == 200


@pytest.mark.parametrize(
    ("user", "of", "status"),
    [
        (API, WEB, {403, 404}),
        (WEB, API, {403}),
        (API, API, {403}),
        (MANAGER, "Guest", {417}),
        (MANAGER, "nobody", {404}),
    ],
)
def test_a_link_is_for_who_may_set_that_password(opened: Service, user: str, of: str, status: set[int]) -> None:
    """Nobody makes one for themselves or for Guest."""
    answer = _post(opened, f"/app/user/{of}/reset-link", user, {})

    assert answer.status in status
    assert "lgl_" not in answer.text


def test_a_link_needs_the_session_s_token(opened: Service) -> None:
    """Another site's form makes none."""
    sid = opened.sign_in(MANAGER).sid

    assert opened.post(f"/app/user/{API}/reset-link", {}, form=True, headers=[("cookie", f"sid={sid}")]).status == 400


@pytest.mark.parametrize("link", ["lgl_0", "x", "lgs_" + "0" * 40, "%00"])
def test_what_is_no_link_opens_nothing(opened: Service, link: str) -> None:
    """As one that has ended."""
    assert "This link has ended" in assert_shown(opened.ask(f"/reset-password/{link}", headers=[HTML]), 404)
