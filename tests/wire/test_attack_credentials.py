"""Credentials that are cut, altered, stored, borrowed or dressed as another kind open nothing that they should not."""

import base64
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from typing import Any

import pytest

from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, PairText
from latchgate.services.key_owners import Owner
from support.asgi import LOGGED_USER, Pair, Service
from support.envelopes import assert_refused

API, MANAGER = "api@example.com", "manager@example.com"
GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


_SCHEMES: dict[str, Callable[[str], str]] = {"token": "token {}".format, "Basic": _basic, "Bearer": "Bearer {}".format}


@pytest.fixture(scope="module")
def legacy(service: Service) -> Pair:
    """A key in Frappe's form, which no checksum guards."""
    pair = Pair("0123456789abcde", "abcdef012345678")
    order = PairText(pair.key_id, Secret(pair.secret))
    service.latchgate.api_keys.import_key(COMMAND_LINE, Owner("User", API), order, KeyOrder())
    return pair


# Every byte counts


def _altered(text: str) -> Iterator[str]:
    for place, bit in itertools.product(range(len(text)), (1, 32)):
        yield text[:place] + chr(ord(text[place]) ^ bit) + text[place + 1 :]
    yield from (text[:length] for length in range(1, len(text), 5))
    yield from (text + end for end in ("0", "=", "\x00", "\n", "%00", "\u200b", "\xa0", ":", "/", text))
    yield from ("\x00" + text, text[1:], text.upper(), text.swapcase())


@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("kind", ["ours", "Frappe's"])
def test_an_altered_credential_opens_nothing(
    service: Service, api_key: Pair, legacy: Pair, scheme: str, kind: str
) -> None:
    """Each byte flipped, the end cut, anything added, the other case: 401, whoever made it."""
    pair = api_key if kind == "ours" else legacy
    text = f"{pair.key_id}:{pair.secret}"
    if scheme == "Bearer":
        text = f"bearer-made-elsewhere-as-{pair.key_id}"
        service.make_bearer(API, text)
    write = _SCHEMES[scheme]

    assert service.ask(authorization=write(text)).status == 200
    for altered in _altered(text):
        answer = service.ask(authorization=write(altered), peer=service.new_peer())
        assert (answer.status, answer.row.user) == (401, None), altered


def test_a_credential_is_one_kind_alone(service: Service, api_key: Pair) -> None:
    """A key's parts are no access token, an access token no key, and the parts do not change places."""
    token = "made-elsewhere-for-one-kind-0001"
    service.make_bearer(API, token)

    for value in (
        f"Bearer {api_key.secret}",
        f"Bearer {api_key.key_id}",
        f"Bearer {base64.b64encode(f'{api_key.key_id}:{api_key.secret}'.encode()).decode()}",
        f"token {token}:{token}",
        f"token {api_key.key_id}:{token}",
        f"token {api_key.secret}:{api_key.key_id}",
        _basic(f"{API}:{api_key.secret}"),
        _basic(f"{API}:correct horse battery"),
    ):
        assert_refused(service.ask(authorization=value), 401, "AuthenticationError")


def test_a_key_opens_with_its_own_secret_alone(service: Service, api_key: Pair, manager_key: Pair) -> None:
    """Another key's good secret is a wrong one."""
    answer = service.ask(authorization=Pair(manager_key.key_id, api_key.secret).token)

    assert answer.row.reason == "wrong_secret"


# What is stored is worth nothing


def _stored(service: Service, key_id: str) -> tuple[int, int, bytes]:
    with closing(sqlite3.connect(service.latchgate.settings.home / "latchgate.db")) as database:
        row: tuple[int, int, bytes] = database.execute(
            "SELECT id, pepper, hash FROM api_key WHERE key_id = ?", [key_id]
        ).fetchone()
        return row


@pytest.mark.parametrize("scheme", ["token", "Basic"])
def test_a_stored_hash_is_no_secret(service: Service, api_key: Pair, scheme: str) -> None:
    """Who read the database has nothing to send: not the hash, in no spelling."""
    _, _, stored = _stored(service, api_key.key_id)

    for secret in (stored.hex(), stored.hex().upper(), base64.b64encode(stored).decode(), stored.decode("latin-1")):
        answer = service.ask(authorization=_SCHEMES[scheme](f"{api_key.key_id}:{secret}"), peer=service.new_peer())
        assert answer.status == 401


def test_a_hash_opens_its_own_row_alone(service: Service) -> None:
    """Who can write the database cannot give one key another's secret by copying its hash, nor a token's."""
    own, victim = service.make_key(API), service.make_key(MANAGER)
    row_id, pepper, stored = _stored(service, own.key_id)
    token = "made-elsewhere-to-be-copied-0001"
    service.make_bearer(API, token)

    with closing(sqlite3.connect(service.latchgate.settings.home / "latchgate.db")) as database:
        database.execute("UPDATE api_key SET pepper = ?, hash = ? WHERE key_id = ?", [pepper, stored, victim.key_id])
        database.commit()
    forged = service.ask(authorization=Pair(victim.key_id, own.secret).token)
    with closing(sqlite3.connect(service.latchgate.settings.home / "latchgate.db")) as database:
        database.execute(
            "UPDATE api_key SET (pepper, hash) = (SELECT pepper, hash FROM oauth_token ORDER BY id DESC LIMIT 1)"
            " WHERE id = ?",
            [row_id],
        )
        database.commit()
    crossed = service.ask(authorization=Pair(own.key_id, token).token)

    assert (forged.status, forged.row.reason) == (401, "wrong_secret")
    assert (crossed.status, crossed.row.reason) == (401, "wrong_secret")


def test_a_row_that_changes_its_owner_opens_nothing_by_another_source(service: Service) -> None:
    """A key's source is part of what is hashed: moved to another table's name, it is dead."""
    service.latchgate.sources.create(COMMAND_LINE, "Kiosk")
    service.latchgate.sources.create_record(COMMAND_LINE, "Kiosk", "front", API)
    key = service.make_key("front", source="Kiosk")
    other = service.make_key(API)

    with closing(sqlite3.connect(service.latchgate.settings.home / "latchgate.db")) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(
            "UPDATE api_key SET pepper = k.pepper, hash = k.hash"
            " FROM (SELECT pepper, hash FROM api_key WHERE key_id = ?) AS k WHERE key_id = ?",
            [key.key_id, other.key_id],
        )
        database.commit()

    assert service.ask(authorization=Pair(other.key_id, key.secret).token).row.reason == "wrong_secret"


# Limits go where the credential goes


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_a_limit_holds_by_every_scheme(service: Service, scheme: str) -> None:
    """A scoped credential can do no more as token, as Basic or as Bearer, and says who it is by each."""
    if scheme == "Bearer":
        value = service.make_bearer(MANAGER, "made-elsewhere-with-a-scope-0001", "read")
    else:
        key = service.make_key(MANAGER, scopes=frozenset({"read"}))
        value = _SCHEMES[scheme](f"{key.key_id}:{key.secret}")

    answer = service.post(GENERATE, {"user": API}, value)

    assert "scopes" in assert_refused(answer, 403, "PermissionError")
    assert answer.row.reason == "scope_missing"
    assert service.ask(LOGGED_USER, value).document == {"message": MANAGER}


@pytest.mark.parametrize("scheme", ["token", "Basic"])
def test_a_scoped_token_is_not_a_key_by_another_scheme(service: Service, scheme: str) -> None:
    """An access token sent as `token` or Basic is refused, rather than taken without its scopes."""
    text = f"made-elsewhere-and-dressed-up-as-{scheme}"
    service.make_bearer(MANAGER, text, "read")

    for pair in (f"{text}:", f":{text}", f"{text}:{text}", f"x:{text}", f"{text}:x-oauth-basic"):
        answer = service.post(GENERATE, {"user": API}, _SCHEMES[scheme](pair), peer=service.new_peer())
        assert_refused(answer, 401, "AuthenticationError")


_NARROW: dict[str, dict[str, Any]] = {
    "scopes": {"scopes": frozenset({"API Key:create"})},
    "addresses": {"networks": (ip_network("192.0.2.0/24"),)},
    "rate": {"per_minute": 100},
    "expiry": {"expires_at": 4_000_000_000},
}


@pytest.mark.parametrize("field", _NARROW)
@pytest.mark.parametrize("user", [API, MANAGER])
def test_no_credential_makes_one_that_reaches_further(service: Service, field: str, user: str) -> None:
    """A limited key, even a System Manager's, makes no key without that limit, for itself or for others."""
    key = service.make_key(user, **_NARROW[field])

    for target in (user, MANAGER if user == MANAGER else API):
        answer = service.post(GENERATE, {"user": target}, key.token)
        assert "further" in assert_refused(answer, 403, "PermissionError")
        assert answer.row.reason == "beyond"


def test_a_limited_bearer_makes_no_unlimited_key(service: Service) -> None:
    """An access token ends one day; a key made with it must not outlive it."""
    value = service.make_bearer(API, "made-elsewhere-to-be-laundered-1")

    answer = service.post(GENERATE, {"user": API}, value)

    assert answer.row.reason == "beyond"


@pytest.mark.parametrize("field", ["user", "owner", "userId", "usr", "for_user", "modified_by", "name", "doc"])
@pytest.mark.parametrize("place", ["query", "form", "json"])
def test_no_field_chooses_whom_a_request_runs_as(service: Service, api_key: Pair, field: str, place: str) -> None:
    """Whatever a body or a query says of its user, the credential alone tells it."""
    target = f"{LOGGED_USER}?{field}={MANAGER}" if place == "query" else LOGGED_USER

    answer = service.post(target, {field: MANAGER}, api_key.token, form=place == "form")

    assert answer.document == {"message": API}
    guest = service.post(target, {field: MANAGER, "sid": "Administrator"}, form=place == "form")
    assert_refused(guest, 403, "PermissionError")


@pytest.mark.parametrize("first", [API, MANAGER])
def test_a_name_given_twice_is_judged_as_it_is_used(service: Service, first: str) -> None:
    """With two users named, the one whose right was judged is the one whose key changes; another's never does."""
    second = MANAGER if first == API else API
    key = service.make_key(API)
    keys_before = _stored_hashes(service, MANAGER)

    fields = [("content-type", "application/json")]
    doubled = f'{{"user": "{first}", "user": "{second}"}}'.encode()
    answers = [
        service.ask(GENERATE, key.token, method="POST", headers=fields, body=doubled),
        service.ask(f"{GENERATE}?user={first}&user={second}", key.token, method="POST"),
        service.ask(
            f"{GENERATE}?user={first}",
            key.token,
            method="POST",
            headers=fields,
            body=b'{"user": "%s"}' % second.encode(),
        ),
    ]

    assert {answer.status for answer in answers} <= {200, 403}
    assert _stored_hashes(service, MANAGER) == keys_before


def _stored_hashes(service: Service, user: str) -> list[bytes]:
    with closing(sqlite3.connect(service.latchgate.settings.home / "latchgate.db")) as database:
        rows = database.execute(
            "SELECT hash FROM api_key JOIN user ON user.id = api_key.user_id WHERE user.name = ? ORDER BY api_key.id",
            [user],
        )
        return [value for (value,) in rows]
