"""Event consumers have a place and words of their own; all else of them is as with other sources' records."""

from collections.abc import Iterator

import pytest

from latchgate.core.questions import Asked
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import done_at, key_seen_in, secret_in, send_form, visit

MANAGER, API = "manager@example.com", "api@example.com"
LIST, OLD = "/app/event-consumer", "/app/source/Event%20Consumer"
_KEYS = Asked(filters=[["source", "=", "Event Consumer"]], limit=10)
_SOURCE = ("frappe-authorization-source", "Event Consumer")


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a System Manager and a System User."""
    with opened_service(tmp_path_factory.mktemp("consumers") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        yield service


def test_a_consumer_is_made_gets_keys_and_goes(peopled: Service) -> None:
    """All of it under its own address, and each step counts at the next request."""
    assert "No consumer yet" in assert_page(visit(peopled, LIST, MANAGER))
    made = send_form(peopled, LIST, MANAGER, {"record_name": "Billing / EU", "user": API})
    page = f"{LIST}/Billing%20%2F%20EU"
    assert (made.status, made.header("location")) == (303, f"{page}?done=created")

    shown = assert_page(visit(peopled, page, MANAGER))
    assert 'value="Billing / EU"' in shown
    assert "so it stays. For another name, make another consumer and give it keys." in shown

    secret = secret_in(send_form(peopled, f"{page}/generate-keys", MANAGER, {}).text)
    (key,) = peopled.latchgate.documents.list_whole(COMMAND_LINE, "API Key", _KEYS).documents()
    token = f"token {key['name']}:{secret}"
    assert peopled.ask(LOGGED_USER, token, headers=[_SOURCE]).document["message"] == API

    rotating = f"{page}/key/{key['name']}/rotate"
    seen = key_seen_in(visit(peopled, rotating, MANAGER).text)
    second = secret_in(send_form(peopled, rotating, MANAGER, {"overlap": "0", **seen}).text)
    assert peopled.ask(LOGGED_USER, token, headers=[_SOURCE]).status == 401
    token = f"token {key['name']}:{second}"
    assert peopled.ask(LOGGED_USER, token, headers=[_SOURCE]).status == 200

    disabled = send_form(peopled, page, MANAGER, {"user": API})
    assert done_at(disabled) == f"{page}?done=disabled"
    assert peopled.ask(LOGGED_USER, token, headers=[_SOURCE]).status == 401
    send_form(peopled, page, MANAGER, {"user": API, "enabled": "1"})
    assert peopled.ask(LOGGED_USER, token, headers=[_SOURCE]).status == 200

    ended = send_form(peopled, f"{page}/key/{key['name']}/revoke", MANAGER, {})
    assert ended.header("location") == f"{page}?done=revoked"
    assert peopled.ask(LOGGED_USER, token, headers=[_SOURCE]).status == 401
    gone = send_form(peopled, f"{page}/delete", MANAGER, {})
    assert gone.header("location") == f"{LIST}?done=deleted"
    assert visit(peopled, page, MANAGER).status == 404


def test_the_words_are_a_consumers_own(peopled: Service) -> None:
    """In the list, in the dialog, and on the way there."""
    listed = assert_page(visit(peopled, f"{LIST}?new=1", MANAGER))

    assert f'href="{LIST}" aria-current="page">Event Consumers<' in listed
    assert "Search consumers" in listed
    assert "Create consumer" in listed
    assert "New record" not in listed


def test_other_addresses_lead_there(peopled: Service) -> None:
    """From the list of sources, and by the address that any other source has."""
    peopled.latchgate.sources.create_record(COMMAND_LINE, "Event Consumer", "Shop", API)

    assert f'href="{LIST}"' in assert_page(visit(peopled, "/app/source", MANAGER)).partition("<main")[2]
    assert visit(peopled, OLD, MANAGER).header("location") == LIST
    assert f'action="{LIST}/Shop"' in assert_page(visit(peopled, f"{OLD}/record/Shop", MANAGER))


def test_nobody_else_sees_them(peopled: Service) -> None:
    """Neither by the sidebar nor by the address."""
    assert LIST not in assert_page(visit(peopled, "/app", API))
    for path in (LIST, f"{LIST}?new=1", f"{LIST}/Shop", f"{LIST}/Shop/new-key"):
        assert visit(peopled, path, API).status in {403, 404}
    assert send_form(peopled, LIST, API, {"record_name": "Mine", "user": API}).status == 403


def test_what_cannot_be_is_told_at_its_field(peopled: Service) -> None:
    """With what was typed."""
    text = assert_shown(send_form(peopled, LIST, MANAGER, {"record_name": "Kept", "user": "nobody@example.com"}), 417)

    assert 'id="user-error"' in text
    assert 'value="Kept"' in text
