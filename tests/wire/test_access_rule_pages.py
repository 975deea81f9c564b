"""The pages of access rules: who gets what, what the forms do, and that the order is what was seen."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from latchgate.core.rule_explanations import summary_of
from latchgate.core.rule_fields import rule_from
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, Service, opened_service
from support.envelopes import assert_page
from support.pages import send_form, send_json, visit

MANAGER, API, WEB = "manager@example.com", "api@example.com", "web@example.com"
LIST = "/app/access-rule"
_TYPED = {"host": "api.example.com", "path": "/reports/*", "methods": "GET", "scopes": ""}
_FILLED = {**_TYPED, "who": "any", "role:Reader": "1"}
_OPENED = {**_TYPED, "who": "everybody"}


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind and a role."""
    with opened_service(tmp_path_factory.mktemp("rules") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Reader")
        yield service


@pytest.fixture
def ruled(peopled: Service) -> Service:
    """The instance with three rules, and no other."""
    rules = [
        rule_from({"host": "secret.example.com", "path": path, "roles": ["Reader"]}) for path in ("/a/*", "/b", "/c")
    ]
    peopled.latchgate.access_rules.load(COMMAND_LINE, [], origin="test")
    peopled.latchgate.access_rules.load(COMMAND_LINE, rules, origin="test")
    return peopled


def _says(answer: Answer, told: str) -> None:
    text = unescape(re.sub(r"<[^>]+>", " ", assert_page(answer)))
    assert told in " ".join(text.split())


def _order(service: Service) -> list[str]:
    return [rule.path for rule in service.latchgate.access_rules.get_all(COMMAND_LINE).rules]


def _names(service: Service) -> list[str]:
    return [rule.name for rule in service.latchgate.access_rules.get_all(COMMAND_LINE).rules]


@pytest.mark.parametrize("path", ["", "?url=secret.example.com/a/x", "/new", "/{name}", "/{name}/delete"])
@pytest.mark.parametrize(("user", "statuses"), [("", {303}), (WEB, {403}), (API, {403, 404}), (MANAGER, {200})])
def test_a_page_is_for_who_may_read_what_is_in_it(ruled: Service, path: str, user: str, statuses: set[int]) -> None:
    """Guests are sent to sign in; whoever may not learns of no rule from any address."""
    answer = visit(ruled, LIST + path.format(name=_names(ruled)[0]), user)

    assert answer.status in statuses
    shown = answer.text.partition("data-fault")[0]
    assert ("secret.example.com" in shown) == (user == MANAGER and path != "/new")
    if user:
        assert_page(answer)


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/new", _FILLED),
        ("/{name}", _FILLED),
        ("/{name}/delete", {}),
        ("/{name}/move", {"seen": "1", "position": "2"}),
    ],
)
@pytest.mark.parametrize("user", [WEB, API])
def test_a_change_is_for_who_may_make_it(ruled: Service, path: str, typed: dict[str, object], user: str) -> None:
    """Forms that nobody was shown change nothing, and none changes anything without the session's token."""
    address = LIST + path.format(name=_names(ruled)[0])
    before = ruled.latchgate.access_rules.get_all(COMMAND_LINE).rules

    answer = send_form(ruled, address, user, typed)
    forged = ruled.post(address, typed, form=True, headers=[("cookie", f"sid={ruled.sign_in(MANAGER).sid}")])

    assert answer.status in {403, 404}
    assert forged.status == 400
    assert ruled.latchgate.access_rules.get_all(COMMAND_LINE).rules == before


def test_a_rule_is_made_changed_and_deleted(ruled: Service) -> None:
    """What was typed is what the rule says, and the form shows it as it would be typed."""
    made = send_form(ruled, f"{LIST}/new", MANAGER, {**_FILLED, "position": "1"})
    address = (made.header("location") or "").partition("?")[0]

    first = ruled.latchgate.access_rules.get_all(COMMAND_LINE).rules[0]
    assert (made.status, address) == (303, f"{LIST}/{first.name}")
    assert summary_of(first) == "GET /reports/* on api.example.com: anyone with role Reader"
    form = visit(ruled, address, MANAGER).text
    assert 'value="/reports/*"' in form
    assert re.search(r'name="role:Reader"[^>]* checked', form)

    changed = send_form(ruled, address, MANAGER, {**_OPENED, "methods": "", "host": ""})
    assert changed.status == 303
    first = ruled.latchgate.access_rules.get_all(COMMAND_LINE).rules[0]
    assert summary_of(first) == "any method /reports/* on any host: everybody, also without a credential"

    assert send_form(ruled, f"{address}/delete", MANAGER, {}).status == 303
    assert _order(ruled) == ["/a/*", "/b", "/c"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"host": "https://x/"}, "is an address: write its host alone"),
        ({"host": " "}, "Is blank: name a host, or leave it empty for any"),
        ({"path": "reports"}, "must begin with a slash"),
        ({"path": " "}, "Is empty: for every path, write /*"),
        ({"path": "/a//b"}, "is not in normal form"),
        ({"methods": "G T"}, "is no method"),
        ({"who": "nobody"}, "Must be one of the choices"),
        ({"who": "any", "role:Reader": None}, "Tick at least one role"),
        ({"role:Nope": "1"}, "Could not find Role: Nope"),
        ({"scopes": "Foo:jump"}, "No credential can have it"),
        ({"who": "user"}, "Reader is ticked below: let in users with it, or untick it"),
        ({"who": "everybody"}, "Reader is ticked below"),
        ({"methods": ","}, "Is an empty text"),
        ({"scopes": "*, a"}, "stands alone"),
        ({"who": "everybody", "role:Reader": None, "scopes": "a"}, "can ask for no roles and no scopes"),
        ({"allow_foreign_authorization": "1"}, "it needs allow_guest"),
        ({"position": "x"}, "Must be a whole number"),
        ({"position": "-1"}, "Must be at least 0"),
    ],
)
def test_a_refused_form_comes_again(ruled: Service, typed: dict[str, str | None], told: str) -> None:
    """What is wrong is said at its field, what was typed is still there, and nothing was made."""
    sent = {name: value for name, value in {**_FILLED, **typed}.items() if value is not None}

    answer = send_form(ruled, f"{LIST}/new", MANAGER, sent)

    assert answer.status == 417
    _says(answer, told)
    assert 'value="api.example.com"' in answer.text or "host" in typed
    assert len(_order(ruled)) == 3


@pytest.mark.parametrize("name", ["host", "path", "methods", "scopes"])
def test_a_form_that_was_cut_widens_no_rule(ruled: Service, name: str) -> None:
    """A field that did not arrive is not one that was left empty: nothing is made and nothing changed."""
    sent = {field: value for field, value in _FILLED.items() if field != name}
    before = ruled.latchgate.access_rules.get_all(COMMAND_LINE).rules

    for address in (f"{LIST}/new", f"{LIST}/{before[0].name}"):
        answer = send_form(ruled, address, MANAGER, sent)
        assert answer.status == 417
        _says(answer, "Was not sent: send the whole form")

    assert ruled.latchgate.access_rules.get_all(COMMAND_LINE).rules == before


def test_what_no_form_sends_is_refused(ruled: Service) -> None:
    """Values of other kinds are no reason for a fault."""
    for sent in (
        {"host": 1},
        {**_FILLED, "path": ["/"]},
        {**_FILLED, "who": {}},
        {**_FILLED, "role:" + "x" * 5000: "1"},
    ):
        assert send_json(ruled, f"{LIST}/new", MANAGER, sent).status == 417
    for sent in ({}, {"seen": 1, "position": 2}, {"seen": "1", "position": "0"}, {"seen": "1", "position": "²"}):
        assert send_json(ruled, f"{LIST}/{_names(ruled)[0]}/move", MANAGER, sent).status == 417


def test_rules_are_moved_by_their_buttons(ruled: Service) -> None:
    """Up and down are forms, which need no script; the first cannot go up, nor the last down."""
    page = visit(ruled, LIST, MANAGER).text
    names = _names(ruled)
    offered = re.findall(
        r'action="/app/access-rule/([^"/]+)/move"[\s\S]*?name="seen" value="(\d)"[\s\S]*?value="(\d)"', page
    )
    assert offered == [(names[0], "1", "2"), (names[1], "2", "1"), (names[1], "2", "3"), (names[2], "3", "2")]

    moved = send_form(ruled, f"{LIST}/{names[2]}/move", MANAGER, {"seen": "3", "position": "2"})

    assert (moved.status, _order(ruled)) == (303, ["/a/*", "/c", "/b"])


def test_an_order_that_changed_meanwhile_is_told(ruled: Service) -> None:
    """Who moves a rule that stands elsewhere by now moves nothing, and a form that was opened before is stale."""
    first, _, last = _names(ruled)
    opened = visit(ruled, f"{LIST}/{last}", MANAGER).text
    [modified] = re.findall(r'name="modified" value="([^"]+)"', opened)
    ruled.latchgate.access_rules.move(COMMAND_LINE, first, 3)

    refused = send_form(ruled, f"{LIST}/{last}/move", MANAGER, {"seen": "3", "position": "2"})
    stale = send_form(ruled, f"{LIST}/{last}", MANAGER, {**_FILLED, "modified": modified})

    assert refused.status == 409
    _says(refused, "stands at position 2 by now, not at 3")
    assert stale.status == 417
    _says(stale, "Somebody else changed this")
    assert _order(ruled) == ["/b", "/c", "/a/*"]


def test_a_rule_that_never_decides_is_marked(ruled: Service) -> None:
    """One that stands below another for all that it is for says so."""
    below = {**_FILLED, "host": "secret.example.com", "path": "/a/b"}
    send_form(ruled, f"{LIST}/new", MANAGER, below)

    page = visit(ruled, LIST, MANAGER)

    _says(page, f"Never decides {_names(ruled)[0]} before it is for the same")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("url=https://secret.example.com/a/x", "asks for a user"),
        ("url=https://secret.example.com/a/x&user=api@example.com", "refused, the user lacks a role"),
        ("url=secret.example.com/nowhere", "refused, no rule is for it"),
        ("url=secret.example.com/a/%252e%252e/b", "its path can be read in several ways"),
        ("url=ftp://x/", "must begin with http:// or https://"),
        ("url=/x", "names no host"),
        ("url=x&user=nobody@example.com", "Could not find User: nobody@example.com"),
        ("url=x&scopes=Foo:jump", "ends in no action"),
        ("url=x&method=get", "is no method in capitals"),
        ("url=%3Cscript%3E", "is no host"),
    ],
)
def test_an_address_is_tried(ruled: Service, query: str, told: str) -> None:
    """The page tells what would come of a request, and what is wrong with a question."""
    answer = visit(ruled, f"{LIST}?{query}", MANAGER)

    assert answer.status == 200
    _says(answer, told)
    assert "<script>" not in answer.text


def test_there_is_nothing_yet(peopled: Service) -> None:
    """Without any rule the page says what rules are for, and that all is refused."""
    peopled.latchgate.access_rules.load(COMMAND_LINE, [], origin="test")

    _says(visit(peopled, LIST, MANAGER), "every request for a protected application is refused")


def test_the_operators_rules_are_only_shown(tmp_path: Path) -> None:
    """Where a file holds the rules, the pages show them and their way to it, and change nothing."""
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\npath = "/ours"\n')
    with opened_service(tmp_path / "home", access_rules=file) as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.latchgate.load_access_rules()
        [name] = _names(service)

        page, form = visit(service, LIST, MANAGER), visit(service, f"{LIST}/{name}", MANAGER)
        made = send_form(service, f"{LIST}/new", MANAGER, _FILLED | {"who": "user"})
        deleted = send_form(service, f"{LIST}/{name}/delete", MANAGER, {})
        moved = send_form(service, f"{LIST}/{name}/move", MANAGER, {"seen": "1", "position": "1"})

        _says(page, str(file))
        _says(form, str(file))
        assert not re.search(r"New rule|Delete rule|Move down", page.text + form.text)
        assert [answer.status for answer in (made, deleted, moved)] == [417, 417, 417]
        assert _order(service) == ["/ours"]
