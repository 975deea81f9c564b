"""The frame of the desk: what surrounds a page, for whom, and what its browser may do."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.server.desk.flashes import DONE
from latchgate.server.desk.navigation import ENTRIES
from latchgate.server.openapi_texts import PAGES
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Pair, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, send_form, visit

MANAGER, API, WEB = "manager@example.com", "api@example.com", "web@example.com"
COMPONENTS = "/app/components"
READER = "Key Reader"
LOGS = {"API Request Log", "Activity Log"}


@pytest.fixture(scope="module")
def developed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance in development, whose navigation has all its pages, with a user of every kind."""
    with opened_service(tmp_path_factory.mktemp("developed") / "home", development=True) as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, READER)
        service.make_user("reader@example.com", roles=frozenset({READER}))
        service.latchgate.permissions.grant(
            COMMAND_LINE, Grant(READER, "API Key", if_owner=False, actions=frozenset({Action.READ}))
        )
        yield service


def _navigation(text: str) -> list[str]:
    (found,) = re.findall(r'<nav aria-label="Main">(.*?)</nav>', text, re.DOTALL)
    return re.findall(r'<a href="([^"]+)"', found)


DESK_PAGES = [address for address in PAGES if address.startswith("/app")]
_PARTS = {"{name}": quote(MANAGER), "{source}": "Event%20Consumer", "{key}": "lgk_none"}


def _filled(address: str) -> str:
    for part, value in _PARTS.items():
        address = address.replace(part, value)
    return address


# 200


def test_a_page_of_the_desk_runs_our_own_files_alone(service: Service) -> None:
    """Scripts are files of this server; nothing else of anywhere is loaded, asked or framed."""
    answer = visit(service, "/app", MANAGER)

    assert dict(part.split(" ", 1) for part in (answer.header("content-security-policy") or "").split("; ")) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("cache-control") == "no-store"
    assert_page(answer)


def test_the_page_s_parts_are_told_to_write_and_run_nothing(service: Service) -> None:
    """The kit that exchanges parts of pages runs no text, and keeps no page where a secret would stay."""
    text = visit(service, "/app", MANAGER).text.replace("&#34;", '"')

    for setting in ('"includeIndicatorStyles": false', '"allowEval": false', '"historyCacheSize": 0'):
        assert setting in text


@pytest.mark.parametrize(
    ("user", "rooms"),
    [
        (MANAGER, {entry.doctype for entry in ENTRIES}),
        ("reader@example.com", {"API Key", *LOGS}),
        (API, {"API Key", *LOGS}),
        (WEB, set()),
    ],
)
def test_the_navigation_leads_where_one_may_go(developed: Service, user: str, rooms: set[str]) -> None:
    """To the lists whose records one may read, others' too, if there is such a page; keys and logs of one's own too."""
    pages = developed.application.table.pages
    expected = [entry.address for entry in ENTRIES if entry.doctype in rooms and entry.address in pages]

    shown = _navigation(assert_page(visit(developed, "/me", user)))

    assert shown == (["/me"] if user == WEB else ["/app", *expected])


@pytest.mark.parametrize(("user", "counted"), [(MANAGER, 4), ("reader@example.com", 1), (API, 0)])
def test_home_counts_what_one_may_see(developed: Service, user: str, counted: int) -> None:
    """A number for each kind of record that one may read, and none for others."""
    text = assert_page(visit(developed, "/app", user))

    assert text.count('class="count"') == counted
    assert ("First steps" in text) == (counted > 0)


def test_with_a_key_that_reaches_less_there_is_less_to_see(developed: Service) -> None:
    """The credential's scopes limit the navigation and the counts as they limit all else."""
    key = developed.make_key(MANAGER, scopes=frozenset({"Role:read"}))

    text = assert_page(developed.ask("/app", key.token))

    assert re.findall(r'class="count">[0-9,]+</span> ([A-Za-z]+)', text) == ["Roles"]


def test_what_was_done_is_said_by_a_code(service: Service) -> None:
    """The sentence comes from a table."""
    assert DONE["saved"] in assert_page(visit(service, "/me?done=saved", API))


@pytest.mark.parametrize("code", ["x", "<b>Pwned</b>", "You+won", "saved%20", ""])
def test_what_an_address_says_is_never_shown(service: Service, code: str) -> None:
    """Nobody can have a page say something by a link."""
    text = assert_page(visit(service, f"/me?done={code}", API))

    assert 'class="flash"' not in text
    assert "Pwned" not in text


@pytest.mark.parametrize("query", ["", "?tab=lists&search=%22%3E%3Cscript%3E", "?tab=values", "?dialog=secret"])
def test_every_component_is_a_sound_page(developed: Service, query: str) -> None:
    """Whatever tab, nothing inline, and what was asked for is text."""
    assert "Components" in assert_page(visit(developed, COMPONENTS + query, MANAGER))


def test_what_was_typed_is_kept(developed: Service) -> None:
    """A refused form comes again with the reason at its field and all that was typed, but for passwords."""
    sid = developed.sign_in(MANAGER).sid
    typed = {
        "label": "",
        "networks": "10.0.0.0/8\n<b>",
        "password": "pass-word",
        "csrf_token": developed.csrf_token(sid),
    }

    answer = developed.post(COMPONENTS, typed, form=True, headers=[("cookie", f"sid={sid}")])

    text = assert_shown(answer, 417)
    assert 'aria-invalid="true" aria-describedby="label-error label-hint"' in text
    assert "10.0.0.0/8\n&lt;b&gt;" in text
    assert "pass-word" not in text


def test_the_token_may_come_in_the_header(developed: Service) -> None:
    """As the desk's script sends it."""
    sid = developed.sign_in(MANAGER).sid
    headers = [("cookie", f"sid={sid}"), ("x-frappe-csrf-token", developed.csrf_token(sid))]

    answer = developed.post(COMPONENTS, {"label": "Deploy"}, form=True, headers=headers)

    assert (answer.status, answer.header("location")) == (303, f"{COMPONENTS}?done=saved")


# 400, 403, 404


def test_a_form_without_the_token_is_refused(developed: Service) -> None:
    """As every change by a session."""
    sid = developed.sign_in(MANAGER).sid

    assert_shown(developed.post(COMPONENTS, {"label": "x"}, form=True, headers=[("cookie", f"sid={sid}")]), 400)


@pytest.mark.parametrize("user", [API, WEB, "reader@example.com"])
def test_components_are_for_system_managers(developed: Service, user: str) -> None:
    """Others are refused, and see nothing of it."""
    assert "Copy" not in assert_shown(visit(developed, COMPONENTS, user), 403)


def test_a_guest_is_sent_to_sign_in(developed: Service) -> None:
    """As from every page of the desk."""
    assert developed.ask(COMPONENTS).header("location") == "/login"


@pytest.mark.parametrize("user", [MANAGER, API, WEB])
def test_without_development_there_are_no_components(service: Service, user: str) -> None:
    """The address leads nowhere, whoever asks, and stands in no description."""
    assert_shown(visit(service, COMPONENTS, user), 404)
    assert COMPONENTS not in service.application.table.pages


def test_a_website_user_has_no_desk(service: Service, api_key: Pair) -> None:
    """From its first page they come to their account."""
    assert visit(service, "/app", WEB).header("location") == "/me"


# 403


@pytest.mark.parametrize("address", DESK_PAGES)
def test_no_page_of_the_desk_is_for_a_website_user(developed: Service, address: str) -> None:
    """Whatever address they guess, to look at or to change; the first page leads to their account."""
    looked, sent = visit(developed, _filled(address), WEB), send_form(developed, _filled(address), WEB, {"label": "x"})

    if address == "/app":
        assert (looked.status, looked.header("location")) == (303, "/me")
    else:
        assert looked.status == 403
        assert MANAGER not in assert_page(looked).replace(_filled(address), "")
    assert sent.status == 403


@pytest.mark.parametrize("address", DESK_PAGES)
def test_every_page_of_the_desk_wants_somebody_signed_in(developed: Service, address: str) -> None:
    """Who is not, is led to do so, and a form of theirs is refused."""
    looked = developed.ask(_filled(address), headers=[HTML])
    sent = developed.post(_filled(address), {"label": "x"}, form=True, headers=[HTML])

    assert looked.status in {303, 403}
    assert looked.header("location") in {"/login", None}
    assert sent.status in {303, 403}
