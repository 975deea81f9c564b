"""Access tokens made elsewhere are taken as they are, work until they end, and are stored as digests alone."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.principals import Reason
from latchgate.core.tokens import Secret, TokenKind, issue_token
from latchgate.core.users import GUEST, SYSTEM_MANAGER
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.access_tokens import TokenOrder
from latchgate.services.actors import COMMAND_LINE, Actor
from support.house import ADDRESS, EVERYTHING, NOW, OLD_PEPPERS, TOKEN_TEXT, USER, House, present_token

_ORDER = TokenOrder(Secret(TOKEN_TEXT), USER, "client0001", frozenset({"all"}), NOW + 3600)
_MANAGER = "manager@example.com"


def test_an_imported_token_works_as_it_is(house: House) -> None:
    """A client whose token was imported goes on with it, as its user and within its scopes."""
    house.add_user()

    stored = house.tokens.import_token(COMMAND_LINE, replace(_ORDER, scopes=frozenset({"read", "reports"})))

    principal = house.principal(present_token(TOKEN_TEXT))
    assert (stored.user.name, stored.client, stored.issued_at, stored.expires_at) == (
        USER,
        "client0001",
        NOW,
        NOW + 3600,
    )
    assert (principal.user, principal.scopes) == (USER, frozenset({"read", "reports"}))
    assert principal.credential == stored.public_id


def test_a_token_is_stored_nowhere(house: House) -> None:
    """Neither the token nor a hash that needs no key file can be found in the database."""
    house.add_user()
    stored = house.tokens.import_token(COMMAND_LINE, _ORDER)

    with closing(sqlite3.connect(house.database.sqlite_path or "")) as connection:
        dump = "\n".join(connection.iterdump())

    assert stored.public_id in dump
    assert TOKEN_TEXT not in dump
    assert TOKEN_TEXT.encode().hex().upper() not in dump


@pytest.mark.parametrize(
    "text", ["too-short", "with space in it", "x" * 600, "", "lga_" + "0" * 39, "täken-token-1234"]
)
def test_a_token_that_could_never_work_is_refused(house: House, text: str) -> None:
    """What no header could present, or what passes for one of ours, is refused when it is imported."""
    house.add_user()

    with pytest.raises(Invalid) as refused:
        house.tokens.import_token(COMMAND_LINE, replace(_ORDER, token=Secret(text)))

    assert list(refused.value.fields) == ["access_token"]
    assert not text or text not in refused.value.public


def test_a_token_of_ours_from_another_installation_is_taken(house: House) -> None:
    """A text of our form with its right checksum works like any other."""
    house.add_user()
    text = issue_token(TokenKind.ACCESS_TOKEN, b"t" * 24)

    house.tokens.import_token(COMMAND_LINE, replace(_ORDER, token=Secret(text)))

    assert house.principal(present_token(text)).user == USER


@pytest.mark.parametrize(("user", "error"), [("nobody@example.com", NotFound), (GUEST, Invalid)])
def test_a_token_needs_a_user(house: House, user: str, error: type[Exception]) -> None:
    """A token is somebody's, and Guest carries none."""
    with pytest.raises(error):
        house.tokens.import_token(COMMAND_LINE, replace(_ORDER, user=user))


def test_a_token_lives_within_the_calendar(house: House) -> None:
    """An expiry that no date can show is refused rather than stored."""
    house.add_user()

    with pytest.raises(Invalid) as refused:
        house.tokens.import_token(COMMAND_LINE, replace(_ORDER, expires_at=253_402_300_800))

    assert list(refused.value.fields) == ["expires"]


def test_a_token_is_imported_once(house: House) -> None:
    """A token cannot be given to a second user."""
    house.add_user()
    house.add_user("other@example.com")
    house.tokens.import_token(COMMAND_LINE, _ORDER)

    with pytest.raises(Conflict):
        house.tokens.import_token(COMMAND_LINE, replace(_ORDER, user="other@example.com"))

    assert house.principal(present_token(TOKEN_TEXT)).user == USER


def test_a_token_is_imported_once_whatever_the_pepper(house: House) -> None:
    """After the key file was rotated, a token that is there already does not become a second, unrevoked one."""
    before = house.with_peppers(OLD_PEPPERS)
    before.add_user()
    before.tokens.import_token(COMMAND_LINE, _ORDER)

    with pytest.raises(Conflict):
        house.tokens.import_token(COMMAND_LINE, _ORDER)
    house.tokens.revoke(COMMAND_LINE, Secret(TOKEN_TEXT))

    assert house.admit(present_token(TOKEN_TEXT)).reason is Reason.REVOKED


def test_a_token_that_was_revoked_elsewhere_stays_so(house: House) -> None:
    """A revoked token is imported as such: it is known, and opens nothing."""
    house.add_user()

    house.tokens.import_token(COMMAND_LINE, replace(_ORDER, revoked=True))

    assert house.admit(present_token(TOKEN_TEXT)).reason is Reason.REVOKED


def test_revoking_twice_changes_nothing(house: House) -> None:
    """The first end of a token stands, and is told of once."""
    house.add_user()
    house.tokens.import_token(COMMAND_LINE, _ORDER)
    first = house.tokens.revoke(COMMAND_LINE, Secret(TOKEN_TEXT))
    house.clock.advance(10)

    second = house.tokens.revoke(COMMAND_LINE, Secret(TOKEN_TEXT))

    assert (first.revoked_at, second.revoked_at) == (NOW, NOW)
    assert [row.operation for row in house.activity()].count("access_token.revoked") == 1


def test_an_unknown_token_cannot_be_revoked(house: House) -> None:
    """Whoever mistypes a token learns that there is none, rather than that it was ended."""
    with pytest.raises(NotFound):
        house.tokens.revoke(COMMAND_LINE, Secret(TOKEN_TEXT))


def test_nobody_but_a_system_manager_imports(house: House) -> None:
    """A user cannot bring a token along, not even for itself."""
    house.add_user()

    with pytest.raises(NotPermitted):
        house.tokens.import_token(house.actor(), _ORDER)


@pytest.mark.parametrize(
    ("limits", "order"),
    [
        (Limits(frozenset({"read"})), _ORDER),
        (replace(EVERYTHING, expires_at=NOW + 60), _ORDER),
        (replace(EVERYTHING, networks=(ip_network("192.0.2.0/24"),)), _ORDER),
        (replace(EVERYTHING, per_minute=10), _ORDER),
    ],
    ids=["scopes", "expiry", "addresses", "limit"],
)
def test_a_narrow_key_imports_no_wider_token(house: House, limits: Limits, order: TokenOrder) -> None:
    """A System Manager's limited key cannot turn itself into a token that reaches further."""
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)
    house.add_user()

    with pytest.raises(NotPermitted) as refused:
        house.tokens.import_token(house.actor(_MANAGER, limits), order)

    assert refused.value.reason == "beyond"


def test_a_system_manager_imports_what_it_may_reach(house: House) -> None:
    """A session of a System Manager, or a key as narrow as the token, may import it."""
    house.add_user(_MANAGER)
    house.roles.grant(COMMAND_LINE, _MANAGER, SYSTEM_MANAGER)
    house.add_user()
    by_session = Actor.of(house.principal(house.carry(Scheme.SESSION, _MANAGER)), ADDRESS)
    by_key = house.actor(_MANAGER, Limits(frozenset({"read"}), expires_at=NOW + 3600))

    house.tokens.import_token(by_session, _ORDER)
    house.tokens.import_token(by_key, replace(_ORDER, token=Secret("another-token-0001"), scopes=frozenset({"read"})))

    assert house.principal(present_token("another-token-0001")).scopes == {"read"}
