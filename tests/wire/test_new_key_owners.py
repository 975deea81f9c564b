"""A key is made from the list of all keys too: whose it is to be is asked first, of who sees other owners."""

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import visit

MANAGER, ANN, READER, WEB = (f"{name}@example.com" for name in ("manager", "ann", "reader", "web"))
KEYS, NEW = "/app/api-key", "/app/api-key/new"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Users of each kind, one who reads users and no more, and a source with a record."""
    with opened_service(tmp_path_factory.mktemp("owners") / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(ANN)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Reader")
        service.latchgate.permissions.grant(
            COMMAND_LINE, Grant("Reader", "User", if_owner=False, actions=frozenset({Action.READ}))
        )
        service.make_user(READER, roles=frozenset({"Reader"}))
        service.latchgate.documents.create(COMMAND_LINE, "Authorization Source", {"source_name": "API Device"})
        service.latchgate.documents.create(COMMAND_LINE, "API Device", {"record_name": "Front door/1", "user": ANN})
        yield service


@pytest.mark.parametrize(("user", "way"), [(MANAGER, NEW), (READER, NEW), (ANN, "/me/new-key")])
def test_the_list_leads_there(house: Service, user: str, way: str) -> None:
    """Who sees no other owner comes to the form of an own key, from the page's address too."""
    assert f'<a class="button" href="{way}">New key</a>' in assert_page(visit(house, KEYS, user))
    asked = visit(house, NEW, user)
    assert (asked.status, asked.header("location")) == ((200, None) if way == NEW else (303, way))


@pytest.mark.parametrize(
    ("chosen", "page"),
    [
        ({"owner": ANN}, f"/app/user/{quote(ANN)}/new-key"),
        ({"source": "User", "owner": f" {ANN} "}, f"/app/user/{quote(ANN)}/new-key"),
        ({"source": "API Device", "owner": "Front door/1"}, "/app/source/API%20Device/record/Front%20door%2F1/new-key"),
    ],
)
def test_an_owner_s_form_is_led_to(house: Service, chosen: dict[str, str], page: str) -> None:
    """Which is the form of the owner's own page."""
    answer = visit(house, f"{NEW}?{urlencode(chosen)}", MANAGER)

    assert (answer.status, answer.header("location")) == (303, page)
    assert "What it may do" in assert_page(visit(house, page, MANAGER))


@pytest.mark.parametrize(
    ("chosen", "user", "field", "told"),
    [
        ({"owner": ""}, MANAGER, "owner", "Give the name of a user"),
        ({"owner": "x" * 201}, MANAGER, "owner", "Give the name of a user"),
        ({"owner": "nobody@example.com"}, MANAGER, "owner", "There is no User of this name that you may see."),
        ({"owner": "../<b>%"}, MANAGER, "owner", "There is no User of this name"),
        ({"source": "API Device", "owner": ANN}, MANAGER, "owner", "There is no API Device of this name"),
        ({"source": "Role", "owner": "All"}, MANAGER, "source", "Must be one of: User, API Device, Event Consumer."),
        ({"owner": "Guest"}, MANAGER, "owner", "Guest"),
        ({"owner": ANN}, READER, "owner", "keys"),
    ],
)
def test_what_leads_nowhere_is_said_at_its_field(
    house: Service, chosen: dict[str, str], user: str, field: str, told: str
) -> None:
    """With what was typed, and nothing of it as markup."""
    text = assert_shown(visit(house, f"{NEW}?{urlencode(chosen)}", user), 417)

    assert told in text.partition(f'id="{field}-error">')[2].partition("</p>")[0]
    assert "<b>" not in text


@pytest.mark.parametrize("user", [WEB, ""])
def test_it_is_a_page_of_the_desk(house: Service, user: str) -> None:
    """Nobody else comes to it."""
    assert visit(house, NEW, user).status in {303, 403}
