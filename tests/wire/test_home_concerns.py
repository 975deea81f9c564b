"""What needs attention on the first page: bursts of refusals for whoever may read all requests, and calm otherwise."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.core.users import SYSTEM_MANAGER
from support.aged_keys import note_uses
from support.asgi import Pair, Service, opened_service
from support.envelopes import assert_page
from support.pages import HTML, visit

MANAGER, ANN = "manager@example.com", "ann@example.com"
CALM = "Nothing needs attention."


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An instance with a System Manager and Ann."""
    with opened_service(tmp_path / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(ANN)
        yield service


def test_all_is_calm_where_nothing_is_found(service: Service) -> None:
    """One sentence, and the first steps where there is no key yet."""
    assert CALM in assert_page(visit(service, "/app", ANN))
    assert "First steps" in assert_page(visit(service, "/app", MANAGER))


def test_managers_who_sign_in_by_password_alone(service: Service) -> None:
    """They are told to managers, with the way to who they are, and to nobody else."""
    text, others = assert_page(visit(service, "/app", MANAGER)), assert_page(visit(service, "/app", ANN))

    assert '<a href="/app/role/System%20Manager">1 System Manager signs in by password alone</a>' in text
    assert CALM not in text
    assert "by password alone" not in others


@pytest.mark.parametrize(("scope", "told"), [("User:read", True), ("API Key:read", False)])
def test_a_manager_s_key_is_told_of_users_only_if_it_may_read_them(service: Service, scope: str, told: bool) -> None:
    """How many managers have no second factor is no business of a key for something else."""
    pair = service.make_key(MANAGER, scopes=frozenset({scope}))

    text = assert_page(service.ask("/app", pair.token, headers=[HTML]))

    assert ("by password alone" in text) == told


@pytest.mark.parametrize(("count", "told"), [(19, False), (20, True)])
def test_an_address_that_is_refused_often_is_named(service: Service, count: int, told: bool) -> None:
    """With its requests in the log; a few typing errors are none of anybody's business."""
    pair = service.make_key(ANN)
    peer = "203.0.113.77"
    for _ in range(count):
        service.ask(authorization=Pair(pair.key_id, "guess").token, peer=peer)

    text = assert_page(visit(service, "/app", MANAGER))

    found = re.search(r'<a href="([^"]+)">203.0.113.77 was refused 20 times within the last hour</a>', text)
    assert bool(found) == told
    assert (f"was refused {count} times within two hours" in text) == told
    assert CALM in assert_page(visit(service, "/app", ANN))
    if found:
        rows = assert_page(visit(service, found[1].replace("&amp;", "&"), MANAGER))
        assert rows.count('id="row-') == count


def test_a_slow_one_is_found_within_a_day(service: Service) -> None:
    """From a hundred on; one row may tell of many requests."""
    for days in (0.2, 0.4):
        note_uses(service, ANN, "lgk_x", days=days, ip_address="203.0.113.78", status=401, reason="x", requests=60)

    text = assert_page(visit(service, "/app", MANAGER))

    assert "203.0.113.78 was refused 120 times within a day" in text
