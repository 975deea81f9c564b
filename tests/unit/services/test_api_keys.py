"""Keys are made, imported, listed and ended, and open what they say."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.policy import Decision
from latchgate.core.questions import Asked
from latchgate.core.tokens import Secret, TokenKind, issue_token
from latchgate.core.users import ADMINISTRATOR, GUEST
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from support.house import EVERYTHING, NOW, USER, House, present_pair

_OWN = Owner("User", USER)
_OTHER = "other@example.com"
_CONSUMER = Owner("Event Consumer", "consumer-1")
_YEAR_10000 = 253_402_300_800


def _opens(house: House, key_id: str, secret: Secret, source: str | None = None) -> bool:
    return house.admit(present_pair(key_id, secret.text, source=source)).decision is Decision.ALLOWED


def _add_consumer(house: House, user: str | None = USER) -> None:
    house.sources.create_record(COMMAND_LINE, _CONSUMER.source, _CONSUMER.record, user)


# --- Making ---------------------------------------------------------------------------------------------------------


def test_a_user_owns_any_number_of_named_keys(house: House) -> None:
    """Every key of a user works beside the others and says what it is for and who made it."""
    house.add_user()

    issued = [house.keys.generate(COMMAND_LINE, _OWN, KeyOrder(label)) for label in ("backup", "shop", "backup")]

    assert [_opens(house, one.key.key_id, one.secret) for one in issued] == [True] * 3
    assert [one.key.label for one in issued] == ["backup", "shop", "backup"]
    assert {(one.key.created_by, one.user, one.key.creation // 1_000_000) for one in issued} == {
        (ADMINISTRATOR, USER, NOW)
    }


def test_the_first_key_is_the_primary_one(house: House) -> None:
    """What Frappe calls a user's api_key is the first that the user was given."""
    house.add_user()

    assert [house.add_key().key.primary for _ in range(3)] == [True, False, False]


def test_no_two_keys_share_a_secret(house: House) -> None:
    """Each key id and each secret is made of fresh randomness."""
    house.add_user()
    issued = [house.add_key() for _ in range(10)]

    assert len({one.key.key_id for one in issued} | {one.secret.text for one in issued}) == 20
    assert house.entropy.calls >= 20


def test_a_secret_is_stored_nowhere(house: House) -> None:
    """What is shown once cannot be found in the database, however it is looked for."""
    house.add_user()
    secret = house.add_key().secret.text

    with closing(sqlite3.connect(house.database.sqlite_path or "")) as connection:
        dump = "\n".join(connection.iterdump())

    assert USER in dump
    assert secret not in dump
    assert secret.encode().hex().upper() not in dump


def test_a_secret_is_not_shown_by_accident(house: House) -> None:
    """Printing what was issued, or the service itself, shows neither secret nor pepper."""
    house.add_user()
    issued = house.add_key()

    assert issued.secret.text not in repr(issued)
    assert "pepper" not in repr(house.keys).lower()


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (KeyOrder("x" * 141), "label"),
        (KeyOrder("two\nlines"), "label"),
        (KeyOrder(limits=replace(EVERYTHING, expires_at=NOW)), "expires"),
        (KeyOrder(limits=replace(EVERYTHING, expires_at=_YEAR_10000)), "expires"),
        (KeyOrder(limits=replace(EVERYTHING, per_minute=0)), "limit"),
        (KeyOrder(limits=replace(EVERYTHING, per_minute=1_000_001)), "limit"),
        (KeyOrder(limits=Limits(frozenset())), "scopes"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(house: House, order: KeyOrder, field: str) -> None:
    """What cannot be is refused with the field's name, for new and for imported keys, and leaves nothing."""
    house.add_user()

    for make in (
        lambda: house.keys.generate(COMMAND_LINE, _OWN, order),
        lambda: house.keys.import_key(COMMAND_LINE, _OWN, PairText("key-0001", Secret("secret-0001")), order),
    ):
        with pytest.raises(Invalid) as refused:
            make()
        assert list(refused.value.fields) == [field]

    assert house.key_ids() == []


@pytest.mark.parametrize(
    "owner",
    [
        Owner("User", "nobody@example.com"),
        Owner("Event Consumer", "no-record"),
        Owner("No Source", "consumer-1"),
        Owner("User", "half a \ud800 pair"),
    ],
)
def test_a_key_needs_an_owner_that_exists(house: House, owner: Owner) -> None:
    """Who may manage every key is told that there is no such owner."""
    for make in (
        lambda: house.keys.generate(COMMAND_LINE, owner, KeyOrder()),
        lambda: house.keys.generate_primary(COMMAND_LINE, owner),
        lambda: house.keys.import_key(COMMAND_LINE, owner, PairText("key-0001", Secret("secret-0001")), KeyOrder()),
    ):
        with pytest.raises(NotFound):
            make()


def test_guest_owns_no_key(house: House) -> None:
    """Who carries no credential can be given none."""
    guest = Owner("User", GUEST)

    for make in (
        lambda: house.keys.generate(COMMAND_LINE, guest, KeyOrder()),
        lambda: house.keys.generate_primary(COMMAND_LINE, guest),
        lambda: house.keys.import_key(COMMAND_LINE, guest, PairText("key-0001", Secret("secret-0001")), KeyOrder()),
    ):
        with pytest.raises(Invalid):
            make()

    assert house.key_ids() == []


# --- Importing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key_id", "secret"),
    [
        ("4fa1b2c3d4e5f60", "f0e1d2c3b4a5968"),
        ("any!printable#key", "any|printable~secret"),
        (issue_token(TokenKind.KEY_ID, b"k" * 12), issue_token(TokenKind.KEY_SECRET, b"s" * 24)),
    ],
    ids=["Frappe's", "printable", "ours of another installation"],
)
def test_an_imported_pair_works_as_it_is(house: House, key_id: str, secret: str) -> None:
    """A client whose key was imported goes on with what it has."""
    house.add_user()

    key = house.keys.import_key(COMMAND_LINE, _OWN, PairText(key_id, Secret(secret)), KeyOrder("imported"))

    assert (key.key_id, key.label, key.primary) == (key_id, "imported", True)
    assert _opens(house, key_id, Secret(secret))


@pytest.mark.parametrize(
    ("key_id", "secret", "field"),
    [
        ("with:colon", "secret-0001", "api_key"),
        ("with space", "secret-0001", "api_key"),
        ("", "secret-0001", "api_key"),
        ("lgk_0123456789abcdefgXXXXXX", "secret-0001", "api_key"),
        ("key-0001", "with:a-colon", "api_secret"),
        ("key-0001", "with a-space", "api_secret"),
        ("key-0001", "short", "api_secret"),
        ("key-0001", "lgs_looks-like-ours", "api_secret"),
        ("key-0001", "lga_an-access-token", "api_secret"),
        ("key-0001", "sécret-0001", "api_secret"),
    ],
)
def test_a_pair_that_could_never_work_is_refused(house: House, key_id: str, secret: str, field: str) -> None:
    """What no header could present, or what passes for one of ours, is refused when it is imported."""
    house.add_user()

    with pytest.raises(Invalid) as refused:
        house.keys.import_key(COMMAND_LINE, _OWN, PairText(key_id, Secret(secret)), KeyOrder())

    assert list(refused.value.fields) == [field]
    assert secret not in refused.value.public


def test_a_key_id_is_taken_once_a_source(house: House) -> None:
    """Two keys of one source cannot share an id, not even with an ended one; two sources may."""
    house.add_user()
    _add_consumer(house)
    pair = PairText("one-id", Secret("secret-0001"))
    house.keys.import_key(COMMAND_LINE, _OWN, pair, KeyOrder())
    house.keys.revoke(COMMAND_LINE, "one-id")

    with pytest.raises(Conflict):
        house.keys.import_key(COMMAND_LINE, _OWN, pair, KeyOrder())
    house.keys.import_key(COMMAND_LINE, _CONSUMER, pair, KeyOrder())

    assert not _opens(house, "one-id", pair.secret)
    assert _opens(house, "one-id", pair.secret, _CONSUMER.source)


# --- Ending ---------------------------------------------------------------------------------------------------------


def test_ending_a_key_twice_changes_nothing(house: House) -> None:
    """The first end of a key stands, and is told of once."""
    house.add_user()
    key_id = house.add_key().key.key_id
    first = house.keys.revoke(COMMAND_LINE, key_id)
    house.clock.advance(100)

    second = house.keys.revoke(COMMAND_LINE, key_id)

    assert (first.revoked_at, second.revoked_at) == (NOW, NOW)
    assert [row.operation for row in house.activity()].count("api_key.revoked") == 1


def test_an_unknown_key_cannot_be_ended(house: House) -> None:
    """Whoever mistypes a key learns that there is none, rather than that it was ended."""
    with pytest.raises(NotFound):
        house.keys.revoke(COMMAND_LINE, "no-such-key")


def test_a_key_id_of_two_sources_must_be_told_apart(house: House) -> None:
    """Where two sources have a key of one id, ending or rotating one needs its source named."""
    house.add_user()
    _add_consumer(house)
    pair = PairText("one-id", Secret("secret-0001"))
    for owner in (_OWN, _CONSUMER):
        house.keys.import_key(COMMAND_LINE, owner, pair, KeyOrder())

    with pytest.raises(Conflict):
        house.keys.revoke(COMMAND_LINE, "one-id")
    with pytest.raises(Conflict):
        house.keys.rotate(COMMAND_LINE, "one-id", overlap_seconds=0)
    house.keys.revoke(COMMAND_LINE, "one-id", source=_CONSUMER.source)

    assert _opens(house, "one-id", pair.secret)
    assert not _opens(house, "one-id", pair.secret, _CONSUMER.source)


# --- Listing --------------------------------------------------------------------------------------------------------


def test_a_list_tells_the_last_use(house: House) -> None:
    """A key's last accepted request, and from where, stands beside it; refused ones do not count."""
    house.add_user()
    used, unused = house.add_key(), house.add_key()
    house.logged(replace(present_pair(used.key.key_id, used.secret.text), peer_address="192.0.2.9"))
    house.logged(present_pair(unused.key.key_id, "wrong-secret"), status=401)

    listed = house.documents.list_rows(COMMAND_LINE, "API Key", Asked(fields=["name", "last_used_from"])).rows

    assert set(listed) == {(used.key.key_id, "192.0.2.9"), (unused.key.key_id, None)}


def test_a_record_that_bears_a_user_s_name_is_not_that_user(house: House) -> None:
    """Listing one's own keys does not show those of another source's record of the same name."""
    house.add_user()
    house.add_user(_OTHER)
    house.sources.create_record(COMMAND_LINE, "Event Consumer", USER, _OTHER)
    own = house.add_key()
    others = house.add_key(USER, source="Event Consumer")

    listed = house.key_ids(house.actor())

    assert own.key.key_id in listed
    assert others.key.key_id not in listed
