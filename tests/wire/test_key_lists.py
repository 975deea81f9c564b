"""The list of all keys: what deserves a look is found, told exactly, and only to whoever may know it."""

import re
import time
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.aged_keys import age_key, note_uses
from support.asgi import Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import visit

MANAGER, ANN, BOB, CLERK, WEB = (f"{name}@example.com" for name in ("manager", "ann", "bob", "clerk", "web"))
KEYS = "/app/api-key"
_DAY = 86_400


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """An instance with a key for each finding, by its label, and one of which nothing is found."""
    with opened_service(tmp_path_factory.mktemp("keys") / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        for user in (ANN, BOB):
            service.make_user(user)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Key Clerk")
        service.latchgate.permissions.grant(
            COMMAND_LINE, Grant("Key Clerk", "API Key", if_owner=False, actions=frozenset({Action.READ}))
        )
        service.make_user(CLERK, roles=frozenset({"Key Clerk"}))
        yield service, _make_keys(service)


def _make_keys(service: Service) -> dict[str, str]:
    nets = (ip_network("192.0.2.0/24"),)
    soon = int(time.time()) + 5 * _DAY
    made = {
        "soon": service.make_key(ANN, expires_at=soon, networks=nets, scopes=frozenset({"read"})),
        "never": service.make_key(ANN),
        "unused": service.make_key(BOB),
        "only reads": service.make_key(ANN, networks=nets),
        "only here": service.make_key(BOB, scopes=frozenset({"read"})),
        "writes users": service.make_key(BOB, scopes=frozenset({"User:read", "User:write"})),
        "sound": service.make_key(ANN, networks=nets),
        "young": service.make_key(ANN),
        "expired": service.make_key(ANN, expires_at=int(time.time()) + 2),
        "revoked": service.make_key(ANN),
    }
    ids = {label: pair.key_id for label, pair in made.items()}
    for label, key_id in ids.items():
        if label != "young":
            age_key(service, key_id, 120)
    for label, user in (("soon", ANN), ("sound", ANN), ("revoked", ANN), ("expired", ANN)):
        note_uses(service, user, ids[label], method="POST")
    note_uses(service, BOB, ids["unused"], days=100)
    note_uses(service, ANN, ids["only reads"], days=2)
    note_uses(service, ANN, ids["only reads"], ip_address="192.0.2.8", method="HEAD")
    for _ in range(2):
        note_uses(service, BOB, ids["only here"])
    note_uses(service, BOB, ids["writes users"], ip_address="192.0.2.9")
    note_uses(service, BOB, ids["writes users"], method="HEAD")
    service.latchgate.api_keys.revoke(COMMAND_LINE, ids["revoked"])
    time.sleep(2)
    return ids


def _shown(house: tuple[Service, dict[str, str]], query: str, user: str = MANAGER) -> set[str]:
    """Give the labels of the keys that a list shows."""
    service, ids = house
    text = assert_page(visit(service, f"{KEYS}{query}", user))
    return {label for label, key_id in ids.items() if f'/{key_id}"' in text}


_ALL = {"soon", "never", "unused", "only reads", "only here", "writes users", "sound", "young", "expired", "revoked"}
_ANNS = {"soon", "never", "only reads", "sound", "young", "expired", "revoked"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", _ALL),
        ("?finding=expires-soon", {"soon"}),
        ("?finding=never-used", {"never"}),
        ("?finding=unused", {"unused"}),
        ("?finding=wide", {"only reads", "only here", "writes users"}),
        ("?state=live", _ALL - {"expired", "revoked"}),
        ("?state=ended", {"expired", "revoked"}),
        ("?finding=wide&state=ended", set()),
        ("?finding=expires-soon&state=live", {"soon"}),
        ("?finding=nonsense&state=nonsense", _ALL),
        ("?owner=bob", {"unused", "only here", "writes users"}),
        ("?owner=bob&finding=wide", {"only here", "writes users"}),
        ("?owner=%25", set()),
        ("?owner=ann&state=ended", {"expired", "revoked"}),
        ("?search=lgk_&state=ended", {"expired", "revoked"}),
        ("?search=lgk_&state=live&owner=bob", {"unused", "only here", "writes users"}),
        ("?search=nothing+is+called+so", set()),
        ("?search=lgk_&finding=expires-soon", {"soon"}),
    ],
)
def test_filters_show_what_they_say(house: tuple[Service, dict[str, str]], query: str, expected: set[str]) -> None:
    """By themselves and together; one that is not known narrows nothing, and is not shown as if it did."""
    assert _shown(house, query) == expected


@pytest.mark.parametrize("query", ["", "?finding=wide", "?state=live", "?search=lgk_&state=live", "?owner=bob"])
def test_others_keys_are_nobodys_business(house: tuple[Service, dict[str, str]], query: str) -> None:
    """Who has no right to all keys sees their own alone, whatever is asked for."""
    assert _shown(house, query, ANN) == _shown(house, query) & _ANNS
    assert _shown(house, query, CLERK) == (_shown(house, query) if "wide" not in query else set())


def test_pages_do_not_overlap(house: tuple[Service, dict[str, str]]) -> None:
    """Whether the database or this process picks the keys: what comes after the last is nothing."""
    for query in ("?finding=wide&start=2", "?state=live&search=lgk_&start=7", "?start=9"):
        assert len(_shown(house, f"{query}&sort=creation")) == 1
        assert _shown(house, f"{query}000") == set()


def test_the_finding_is_told_in_words(house: tuple[Service, dict[str, str]]) -> None:
    """Exactly what is allowed and what was done, on the row and on the key's page."""
    service, ids = house
    told = {
        "soon": ["Expires in 4 days."],
        "never": ["Never used, and made on"],
        "unused": ["Not used since"],
        "only reads": ["May change everything that its user may, but its 2 requests since", "only read (GET or HEAD)."],
        "only here": ["May be used from any address, but its 2 requests since", "came from 192.0.2.7 alone."],
        "writes users": ["May write User records, but its 2 requests since"],
    }
    rows = assert_page(visit(service, KEYS, MANAGER))
    for label, sentences in told.items():
        page = assert_page(visit(service, f"{KEYS}/User/{ids[label]}", MANAGER))
        for sentence in sentences:
            assert sentence in rows
            assert sentence in page
    for label in ("sound", "young", "revoked"):
        assert "needs a look" not in assert_page(visit(service, f"{KEYS}/User/{ids[label]}", MANAGER)).lower()


def test_addresses_are_told_to_whoever_may_read_the_log(house: tuple[Service, dict[str, str]]) -> None:
    """A right to keys alone is none to what they were used for; one's own key is one's own business."""
    service, ids = house
    page = f"{KEYS}/User/{ids['only here']}"

    assert "192.0.2.7" not in assert_page(visit(service, page, CLERK))
    assert "192.0.2.7" not in assert_page(visit(service, KEYS, CLERK))
    assert "192.0.2.7 alone" in assert_page(visit(service, page, BOB))
    assert visit(service, page, ANN).status == 404
    assert visit(service, KEYS, WEB).status == 403
    assert visit(service, KEYS, "").status in {303, 403}


def test_ended_keys_cannot_be_ticked(house: tuple[Service, dict[str, str]]) -> None:
    """Revoked ones have nothing left to end; and whoever may end none has no boxes."""
    service, ids = house
    boxes = re.findall(r'name="key:User:([^"]+)"', assert_page(visit(service, KEYS, MANAGER)))

    assert set(boxes) == set(ids.values()) - {ids["revoked"]}
    assert 'name="key:' not in assert_page(visit(service, KEYS, CLERK))


@pytest.mark.parametrize("user", [MANAGER, ANN, BOB, CLERK])
def test_the_first_page_counts_what_the_lists_show(house: tuple[Service, dict[str, str]], user: str) -> None:
    """Each finding with as many as its list has for the same reader; of none nothing is said."""
    service, _ = house
    text = assert_page(visit(service, "/app", user))
    links = dict(re.findall(r'href="/app/api-key\?finding=([a-z-]+)">(\d+) ', text))

    for finding in ("expires-soon", "never-used", "unused", "wide"):
        count = len(_shown(house, f"?finding={finding}", user))
        assert links.get(finding, "0") == str(count)
    assert ("of your keys" in text) == (user in {ANN, BOB})


@pytest.mark.parametrize("name", ["search", "owner"])
def test_what_is_too_long_to_be_looked_for_is_said_at_its_field(
    house: tuple[Service, dict[str, str]], name: str
) -> None:
    """No key is shown as if it had been found, and what was typed stays to be shortened."""
    service, ids = house
    typed, enough = "x" * 201, "x" * 200

    text = assert_shown(visit(service, f"{KEYS}?{name}={typed}", MANAGER), 417)

    assert f'id="{name}-error" role="alert">{name.title()}: at most 200 characters' in text
    assert f'value="{typed}" aria-invalid="true" aria-describedby="{name}-error"' in text
    assert not [key_id for key_id in ids.values() if key_id in text]
    assert "No keys match." in assert_page(visit(service, f"{KEYS}?{name}={enough}", MANAGER))


@pytest.mark.parametrize("path", ["/app/user", "/app/role", "/app/oauth-client", "/app/event-consumer"])
def test_other_lists_say_so_too(house: tuple[Service, dict[str, str]], path: str) -> None:
    """By the same words."""
    text = assert_shown(visit(house[0], f"{path}?search={'x' * 201}", MANAGER), 417)

    assert "Search: at most 200 characters" in text
    assert "<table>" not in text
