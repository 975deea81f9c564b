"""OAuth clients changed and ended on their pages, and connected applications on their users'."""

import html
import re
from collections.abc import Iterator

import pytest

from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import Service
from support.client_office import API, APPS, BACK, LIST, MANAGER, TYPED, WEB, Office, open_office, peopled_service
from support.envelopes import assert_page, assert_shown
from support.pages import done_at, secret_in, send_form, visit


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, one of whom keeps clients."""
    with peopled_service(tmp_path_factory.mktemp("clients") / "home") as service:
        yield service


@pytest.fixture
def office(peopled: Service) -> Iterator[Office]:
    """A client of its own for a test."""
    with open_office(peopled) as office:
        yield office


def test_a_client_is_changed_by_who_saw_it(office: Office) -> None:
    """A page that others have overtaken changes nothing, and says so; what was typed is still there."""
    typed = office.typed(app_name="Diary", client_uri="https://diary.example.com")

    saved = send_form(office.service, office.page, MANAGER, typed)
    stale = send_form(office.service, office.page, MANAGER, {**typed, "app_name": "Overtaken"})

    assert (saved.status, done_at(saved)) == (303, f"{office.page}?done=saved")
    assert "Somebody else changed this" in assert_shown(stale, 417)
    assert 'value="Overtaken"' in stale.text
    assert (office.stored.app_name, office.stored.client_uri) == ("Diary", "https://diary.example.com")
    for seen in ("", "x", "-1", "9" * 30, "٣"):
        refused = send_form(office.service, office.page, MANAGER, {**typed, "seen": seen})
        assert "required, as the page had it" in assert_shown(refused, 417)


def test_a_client_that_gets_to_need_a_secret_is_given_one(office: Office) -> None:
    """It is shown, this once, where the way to prove itself was changed."""
    public = office.typed(auth_method="none")
    assert send_form(office.service, office.page, MANAGER, public).status == 303
    assert "Rotate secret" not in visit(office.service, office.page, MANAGER).text

    answer = send_form(office.service, office.page, MANAGER, office.typed())

    assert secret_in(assert_page(answer)).startswith("lgc_")


def test_a_secret_is_rotated(office: Office) -> None:
    """With an overlap that the page tells; a page that was overtaken, or asks for too long, rotates nothing."""
    page = f"{office.page}/rotate"
    seen = re.findall(r'name="seen" value="([^"]*)"', assert_page(visit(office.service, page, MANAGER)))[-1]

    answer = send_form(office.service, page, MANAGER, {"overlap": "86400", "seen": seen})
    stale = send_form(office.service, page, MANAGER, {"overlap": "86400", "seen": seen})
    unknown = send_form(office.service, page, MANAGER, {"overlap": "1", "seen": str(office.stored.modified)})

    assert secret_in(assert_page(answer)).startswith("lgc_")
    assert re.search(r"former secret works <time [^>]*>for another 2[34] hours</time>", answer.text)
    assert "This client was changed since you looked at it" in assert_shown(stale, 417)
    assert "Nothing was changed" in assert_shown(unknown, 417)
    assert "lgc_" not in stale.text + unknown.text


def test_the_end_says_what_stops(office: Office) -> None:
    """How many users' tokens end, before; afterwards the client is there to be looked at, and can be deleted."""
    service, page = office.service, office.page
    assert "One user's tokens end." in html.unescape(assert_page(visit(service, f"{page}/revoke", MANAGER)))

    ended = send_form(service, f"{page}/revoke", MANAGER, {})

    assert (ended.status, ended.header("location")) == (303, f"{page}?done=client-revoked")
    text = assert_page(visit(service, page, MANAGER))
    assert "Revoked" in text
    assert "Revoke client" not in text
    assert "Save" not in text
    assert "was revoked for good" in assert_shown(send_form(service, page, MANAGER, {**TYPED, **_seen_of(office)}), 417)
    assert "Calendar" not in assert_page(visit(service, f"{LIST}?state=active", MANAGER))
    assert "Calendar" in assert_page(visit(service, f"{LIST}?state=revoked", MANAGER))
    deleted = send_form(service, f"{page}/delete", MANAGER, {})
    assert (deleted.status, deleted.header("location")) == (303, f"{LIST}?done=deleted")
    for path in (page, f"{page}/rotate", f"{page}/revoke", f"{page}/delete"):
        assert visit(service, path, MANAGER).status == 404


def test_a_token_is_ended(office: Office) -> None:
    """From the client's page, by its name; one of another client is not there."""
    service = office.service
    assert WEB in assert_page(visit(service, f"{office.page}?tab=tokens", MANAGER))
    other = service.latchgate.clients.create(COMMAND_LINE, ClientOrder("Other", (BACK,))).client
    assert visit(service, f"{LIST}/{other.client_id}/token/{office.token}/end", MANAGER).status == 404
    service.latchgate.clients.delete(COMMAND_LINE, other.client_id)

    ended = send_form(service, f"{office.page}/token/{office.token}/end", MANAGER, {})

    assert (ended.status, ended.header("location")) == (303, f"{office.page}?tab=tokens&done=token-ended")
    text = assert_page(visit(service, f"{office.page}?tab=tokens", MANAGER))
    assert "No access token is alive." in text
    assert "No user is connected" in text


def test_what_one_allowed_is_ones_own_to_take_back(office: Office) -> None:
    """A Website User sees it under their account, is told what ends, and ends it; others do not see it there."""
    service, way = office.service, f"/me/app/{office.client_id}/disconnect"
    mine = assert_page(visit(service, APPS, WEB))
    assert "Calendar" in mine
    assert "Do everything that you may do, as you" in mine
    assert "No application may act for you." in assert_page(visit(service, APPS, API))
    assert "Its tokens end at once" in assert_page(visit(service, way, WEB))
    assert visit(service, way, API).status == 404
    assert send_form(service, way, API, {}).status == 404

    ended = send_form(service, way, WEB, {})

    assert (ended.status, ended.header("location")) == (303, f"{APPS}&done=disconnected")
    assert "No application may act for you." in assert_page(visit(service, APPS, WEB))
    assert service.latchgate.clients.count_users(COMMAND_LINE, office.client_id) == 0


def test_an_administrator_takes_back_what_a_user_allowed(office: Office) -> None:
    """On the user's form, in Settings."""
    service, page = office.service, "/app/user/web%40example.com"
    assert "1 app<" in assert_page(visit(service, f"{page}?tab=settings", MANAGER))

    ended = send_form(service, f"{page}/app/{office.client_id}/disconnect", MANAGER, {})

    assert (ended.status, ended.header("location")) == (303, f"{page}?tab=settings&done=disconnected")
    assert "0 apps<" in assert_page(visit(service, f"{page}?tab=settings", MANAGER))


def _seen_of(office: Office) -> dict[str, str]:
    """Give what the form of a client sends beside a new one's."""
    return {"seen": str(office.stored.modified), "auth_method": "client_secret_basic", "grant:authorization_code": "1"}
