"""Rules over HTTP on each engine: what is changed counts at once, and changes at the same moment leave one order."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from latchgate.core.forwarded import Proxy
from latchgate.core.rule_fields import rule_from
from latchgate.errors import Conflict
from latchgate.services.actors import COMMAND_LINE
from support.attacked import PLAIN, Attacked, opened_attacked
from support.databases import ENGINES
from support.protected import PROXY, question

RULES = "/api/resource/Access%20Rule"
_TOGETHER = 8


@pytest.fixture(scope="module", params=ENGINES)
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The instance, on each engine, asked by a proxy too."""
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    home = tmp_path_factory.mktemp("rules") / "home"
    with opened_attacked(home, postgres, trusted_proxies=[PROXY]) as attacked:
        yield attacked


@pytest.fixture(autouse=True)
def _a_few_rules(attacked: Attacked) -> None:
    """One for managers, and one for any user."""
    _load(attacked, {"path": "/admin/*", "roles": ["System Manager"]}, {"path": "/mine/*"})


def _load(attacked: Attacked, *rules: dict[str, Any]) -> None:
    attacked.service.latchgate.access_rules.load(COMMAND_LINE, list(map(rule_from, rules)), origin="the test")


def _order(attacked: Attacked) -> list[tuple[int, str]]:
    return [(rule.position, rule.path) for rule in attacked.service.latchgate.access_rules.get_all(COMMAND_LINE).rules]


def _names(attacked: Attacked) -> list[str]:
    return [rule.name for rule in attacked.service.latchgate.access_rules.get_all(COMMAND_LINE).rules]


def _verify(attacked: Attacked, target: str, key: str | None) -> int:
    method, address, headers = question(Proxy.NGINX, target=target)
    return attacked.service.ask(address, key, method=method, headers=headers, peer=PROXY).status


def test_what_is_changed_counts_for_the_next_question(attacked: Attacked) -> None:
    """A rule that is made, changed, moved and deleted over HTTP, each time as the proxy is told right after."""
    manager, plain = attacked.manager, attacked.plain
    assert [_verify(attacked, path, plain) for path in ("/mine/1", "/admin/1", "/new/1")] == [204, 403, 403]

    made = attacked.ask(RULES, manager, {"path": "/new/*", "methods": "GET"}, method="POST").document["data"]
    target = f"{RULES}/{made['name']}"
    seen = [_verify(attacked, "/new/1", key) for key in (plain, None)]
    attacked.ask(target, manager, {"roles": ["System Manager"]}, method="PUT")
    seen.append(_verify(attacked, "/new/1", plain))
    attacked.ask(target, manager, {"path": "/*", "roles": [], "position": 1}, method="PUT")
    seen.append(_verify(attacked, "/admin/1", plain))
    attacked.ask(target, manager, method="DELETE")
    seen.append(_verify(attacked, "/admin/1", plain))

    assert seen == [204, 401, 403, 204, 403]
    asked = {"fields": '["path","position","roles"]', "order_by": "position asc"}
    assert attacked.ask(RULES, manager, asked).document["data"] == [
        {"path": "/admin/*", "position": 1, "roles": ["System Manager"]},
        {"path": "/mine/*", "position": 2, "roles": []},
    ]


def test_limited_credentials_are_judged_alike(attacked: Attacked) -> None:
    """A rule without scopes refuses them, one that names theirs lets them in, one for any too."""
    narrow = attacked.service.make_key(PLAIN, scopes=frozenset({"orders.read"})).token
    _load(attacked, {"path": "/0"}, {"path": "/1", "scopes": ["orders.read"]}, {"path": "/2", "scopes": ["*"]})

    assert [_verify(attacked, f"/{number}", narrow) for number in range(3)] == [403, 204, 204]


def test_rules_that_are_put_at_one_place_together_all_have_one(attacked: Attacked) -> None:
    """Places are counted without gaps, whoever came first."""
    form = [("path", "/new"), ("position", "1")]

    answers = attacked.service.forms_together(RULES, form, attacked.manager, _TOGETHER)

    assert {status for status, _ in answers} == {200}
    assert _order(attacked) == [
        *((place, "/new") for place in range(1, _TOGETHER + 1)),
        (_TOGETHER + 1, "/admin/*"),
        (_TOGETHER + 2, "/mine/*"),
    ]


def test_moves_at_the_same_time_leave_one_order(attacked: Attacked) -> None:
    """Each rule has one place and each place one rule, however many move them; who saw another order is told."""
    _load(attacked, *({"path": f"/{number}"} for number in range(_TOGETHER)))
    names = _names(attacked)

    moved = _at_once([partial(_move, attacked, names[number], 1, number + 1) for number in range(1, _TOGETHER)])

    assert any(moved)
    assert [place for place, _ in _order(attacked)] == list(range(1, _TOGETHER + 1))
    assert sorted(path for _, path in _order(attacked)) == [f"/{number}" for number in range(_TOGETHER)]


def test_of_several_who_saw_the_same_place_one_moves_the_rule(attacked: Attacked) -> None:
    """The others are told that it stands elsewhere by now."""
    _load(attacked, *({"path": f"/{number}"} for number in range(_TOGETHER)))
    name = _names(attacked)[-1]

    moved = _at_once([partial(_move, attacked, name, place, _TOGETHER) for place in range(1, _TOGETHER)])

    assert moved.count(True) == 1
    assert [place for place, _ in _order(attacked)] == list(range(1, _TOGETHER + 1))


def test_of_two_changes_of_what_was_read_one_counts(attacked: Attacked) -> None:
    """Whoever sends the `modified` of before is told that somebody else came in between, if only to move it."""
    target = f"{RULES}/{_names(attacked)[0]}"
    read = attacked.ask(target, attacked.manager).document["data"]

    first = attacked.ask(target, attacked.manager, {**read, "position": 2}, method="PUT")
    second = attacked.ask(target, attacked.manager, {**read, "path": "/elsewhere"}, method="PUT")

    assert (first.status, second.status) == (200, 417)
    assert "TimestampMismatchError" in second.text
    assert _order(attacked) == [(1, "/mine/*"), (2, "/admin/*")]


def _move(attacked: Attacked, name: str, place: int, seen: int) -> bool:
    try:
        attacked.service.latchgate.access_rules.move(COMMAND_LINE, name, place, seen)
    except Conflict:
        return False
    return True


def _at_once(calls: list[Callable[[], bool]]) -> list[bool]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]
