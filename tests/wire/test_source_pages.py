"""The pages of sources and their records: who gets what, by whatever address they guess, and what forms do."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, done_at, send_form, send_json, visit

MANAGER, API, WEB, KEEPER = "manager@example.com", "api@example.com", "web@example.com", "keeper@example.com"
SOURCE, DOOR = "API Device", "Front door"
LIST, RECORDS = "/app/source", "/app/source/API%20Device"
RECORD = f"{RECORDS}/record/Front%20door"


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, one of whom keeps the records of a source."""
    with opened_service(tmp_path_factory.mktemp("sources") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.sources.create(COMMAND_LINE, SOURCE)
        service.latchgate.sources.create_record(COMMAND_LINE, SOURCE, DOOR, API)
        service.latchgate.roles.create(COMMAND_LINE, "Keeper")
        service.make_user(KEEPER, roles=frozenset({"Keeper"}))
        for doctype, actions in ((SOURCE, EVERY_ACTION), ("Authorization Source", frozenset({Action.READ}))):
            grant = Grant("Keeper", doctype, if_owner=False, actions=actions)
            service.latchgate.permissions.grant(COMMAND_LINE, grant)
        service.make_key(DOOR, source=SOURCE)
        yield service


ADDRESSES = [
    LIST,
    f"{LIST}?new=1",
    RECORDS,
    f"{RECORDS}?new=1",
    f"{RECORDS}?search=door&enabled=yes&sort=-user",
    f"{RECORDS}/delete",
    RECORD,
    f"{RECORD}/delete",
    f"{RECORD}/generate-keys",
    f"{RECORD}/new-key",
]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("user", "statuses"), [("", {303}), (WEB, {403}), (API, {403, 404}), (MANAGER, {200})])
def test_a_page_is_for_who_may_read_what_is_in_it(peopled: Service, path: str, user: str, statuses: set[int]) -> None:
    """Guests are sent to sign in; whoever may not learns nothing of others from any address."""
    answer = visit(peopled, path, user)

    assert answer.status in statuses
    shown = answer.text.partition("data-fault")[0]
    assert (SOURCE in shown) == (user == MANAGER)
    if user:
        assert_page(answer)


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        (LIST, {"source_name": "Stolen"}),
        (RECORDS, {"record_name": "Stolen", "user": API}),
        (f"{RECORDS}/delete", {}),
        (RECORD, {"user": WEB, "enabled": "1"}),
        (f"{RECORD}/delete", {}),
        (f"{RECORD}/generate-keys", {}),
    ],
)
@pytest.mark.parametrize("user", [WEB, API])
def test_a_change_is_for_who_may_make_it(peopled: Service, path: str, typed: dict[str, object], user: str) -> None:
    """Forms that nobody was shown change nothing, and none changes anything without the session's token."""
    sources = peopled.latchgate.sources
    before = sources.list_sources(), sources.list_records(SOURCE)

    answer = send_form(peopled, path, user, typed)
    forged = peopled.post(path, typed, form=True, headers=[("cookie", f"sid={peopled.sign_in(MANAGER).sid}"), HTML])

    assert answer.status in {403, 404}
    assert "lgs_" not in answer.text
    assert forged.status == 400
    assert (sources.list_sources(), sources.list_records(SOURCE)) == before


def test_a_source_is_made_filled_and_deleted(peopled: Service) -> None:
    """Records first, then the source; each step says what it did."""
    made = send_form(peopled, LIST, MANAGER, {"source_name": "Door Lock"})
    records = "/app/source/Door%20Lock"
    assert (made.status, made.header("location")) == (303, f"{records}?done=created")
    assert "No record yet" in assert_page(visit(peopled, records, MANAGER))

    name = 'Gate <b>"7/8"</b> é'
    made = send_form(peopled, records, MANAGER, {"record_name": name, "user": ""})
    record = f"{records}/record/{quote(name, safe='')}"
    assert (made.status, made.header("location")) == (303, f"{record}?done=created")
    assert "acts as nobody yet" in assert_page(visit(peopled, record, MANAGER))
    saved = send_form(peopled, record, MANAGER, {"user": API.upper(), "enabled": "1"})
    assert (saved.status, done_at(saved)) == (303, f"{record}?done=saved")
    (stored,) = peopled.latchgate.sources.list_records("Door Lock")
    assert (stored.name, stored.user, stored.enabled) == (name, API, True)
    send_form(peopled, record, MANAGER, {"user": ""})
    (stored,) = peopled.latchgate.sources.list_records("Door Lock")
    assert (stored.user, stored.enabled) == (None, False)

    listed = assert_page(visit(peopled, records, MANAGER))
    assert "Gate &lt;b&gt;" in listed
    refused = send_form(peopled, f"{records}/delete", MANAGER, {})
    assert "has records; delete them first" in assert_shown(refused, 409)
    assert "is deleted." in assert_page(visit(peopled, f"{record}/delete", MANAGER))
    gone = send_form(peopled, f"{record}/delete", MANAGER, {})
    assert (gone.status, gone.header("location")) == (303, f"{records}?done=deleted")
    ended = send_form(peopled, f"{records}/delete", MANAGER, {})
    assert (ended.status, ended.header("location")) == (303, f"{LIST}?done=deleted")
    assert visit(peopled, records, MANAGER).status == 404
    assert visit(peopled, record, MANAGER).status == 404


@pytest.mark.parametrize(
    ("path", "typed", "status", "told"),
    [
        (LIST, {"source_name": "no / name"}, 417, 'id="source_name-error"'),
        (LIST, {"source_name": ""}, 417, 'id="source_name-error"'),
        (LIST, {"source_name": "api device"}, 409, "There is a document type API Device already"),
        (LIST, {"source_name": "DocType"}, 417, 'id="source_name-error"'),
        (LIST, {"source_name": "Access Rule"}, 409, "There is a document type Access Rule already"),
        (RECORDS, {"record_name": "", "user": API}, 417, 'id="record_name-error"'),
        (RECORDS, {"record_name": "..", "user": API}, 417, 'id="record_name-error"'),
        (RECORDS, {"record_name": "Kept", "user": "nobody@example.com"}, 417, 'id="user-error"'),
        (RECORDS, {"record_name": DOOR, "user": API}, 409, 'id="record_name-error"'),
        (RECORD, {"user": "nobody@example.com", "enabled": "1"}, 417, 'id="user-error"'),
        (RECORD, {"user": "Guest", "enabled": "1"}, 417, 'id="user-error"'),
        (RECORD, {"user": WEB, "enabled": "1", "modified": "2020-01-01 00:00:00"}, 417, "Somebody else"),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    peopled: Service, path: str, typed: dict[str, str], status: int, told: str
) -> None:
    """At its field where there is one, above the form otherwise; nothing is half done."""
    sources = peopled.latchgate.sources
    before = sources.list_sources(), sources.list_records(SOURCE)

    text = assert_shown(send_form(peopled, path, MANAGER, typed), status)

    assert told in text
    for name in typed.keys() - {"enabled", "modified"}:
        assert f'value="{typed[name]}"' in text
    assert (sources.list_sources(), sources.list_records(SOURCE)) == before


@pytest.mark.parametrize("value", [None, [], {}, 7, True])
@pytest.mark.parametrize(("path", "name"), [(LIST, "source_name"), (RECORDS, "record_name"), (RECORD, "user")])
def test_what_no_form_sends_is_refused_as_well(peopled: Service, path: str, name: str, value: object) -> None:
    """JSON of other kinds changes nothing, but for nothing at all as the user of a record."""
    answer = send_json(peopled, path, MANAGER, {name: value, "enabled": 1})

    assert answer.status == (303 if path == RECORD and value is None else 417)
    if path == RECORD:
        send_form(peopled, RECORD, MANAGER, {"user": API, "enabled": "1"})


@pytest.mark.parametrize("source", ["Role", "API%20Key", "API%20Request%20Log", "System%20Settings", "Nowhere", "%00"])
def test_what_is_no_source_has_no_page_here(peopled: Service, source: str) -> None:
    """Other document types have pages of their own, or none."""
    for path in (f"{LIST}/{source}", f"{LIST}/{source}/record/All", f"{LIST}/{source}/delete"):
        assert visit(peopled, path, MANAGER).status == 404
        assert send_form(peopled, path, MANAGER, {"record_name": "x", "user": ""}).status == 404


def test_users_are_a_source_with_pages_of_their_own(peopled: Service) -> None:
    """The way there is the list of users."""
    assert 'href="/app/user"' in assert_page(visit(peopled, LIST, MANAGER))
    answer = visit(peopled, f"{LIST}/User", MANAGER)
    assert (answer.status, answer.header("location")) == (303, "/app/user")
    assert visit(peopled, f"{LIST}/User/record/{API}", MANAGER).status == 404


def test_who_keeps_records_sees_what_their_role_allows(peopled: Service) -> None:
    """The records, not others' keys; no source can be made or deleted, and no account be acted as that may do more."""
    listed = assert_page(visit(peopled, LIST, KEEPER))
    records = assert_page(visit(peopled, f"{RECORDS}?new=1", KEEPER))
    record = assert_page(visit(peopled, RECORD, KEEPER))

    assert "New source" not in listed
    assert "New record" in records
    assert "Delete source" not in records
    assert ">Keys<" not in records
    assert "You may not see these keys." in record
    made = send_form(peopled, RECORDS, KEEPER, {"record_name": "Kept", "user": KEEPER})
    assert made.status == 303
    raised = send_form(peopled, f"{RECORDS}/record/Kept", KEEPER, {"user": "Administrator", "enabled": "1"})
    assert raised.status in {403, 417}
    assert send_form(peopled, f"{RECORDS}/delete", KEEPER, {}).status == 403
    assert send_form(peopled, LIST, KEEPER, {"source_name": "Theirs"}).status == 403
    assert 'id="secret"' in assert_page(send_form(peopled, f"{RECORDS}/record/Kept/generate-keys", KEEPER, {}))
    assert send_form(peopled, f"{RECORD}/generate-keys", KEEPER, {}).status == 403
    assert send_form(peopled, f"{RECORDS}/record/Kept/delete", KEEPER, {}).status == 303


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {DOOR}),
        ("search=front", {DOOR}),
        ("search=api%40", {DOOR}),
        ("search=none", set()),
        ("enabled=no", set()),
        ("enabled=maybe&sort=id&start=-1", {DOOR}),
        ("start=999999", set()),
    ],
)
def test_the_list_is_narrowed_by_its_address(peopled: Service, query: str, shown: set[str]) -> None:
    """What no filter knows is left out."""
    text = assert_page(visit(peopled, f"{RECORDS}?{query}", MANAGER))

    assert {one.replace("%20", " ") for one in re.findall(r'class="opens" href="[^"]+/record/([^"]+)"', text)} == shown


def test_before_a_record_is_deleted_its_use_is_told(peopled: Service) -> None:
    """What its keys did within a day, all together; and that they never did anything."""
    peopled.latchgate.sources.create_record(COMMAND_LINE, SOURCE, "Side door", API)
    path = f"{RECORDS}/record/Side%20door/delete"
    pairs = [peopled.make_key("Side door", source=SOURCE) for _ in range(2)]
    assert "They were never used." in assert_page(visit(peopled, path, MANAGER))

    for pair in (*pairs, pairs[0]):
        assert peopled.ask(LOGGED_USER, pair.token, headers=[("frappe-authorization-source", SOURCE)]).status == 200

    told = " ".join(re.sub("<[^>]*>", " ", assert_page(visit(peopled, path, MANAGER))).split())
    assert "with all its keys. Whatever uses one stops working at once." in told
    assert "They were used 3 times within a day by 1 address; the last time just now ." in told
