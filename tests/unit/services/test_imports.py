"""Importing a document: all of it or nothing, and what exists stays as it is."""

import json
from typing import Any

import pytest

from latchgate.core.addresses import parse_networks
from latchgate.core.passwords import password_verifies
from latchgate.core.principals import Reason
from latchgate.core.tokens import Secret
from latchgate.core.users import UserType
from latchgate.errors import Invalid, NotPermitted
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.imports import ImportService
from latchgate.services.users import UserOrder
from support.house import ADDRESS, USER, House, present_pair, present_token
from support.importing import build_importer, take

_SECRET = "0123456789abcde"
_TOKEN = "made-elsewhere-0123456789"
_DEVICE = {"name": "dev-1", "user": USER, "api_key": "devkey", "api_secret": _SECRET}


@pytest.fixture
def importer(house: House) -> ImportService:
    """The service under test."""
    return build_importer(house)


def _refusal(importer: ImportService, document: object) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        take(importer, document)
    return caught.value.fields


def _why(house: House, key_id: str = "abc", source: str | None = None) -> Reason | None:
    return house.admit(present_pair(key_id, _SECRET, source=source)).reason


def _user(**fields: object) -> dict[str, Any]:
    return {"users": [{"name": USER, "api_key": "abc", "api_secret": _SECRET, **fields}]}


def test_a_user_is_taken_with_all_its_fields(house: House, importer: ImportService) -> None:
    """Names, type, hours and addresses are what the document says."""
    take(
        importer,
        {
            "users": [
                {
                    "name": "API@example.com", "first_name": "Api", "last_name": "User", "user_type": "Website User",
                    "restrict_ip": "10.1, 2001:db8::/32", "login_after": 8, "login_before": 18, "enabled": 0,
                }
            ]
        },
    )  # fmt: skip

    user = house.users.get(USER)
    assert (user.full_name, user.user_type, user.enabled) == ("Api User", UserType.WEBSITE, False)
    assert user.restrict_ip == parse_networks("10.1.0.0/16 2001:db8::/32")
    assert (user.login_after, user.login_before) == (8, 18)
    assert user.password_hash is None


def test_a_users_key_works_and_is_its_first(house: House, importer: ImportService) -> None:
    """The imported key is the one that Frappe calls the user's api_key."""
    report = take(importer, _user())

    assert house.principal(present_pair("abc", _SECRET)).user == USER
    with house.store.read() as tx:
        primary = tx.api_keys.find_primary("User", USER)
    assert primary is not None
    assert primary.key_id == "abc"
    assert report.taken == {"users": 1, "api_keys": 1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"enabled": 0}, Reason.USER_DISABLED),
        ({"restrict_ip": "10.1.1.1"}, Reason.USER_ADDRESS_NOT_ALLOWED),
        ({"login_hours_closed": True, "login_before": 6}, Reason.OUTSIDE_HOURS),
    ],
)
def test_what_narrows_a_user_holds(
    house: House, importer: ImportService, fields: dict[str, Any], reason: Reason
) -> None:
    """A disabled user, one of another address, and one whose hours are closed are refused."""
    take(importer, _user(**fields))

    assert _why(house) is reason


def test_closed_hours_never_open(house: House, importer: ImportService) -> None:
    """At every hour of the day the user is refused."""
    take(importer, _user(login_hours_closed=True))

    for _ in range(24):
        house.clock.advance(3600)
        assert _why(house) is Reason.OUTSIDE_HOURS


def test_roles_are_made_where_they_are_missing(house: House, importer: ImportService) -> None:
    """Those that come with the user's type are left, and said so."""
    report = take(importer, _user(roles=["System Manager", "Report Manager", "All"]))

    assert house.users.get(USER).roles == {"System Manager", "Report Manager"}
    assert report.taken["roles"] == 1
    assert [(left.entry, left.reason) for left in report.left] == [("users[0].roles", "All comes with the user's type")]


def test_passwords_go_by_name_with_a_star_for_the_rest(house: House, importer: ImportService) -> None:
    """Each new user gets its own or the common one; an empty one is none."""
    report = take(
        importer,
        {
            "passwords": {"a@example.com": "password of a", "*": "password of all", "c@example.com": ""},
            "users": [{"name": f"{letter}@example.com"} for letter in "abc"],
        },
    )

    a, b, c = (house.users.get(f"{letter}@example.com").password_hash for letter in "abc")
    assert password_verifies(a or "", Secret("password of a"))
    assert password_verifies(b or "", Secret("password of all"))
    assert c is None
    assert report.taken["passwords"] == 2


def test_progress_is_told_password_by_password(importer: ImportService) -> None:
    """Hashing is what takes the time."""
    document = {"passwords": {"*": "password of all"}, "users": [{"name": "a@b.c"}, {"name": "d@e.f"}]}
    told: list[tuple[int, int]] = []

    importer.import_document(
        COMMAND_LINE, json.dumps(document).encode(), lambda done, wanted: told.append((done, wanted))
    )

    assert told == [(0, 2), (1, 2), (2, 2)]


def test_administrator_gets_its_first_password_and_no_second(house: House, importer: ImportService) -> None:
    """What somebody chose is never replaced by a file's."""
    first = take(importer, {"passwords": {"Administrator": "first"}, "users": [{"name": "Administrator"}]})
    second = take(importer, {"passwords": {"Administrator": "second"}, "users": [{"name": "Administrator"}]})

    assert (first.taken["passwords"], second.taken["passwords"]) == (1, 0)
    assert password_verifies(house.users.get("Administrator").password_hash or "", Secret("first"))


def test_administrator_twice_in_one_document_gets_one_password(house: House, importer: ImportService) -> None:
    """The second entry finds the first one's."""
    twice = [{"name": "Administrator"}, {"name": "administrator"}]

    report = take(importer, {"passwords": {"*": "first"}, "users": twice})

    assert (report.taken["passwords"], report.existed["users"]) == (1, 2)
    assert house.users.get("Administrator").password_hash is not None


def test_an_existing_user_stays_as_it_is_but_gets_its_key(house: House, importer: ImportService) -> None:
    """Neither roles nor password nor name are touched."""
    house.add_user(UserOrder(USER, first_name="Before"))

    report = take(importer, {**_user(first_name="After", roles=["System Manager"]), "passwords": {"*": "password"}})

    user = house.users.get(USER)
    assert (user.first_name, user.roles, user.password_hash) == ("Before", frozenset(), None)
    assert (report.existed["users"], report.taken["api_keys"]) == (1, 1)


def test_every_credential_that_an_existing_user_gains_is_named(house: House, importer: ImportService) -> None:
    """A document could hide a way in as Administrator among its devices and tokens."""
    house.add_user()
    token = {"access_token": "a-token-made-elsewhere", "client": "c", "scopes": "all", "expires_in": 60}
    document = {
        "users": [{"name": "new@example.com", "api_key": "newkey", "api_secret": _SECRET}],
        "alternate_sources": [{"doctype": "API Device", "rows": [{**_DEVICE, "user": "Administrator"}]}],
        "bearer_tokens": [{**token, "user": USER}],
    }

    assert take(importer, document).new_keys == ["Administrator", USER]


def test_sources_and_their_records_are_taken_with_their_keys(house: House, importer: ImportService) -> None:
    """A record's key works with its source, unless it is disabled or names nobody or a disabled user."""
    rows = [
        _DEVICE,
        {**_DEVICE, "name": "dev-2", "api_key": "devkey2", "enabled": 0},
        {**_DEVICE, "name": "dev-3", "api_key": "devkey3", "user": None},
    ]
    report = take(importer, {**_user(), "alternate_sources": [{"doctype": "API Device", "rows": rows, "why": "x"}]})

    assert house.principal(present_pair("devkey", _SECRET, source="API Device")).user == USER
    assert _why(house, "devkey2", "API Device") is Reason.RECORD_DISABLED
    assert _why(house, "devkey3", "API Device") is Reason.RECORD_WITHOUT_USER
    assert (report.taken["sources"], report.taken["records"], report.taken["api_keys"]) == (1, 3, 4)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"expired": True}, Reason.EXPIRED),
        ({"status": "Revoked"}, Reason.REVOKED),
    ],
)
def test_tokens_are_taken_as_active_expired_or_revoked(
    house: House, importer: ImportService, fields: dict[str, Any], reason: Reason | None
) -> None:
    """An active one works for as long as it says."""
    token = {"access_token": _TOKEN, "user": USER, "client": "c", "scopes": "all openid", "expires_in": 60, **fields}

    take(importer, {**_user(), "bearer_tokens": [token]})

    assert house.admit(present_token(_TOKEN)).reason is reason
    house.clock.advance(60)
    assert house.admit(present_token(_TOKEN)).reason is (reason or Reason.EXPIRED)


def test_the_second_time_all_of_it_exists(importer: ImportService) -> None:
    """Nothing is taken twice."""
    document = {
        **_user(),
        "alternate_sources": [{"doctype": "API Device", "rows": [_DEVICE]}],
        "bearer_tokens": [{"access_token": _TOKEN, "user": USER}],
    }
    take(importer, document)

    again = take(importer, document)

    assert not any(again.taken.values())
    assert again.existed == {"users": 1, "sources": 1, "records": 1, "api_keys": 2, "access_tokens": 1}
    assert again.left == []


@pytest.mark.parametrize(
    ("document", "entry", "reason"),
    [
        (_user(api_secret="col:on:secret01"), "users[0].api_secret", "colon"),
        (_user(api_key="ab:c"), "users[0].api_secret", "colon"),
        (_user(api_secret=None), "users[0].api_key", "missing"),
        (_user(api_key=None), "users[0].api_key", "missing"),
        ({"todos": []}, "todos", "no such document type"),
        ({"oauth_settings_note": ""}, "oauth_settings_note", "settings of its own"),
        ({"system_settings": {}}, "system_settings", "settings of its own"),
        (
            {**_user(), "bearer_tokens": [{"access_token": _TOKEN, "user": USER, "refresh_token": "r" * 20}]},
            "bearer_tokens",
            "1 refresh tokens",
        ),
    ],
)
def test_what_cannot_be_taken_is_left_and_said_so(
    importer: ImportService, document: dict[str, Any], entry: str, reason: str
) -> None:
    """Each with its place in the document and why."""
    (left,) = take(importer, document).left

    assert left.entry == entry
    assert reason in left.reason


@pytest.mark.parametrize("change", [{"api_secret": "another secret".replace(" ", "-")}, {"name": "b@example.com"}])
def test_a_key_of_that_name_with_another_secret_or_owner_stays(
    house: House, importer: ImportService, change: dict[str, str]
) -> None:
    """The key that is here goes on working as it did."""
    take(importer, _user())

    (left,) = take(importer, _user(**change)).left

    assert left.entry == "users[0].api_key"
    assert house.principal(present_pair("abc", _SECRET)).user == USER


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (b"{", "file"),
        (b"\xff", "file"),
        ([], "file"),
        ({"usrs": []}, "usrs"),
        ({"users": {}}, "users"),
        ({"users": [{}]}, "users[0].name"),
        ({"users": [{"name": " "}]}, "users[0].name"),
        ({"users": [{"name": "a@b.c", "nam": 1}]}, "users[0].nam"),
        (_user(user_type="Robot"), "users[0].user_type"),
        (_user(enabled="perhaps"), "users[0].enabled"),
        (_user(restrict_ip="10.0.0.0/99"), "users[0].restrict_ip"),
        (_user(restrict_ip=7), "users[0].restrict_ip"),
        (_user(login_after=25), "users[0].login_after"),
        (_user(name="no address"), "users[0].name"),
        (_user(first_name="\x00"), "users[0].first_name"),
        (_user(name="Guest"), "users[0].user"),
        (_user(roles=["a,b"]), "users[0].role"),
        (_user(api_secret="short"), "users[0].api_secret"),
        ({"alternate_sources": [{"doctype": "no/name"}]}, "alternate_sources[0].doctype"),
        ({"alternate_sources": [{"doctype": "X", "rows": [_DEVICE]}]}, "alternate_sources[0].rows[0]"),
        ({"alternate_sources": [{"doctype": "User", "rows": [_DEVICE]}]}, "alternate_sources[0].rows[0].source"),
        ({"bearer_tokens": [{"access_token": _TOKEN, "user": USER}]}, "bearer_tokens[0]"),
        ({"bearer_tokens": [{"access_token": "short", "user": USER}]}, "bearer_tokens[0].access_token"),
        ({"bearer_tokens": [{"access_token": _TOKEN, "user": USER, "scopes": 7}]}, "bearer_tokens[0].scopes"),
        ({"bearer_tokens": [{"access_token": _TOKEN, "user": USER, "scopes": '"'}]}, "bearer_tokens[0].scopes"),
        ({"bearer_tokens": [{"access_token": _TOKEN, "user": USER, "status": "Old"}]}, "bearer_tokens[0].status"),
        ({"bearer_tokens": [{"access_token": _TOKEN, "user": USER, "expires_in": 0}]}, "bearer_tokens[0].expires_in"),
    ],
)
def test_an_entry_that_is_wrong_is_named_and_nothing_is_written(
    house: House, importer: ImportService, document: object, place: str
) -> None:
    """Also where everything before it was right."""
    if isinstance(document, dict):
        document = {"users": [{"name": "before@example.com", "roles": ["Before"]}], **document}
    activity = len(house.activity())

    assert place in _refusal(importer, document)

    assert [user.name for user in house.users.list_users()] == ["Administrator", "Guest"]
    assert len(house.activity()) == activity


def test_all_wrong_fields_are_named_at_once(importer: ImportService) -> None:
    """So that a file is mended in one go; no value of theirs is shown."""
    fields = _refusal(importer, _user(enabled="geheim", nam=1, api_secret=7))

    assert list(fields) == ["users[0].enabled", "users[0].api_secret", "users[0].nam"]
    assert "geheim" not in str(fields)
    assert fields["users[0].nam"] == "is not part of the form"


def test_only_a_system_manager_may_import(house: House, importer: ImportService) -> None:
    """Whoever may not make users may not import them either."""
    house.add_user()

    with pytest.raises(NotPermitted):
        take(importer, {}, house.actor(USER, address=ADDRESS))


def test_the_activity_log_tells_of_each(house: House, importer: ImportService) -> None:
    """As if everything had been made one by one."""
    take(importer, {**_user(roles=["Report Manager"]), "passwords": {"Administrator": "first", "*": "all the rest"}})

    operations = [entry.operation for entry in house.activity()]

    assert operations == ["role.created", "user.created", "api_key.imported"]
