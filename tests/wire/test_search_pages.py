"""The search over users, keys and clients: who finds what, and what is never searched."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.tokens import TokenKind
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import Answer, Service, opened_service
from support.envelopes import assert_page
from support.pages import visit

MANAGER, API, WEB, OTHER = "manager@example.com", "api@example.com", "web@example.com", "other@example.com"
READER = "reader@example.com"
SEARCH = "/app/search"
MARKUP = "<script>alert(1)</script>"


@dataclass(frozen=True)
class Peopled:
    """An instance in which there is something to find."""

    service: Service
    key: str
    own_key: str
    client: str

    def search(self, text: str, user: str = MANAGER) -> Answer:
        return visit(self.service, f"{SEARCH}?q={quote(text, safe='')}", user)


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peopled]:
    """Users of every kind, keys of two of them, a client."""
    with opened_service(tmp_path_factory.mktemp("searched") / "home") as service:
        latchgate = service.latchgate
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API, first_name="Nightly")
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.make_user(OTHER, first_name="Nightly", last_name=MARKUP)
        latchgate.roles.create(COMMAND_LINE, "Key Reader")
        latchgate.permissions.grant(
            COMMAND_LINE, Grant("Key Reader", "API Key", if_owner=False, actions=frozenset({Action.READ}))
        )
        service.make_user(READER, roles=frozenset({"Key Reader"}))
        key, own_key = service.make_key(OTHER), service.make_key(API)
        made = latchgate.clients.create(
            COMMAND_LINE, ClientOrder("Nightly calendar", redirect_uris=("https://c.example.com/cb",))
        )
        for number in range(25):
            service.make_user(f"many-{number:02}@example.com")
        yield Peopled(service, key.key_id, own_key.key_id, made.client.client_id)


def _groups(answer: Answer) -> dict[str, list[str]]:
    """Give the links that were found, by the heading above them."""
    found = {}
    for section in re.findall(r'<section class="found".*?</section>', answer.text, re.DOTALL):
        heading = re.search(r"<h2[^>]*>([^<]+)</h2>", section)
        assert heading
        found[heading[1]] = [html.unescape(link) for link in re.findall(r'<a class="find" href="([^"]+)"', section)]
    return found


def test_a_manager_finds_users_keys_and_clients(peopled: Peopled) -> None:
    """By any part of what people call them, in groups, with how many there are."""
    answer = peopled.search("nightly")

    assert_page(answer)
    assert _groups(answer) == {
        "Users": ["/app/user/api%40example.com", "/app/user/other%40example.com"],
        "OAuth Clients": [f"/app/oauth-client/{peopled.client}"],
    }
    assert '<p class="hint" id="told" role="status">3 results: 2 users, 1 client.</p>' in answer.text


def test_the_id_of_a_key_finds_that_key_first(peopled: Peopled) -> None:
    """Whole or in part, and its owner finds it too."""
    whole, part = peopled.search(peopled.key), peopled.search(peopled.key[:14])
    of_owner = peopled.search(OTHER)

    page = f"/app/api-key/User/{peopled.key}"
    assert _groups(whole) == {"API Keys": [page]}
    assert page in _groups(part)["API Keys"]
    assert list(_groups(of_owner)) == ["Users", "API Keys"]
    assert _groups(of_owner)["API Keys"] == [page]


def test_an_exact_id_goes_before_what_merely_holds_it(peopled: Peopled) -> None:
    """A user who is called like a key does not hide it."""
    peopled.service.make_user("named@example.com", first_name=peopled.key)

    assert list(_groups(peopled.search(peopled.key))) == ["API Keys", "Users"]


def test_each_finds_what_they_may_read(peopled: Peopled) -> None:
    """Who sees only their own finds only that; nothing tells that there is more."""
    by_api = peopled.search("nightly", API)
    own, others = peopled.search(peopled.own_key, API), peopled.search(peopled.key, API)

    assert _groups(by_api) == {"Users": ["/me"]}
    assert "1 result: 1 user." in by_api.text
    assert _groups(own) == {"API Keys": [f"/app/api-key/User/{peopled.own_key}"]}
    assert _groups(others) == {}
    assert "Nothing found." in others.text
    assert OTHER not in others.text + by_api.text


def test_a_key_whose_owner_may_not_be_seen_leads_to_its_page(peopled: Peopled) -> None:
    """Who may read all keys finds it, and may open what is found."""
    answer = peopled.search(peopled.key, READER)

    assert "1 result: 1 key." in answer.text
    [page] = _groups(answer)["API Keys"]
    assert visit(peopled.service, page, READER).status == 200


@pytest.mark.parametrize(("user", "status"), [("", 303), (WEB, 403), (API, 200)])
def test_it_is_for_the_desk(peopled: Peopled, user: str, status: int) -> None:
    """Guests are sent to sign in, Website Users refused."""
    answer = peopled.search("nightly", user)

    assert answer.status == status
    assert "calendar" not in answer.text


def test_markup_is_only_text(peopled: Peopled) -> None:
    """In what is searched, and in what is found."""
    answer = peopled.search(MARKUP)

    assert MARKUP not in answer.text
    assert _groups(answer) == {"Users": ["/app/user/other%40example.com"]}
    assert f'value="{html.escape(MARKUP)}"' in answer.text


@pytest.mark.parametrize("text", ["%", "__", "\\", "100%_", "'", '"; --', "\0", " ", "é", "\u202e"])
def test_every_character_is_only_a_character(peopled: Peopled, text: str) -> None:
    """None of them stands for others, and none is too much."""
    answer = peopled.search(text)

    assert_page(answer)
    assert answer.status == 200
    assert len(_groups(answer)) == 0


def test_bytes_that_are_no_text_find_nothing(peopled: Peopled) -> None:
    """Nor do they end in a fault."""
    assert visit(peopled.service, f"{SEARCH}?q=%ff%fe%80", MANAGER).status == 200


def test_a_long_text_is_refused_and_kept(peopled: Peopled) -> None:
    """With how long it may be."""
    answer = peopled.search("x" * 201)

    assert answer.status == 417
    assert "at most 200 characters" in answer.text
    assert "x" * 201 in answer.text
    assert peopled.search("x" * 200).status == 200


def test_many_are_a_few_and_a_way_to_all(peopled: Peopled) -> None:
    """Ten of a kind, and the list narrowed likewise."""
    answer = peopled.search("many-")

    assert len(_groups(answer)["Users"]) == 10
    assert '<a href="/app/user?search=many-">All 25 users</a>' in answer.text


BODY = "0123456789abcdefghijABCDEFGHIJ0123456789"
SECRETS = [
    *((f"{kind}{BODY}", BODY) for kind in TokenKind if kind is not TokenKind.KEY_ID),
    ("lgs_zyx", "zyx"),
    (f"Authorization: token lgk_04ZsgM4VWe9mNhTEk0d7P1V:lgs_{BODY}", BODY),
    ("0123456789abcde:edcba9876543210", "edcba9876543210"),
    (f"see lga_{BODY}, please", BODY),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_is_neither_searched_nor_shown_nor_logged(peopled: Peopled, text: str, secret: str) -> None:
    """It is taken out of the address, and the page that comes then says never to paste one."""
    refused = peopled.search(text)
    shown = visit(peopled.service, refused.header("location") or "", MANAGER)

    assert (refused.status, refused.header("location")) == (303, "/app/search?refused=secret")
    assert shown.status == 417
    assert "Never paste a secret" in shown.text
    assert _groups(shown) == {}
    assert "***" in refused.row.path
    assert secret not in repr((refused, shown))


@pytest.mark.parametrize("text", ["olga_petrova", "lgk_04ZsgM4VWe9mNhTEk0d7P1V", "lgs_", "0123456789abcde"])
def test_what_only_resembles_a_secret_is_searched(peopled: Peopled, text: str) -> None:
    """Names, and the public halves of keys."""
    assert peopled.search(text).status == 200
