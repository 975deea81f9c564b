"""The pages of keys, alike for a user, for oneself and for a record: a secret is shown once, and what ends is told."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from support.asgi import Answer, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, key_seen_in, secret_in, send_form, send_json, visit

MANAGER, API, WEB, OTHER = "manager@example.com", "api@example.com", "web@example.com", "other@example.com"
SOURCE = "API Device"
DOOR = 'Front <door> "1/2"'
RECORD = f"/app/source/API%20Device/record/{DOOR}".replace(" <", "%20%3C").replace("> ", "%3E%20")
RECORD = RECORD.replace('"', "%22").replace("1/2", "1%2F2")
Home = tuple[str, str, str, str]
"""An owner of keys: its page, whoever is there, and whose keys they are: of a source, a record."""
HOMES: list[Home] = [
    (f"/app/user/{OTHER}", MANAGER, "User", OTHER),
    ("/me", WEB, "User", WEB),
    (RECORD, MANAGER, SOURCE, DOOR),
]
_ALL = {"label": "Kept", "may": "all", "expires": "30"}
_LOGGED_USER = "/api/method/frappe.auth.get_logged_user"


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, and a record that acts as one."""
    with opened_service(tmp_path_factory.mktemp("keys") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.make_user(OTHER, first_name="Othello")
        service.latchgate.sources.create(COMMAND_LINE, SOURCE)
        service.latchgate.sources.create_record(COMMAND_LINE, SOURCE, DOOR, API)
        yield service


def _asked_as(service: Service, key: str, secret: str, source: str) -> Answer:
    headers = [] if source == "User" else [("frappe-authorization-source", source)]
    return service.ask(_LOGGED_USER, f"token {key}:{secret}", headers=headers)


def _keys(service: Service, source: str, record: str) -> list[dict[str, Any]]:
    filters = f'[["source","=","{source}"],["record","=",{_json(record)}],["revoked","is","not set"]]'
    cookie = ("cookie", f"sid={service.sign_in(MANAGER).sid}")
    path = f'/api/resource/API Key?fields=["*"]&limit=0&order_by=creation asc&filters={filters}'
    return list(service.ask(path.replace("<", "%3C").replace(" ", "%20"), headers=[cookie]).document["data"])


def _json(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


@pytest.mark.parametrize("home", HOMES)
def test_keys_are_generated_replaced_and_ended(peopled: Service, home: Home) -> None:
    """The first time at once, the next with what stops; the secret is in that one answer and in no other."""
    page, user, source, record = home
    acts_as = API if source == SOURCE else record
    shown = assert_page(send_form(peopled, f"{page}/generate-keys", user, {}))
    secret = secret_in(shown)
    (key,) = _keys(peopled, source, record)

    assert _asked_as(peopled, key["name"], secret, source).document == {"message": acts_as}
    assert ("Frappe-Authorization-Source" in shown) == (source == SOURCE)
    assert f"This key can do everything that {acts_as} may, from any address, without an end." in shown
    asks = assert_page(visit(peopled, f"{page}/generate-keys", user))
    assert "It was used once within a day, from one address" in asks
    assert secret not in asks
    second = secret_in(assert_page(send_form(peopled, f"{page}/generate-keys", user, key_seen_in(asks))))
    assert _asked_as(peopled, key["name"], secret, source).status == 401
    rotate, revoke = (f"{page}/key/{key['name']}/{what}" for what in ("rotate", "revoke"))
    seen = key_seen_in(assert_page(visit(peopled, rotate, user)))
    third = secret_in(assert_page(send_form(peopled, rotate, user, {"overlap": "3600", **seen})))
    assert [_asked_as(peopled, key["name"], one, source).status for one in (second, third)] == [200, 200]
    assert "former secret works" in assert_page(visit(peopled, rotate, user))
    assert "ends for good" in assert_page(visit(peopled, revoke, user))
    ended = send_form(peopled, revoke, user, {})
    assert (ended.status, "done=revoked" in str(ended.header("location"))) == (303, True)
    assert "The key was revoked." in assert_page(visit(peopled, str(ended.header("location")), user))
    assert [_asked_as(peopled, key["name"], one, source).status for one in (second, third)] == [401, 401]
    assert _keys(peopled, source, record) == []


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(
    ("typed", "fields", "sentence"),
    [
        ({"may": "read"}, {"scopes": ["read"]}, "read everything that {} may read, from any address, until "),
        (
            {"may": "pick", "scope:User:read": "1", "scope:API Key:read": "1", "scope:User:write": "1"},
            {"scopes": ["API Key:read", "User:read", "User:write"]},
            "read API Key and User records and write User records as {}, from any address, until ",
        ),
        (
            {"may": "pick", "other_scopes": "deploy, door.open"},
            {"scopes": ["deploy", "door.open"]},
            "use deploy and door.open in applications behind Latchgate as {}, from any address, until ",
        ),
        (
            {"may": "all", "allowed_networks": "10.0.0.0/8\n192.0.2.7", "limit_per_minute": "60"},
            {"scopes": ["all"], "allowed_networks": ["10.0.0.0/8", "192.0.2.7/32"], "limit_per_minute": 60},
            "do everything that {} may, from 10.0.0.0/8 and 192.0.2.7/32, until ",
        ),
        (
            {"may": "all", "expires": "date", "expires_on": "2199-02-19"},
            {"expires": "2199-02-19 23:59:59.000000"},
            "do everything that {} may, from any address, until 19 February 2199.",
        ),
        (
            {"may": "all", "expires": ""},
            {"expires": None},
            "do everything that {} may, from any address, without an end.",
        ),
    ],
)
def test_a_new_key_is_as_the_form_says(
    peopled: Service,
    home: Home,
    typed: dict[str, str],
    fields: dict[str, Any],
    sentence: str,
) -> None:
    """And so does the sentence beside its secret."""
    page, user, source, record = home
    made = send_form(peopled, f"{page}/new-key", user, {**_ALL, "expires": "90", **typed})
    shown = assert_page(made)

    # Loaded again, it is the owner's page and no empty form.
    assert re.fullmatch(re.escape(unquote(page)) + r"(\?tab=\w+)?", unquote(made.header("hx-replace-url") or ""))
    key = _keys(peopled, source, record)[-1]
    assert {name: key[name] for name in fields} == fields
    assert key["label"] == "Kept"
    assert (key["expires"] is None) == (typed.get("expires") == "")
    assert f"This key can {sentence.format(API if source == SOURCE else record)}" in shown
    allowed = "192.0.2.7/32" in key["allowed_networks"] or not key["allowed_networks"]
    assert _asked_as(peopled, key["name"], secret_in(shown), source).status == (200 if allowed else 401)


@pytest.mark.parametrize("home", HOMES)
def test_what_a_key_would_come_to_is_said_before_it_is_made(peopled: Service, home: Home) -> None:
    """The form asks for the sentence with what is chosen, and nothing is made."""
    page, user, source, record = home
    before = _keys(peopled, source, record)
    typed = {"label": "<i>", "may": "pick", "scope:User:read": "1", "expires": "date", "expires_on": "2199-01-01"}
    typed |= {"allowed_networks": "10.0.0.0/8", "limit_per_minute": "1000"}

    text = assert_page(send_form(peopled, f"{page}/new-key?preview=1", user, typed))
    unfinished = assert_page(send_form(peopled, f"{page}/new-key?preview=1", user, {**typed, "expires_on": ""}))

    acts_as = API if source == SOURCE else record
    assert (
        f"This key can read User records as {acts_as}, from 10.0.0.0/8, until 1 January 2199, at most 1,000 times a "
        "minute."
    ) in text
    assert "once the form is complete" in unfinished
    assert _keys(peopled, source, record) == before


REFUSED = [
    ({"allowed_networks": "nowhere"}, "allowed_networks"),
    ({"limit_per_minute": "0"}, "limit_per_minute"),
    ({"limit_per_minute": "9" * 5000}, "limit_per_minute"),
    ({"may": "pick", "other_scopes": "every thing"}, "may"),
    ({"may": "pick"}, "may"),
    ({"may": "pick", "other_scopes": " , ,"}, "may"),
    ({"may": ""}, "may"),
    ({"may": "pick", "scope:": "1"}, "may"),
    ({"may": "pick", "scope:User:destroy": "1"}, "may"),
    ({"expires": "91"}, "expires"),
    ({"expires": "soon"}, "expires"),
    ({"expires": "date"}, "expires_on"),
    ({"expires": "date", "expires_on": "tomorrow"}, "expires_on"),
    ({"expires": "date", "expires_on": "2001-01-01"}, "expires_on"),
    ({"expires": "date", "expires_on": "2199-02-30"}, "expires_on"),
    ({"expires": "date", "expires_on": "99999-01-01"}, "expires_on"),
]


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(("typed", "field"), REFUSED)
def test_a_refused_key_says_why_and_keeps_what_was_typed(
    peopled: Service, home: Home, typed: dict[str, str], field: str
) -> None:
    """At its field; no key is made, least of all one without limits."""
    page, user, source, record = home
    before = _keys(peopled, source, record)

    text = assert_shown(send_form(peopled, f"{page}/new-key", user, {**_ALL, **typed}), 417)

    assert f'id="{field}-error"' in text
    assert 'value="Kept"' in text
    assert _keys(peopled, source, record) == before


@pytest.mark.parametrize("name", ["label", "may", "expires", "expires_on", "other_scopes", "allowed_networks"])
@pytest.mark.parametrize("value", [None, [], {}, 90, {"a": ["b"]}, True])
def test_what_no_form_sends_makes_no_key_and_no_fault(peopled: Service, name: str, value: object) -> None:
    """JSON may hold anything; where nothing at all counts as empty, the key is made as if so."""
    sent: dict[str, object] = {"label": "Kept", "may": "pick", "other_scopes": "x", "expires": "date"}
    sent |= {"expires_on": "2199-01-01", name: value}

    answer = send_json(peopled, f"/app/user/{OTHER}/new-key", MANAGER, sent)

    empty = (name in {"label", "allowed_networks"} and value is None) or (name, value) == ("allowed_networks", [])
    assert answer.status == (200 if empty else 417), answer.text
    assert_page(answer)


@pytest.mark.parametrize("overlap", [None, "", "-1", "1e9", "99999999999", "soon", [], {}, 3600])
def test_an_overlap_that_was_not_offered_changes_nothing(peopled: Service, overlap: object) -> None:
    """Nor does one of another kind, in JSON."""
    pair = peopled.make_key(WEB)

    answer = send_json(peopled, f"/app/user/{WEB}/key/{pair.key_id}/rotate", MANAGER, {"overlap": overlap})

    assert "Nothing was changed" in assert_shown(answer, 417)
    assert peopled.ask("/api/method/ping", pair.token).status == 200


@pytest.mark.parametrize("page", ["/app/user/manager@example.com", "/me"])
@pytest.mark.parametrize(
    ("path", "scopes"),
    [
        ("generate-keys", {"API Key:create", "API Key:write", "User:read"}),
        ("key/<key>/rotate", {"API Key:write", "User:read"}),
        ("new-key", {"API Key:create", "User:read"}),
    ],
)
def test_what_could_not_be_shown_is_not_done(peopled: Service, page: str, path: str, scopes: set[str]) -> None:
    """A credential that may make a secret and not read the page that shows it, loses none and leaves none."""
    pair = peopled.make_key(MANAGER, scopes=frozenset(scopes))
    typed = {"overlap": "0", "may": "pick", "expires": "", **{f"scope:{scope}": "1" for scope in scopes}}
    before = len(_keys(peopled, "User", MANAGER))

    answer = peopled.post(f"{page}/{path}".replace("<key>", pair.key_id), typed, pair.token, form=True, headers=[HTML])

    assert answer.status in {403, 404}
    assert "lgs_" not in answer.text
    assert peopled.ask("/api/method/ping", pair.token).status == 200
    assert len(_keys(peopled, "User", MANAGER)) == before


def test_a_key_makes_none_that_reaches_further(peopled: Service) -> None:
    """By a page no more than elsewhere: what a form offers is no right."""
    pair = peopled.make_key(WEB, scopes=frozenset({"API Key:read", "API Key:create", "User:read"}))

    form = assert_page(peopled.ask("/me/new-key", pair.token, headers=[HTML]))
    answer = peopled.post("/me/new-key", _ALL, pair.token, form=True, headers=[HTML])

    assert re.findall(r'name="scope:([^"]+)"', form) == ["API Key:read", "API Key:create", "User:read"]
    assert answer.status == 403
    assert "lgs_" not in answer.text


def test_whoever_may_not_manage_keys_sees_their_own_and_no_buttons(peopled: Service) -> None:
    """Where an administrator keeps keys to themselves, also a guessed address makes none."""
    pair = peopled.make_key(WEB)
    documents, settings = peopled.latchgate.documents, "System Settings"

    documents.update(COMMAND_LINE, settings, settings, {"allow_own_keys": 0})
    text = assert_page(visit(peopled, "/me?tab=keys", WEB))
    answers = [
        send_form(peopled, f"/me/{path}", WEB, {**_ALL, "overlap": "0"})
        for path in ("generate-keys", "new-key", f"key/{pair.key_id}/rotate", f"key/{pair.key_id}/revoke")
    ]
    documents.update(COMMAND_LINE, settings, settings, {"allow_own_keys": 1})

    assert pair.key_id in text
    assert "You may see these keys" in text
    for label in ("Generate Keys</", "New key", "Rotate", "Revoke"):
        assert label not in text
    assert [answer.status for answer in answers] == [403] * 4
    assert peopled.ask("/api/method/ping", pair.token).status == 200


def test_a_key_of_another_source_with_the_same_id_is_not_in_the_way(peopled: Service) -> None:
    """The page says already whose key is meant."""
    peopled.latchgate.sources.create_record(COMMAND_LINE, "Event Consumer", API, API)
    for source, record in (("User", WEB), ("Event Consumer", API)):
        pair = PairText("key-0001", Secret(f"a-long-secret-of-{source[:5]}"))
        peopled.latchgate.api_keys.import_key(COMMAND_LINE, Owner(source, record), pair, KeyOrder())

    consumer = f"/app/source/Event%20Consumer/record/{API}"
    assert visit(peopled, f"/app/user/{WEB}/key/key-0001/rotate", MANAGER).status == 200
    assert visit(peopled, f"/app/user/{API}/key/key-0001/rotate", MANAGER).status == 404
    assert send_form(peopled, f"/app/user/{API}/key/key-0001/revoke", MANAGER, {}).status == 404
    assert send_form(peopled, f"/app/user/{WEB}/key/key-0001/revoke", MANAGER, {}).status == 303
    assert visit(peopled, f"{consumer}/key/key-0001/rotate", MANAGER).status == 200
    assert send_form(peopled, f"{consumer}/key/key-0001/revoke", MANAGER, {}).status == 303


def test_what_cannot_be_is_said_in_a_dialog(peopled: Service) -> None:
    """Guest owns no key, and a key that has ended gets no new secret."""
    pair = peopled.make_key(WEB)
    peopled.latchgate.api_keys.revoke(COMMAND_LINE, pair.key_id)

    for path in ("/app/user/Guest/generate-keys", f"/app/user/{WEB}/key/{pair.key_id}/rotate"):
        text = assert_shown(send_form(peopled, path, MANAGER, {"overlap": "0"}), 417)
        assert "Nothing was changed" in text


@pytest.mark.parametrize(
    "page", [f"/app/user/{API}", "/me", "/app/source/Event%20Consumer/record/None", "/app/source/Role/record/All"]
)
def test_a_key_is_reached_at_its_own_owner_alone(peopled: Service, page: str) -> None:
    """Another's page is not a way to it."""
    pair = peopled.make_key(OTHER)
    for what in ("rotate", "revoke"):
        path = f"{page}/key/{pair.key_id}/{what}"
        assert visit(peopled, path, MANAGER).status == 404
        assert send_form(peopled, path, MANAGER, {"overlap": "0"}).status == 404
    assert peopled.ask("/api/method/ping", pair.token).status == 200


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("path", ["generate-keys", "new-key", "key/x/rotate", "key/x/revoke"])
def test_a_change_of_keys_needs_the_session_s_token(peopled: Service, home: Home, path: str) -> None:
    """Another site's form is refused, whatever page it is sent to."""
    page, user, source, record = home
    before = _keys(peopled, source, record)
    sid = peopled.sign_in(user).sid

    answer = peopled.post(f"{page}/{path}", _ALL, form=True, headers=[("cookie", f"sid={sid}"), HTML])

    assert answer.status == 400
    assert _keys(peopled, source, record) == before
