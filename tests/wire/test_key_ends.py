"""Ending several keys at once: what stops is told, each is judged by itself, and nobody ends what they may not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import StorageError
from latchgate.request_log.request_log import HostRequestLog
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from support.aged_keys import note_uses
from support.asgi import Pair, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, send_form, send_json, visit

MANAGER, ANN, BOB, CLERK = (f"{name}@example.com" for name in ("manager", "ann", "bob", "clerk"))
REVOKE = "/app/api-key/revoke"
SOURCE = "API Device"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An instance whose clerk may do everything to all keys but those of accounts that may do more."""
    with opened_service(tmp_path / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(ANN)
        service.make_user(BOB)
        service.latchgate.roles.create(COMMAND_LINE, "Key Clerk")
        service.latchgate.permissions.grant(
            COMMAND_LINE, Grant("Key Clerk", "API Key", if_owner=False, actions=EVERY_ACTION)
        )
        service.make_user(CLERK, roles=frozenset({"Key Clerk"}))
        yield service


def _query(*pairs: Pair, source: str = "User") -> str:
    return f"{REVOKE}?" + "&".join(f"key:{source}:{pair.key_id}=1" for pair in pairs).replace(" ", "%20")


def _form(*pairs: Pair, source: str = "User") -> dict[str, str]:
    return {f"key:{source}:{pair.key_id}": "1" for pair in pairs}


def _status(service: Service, pair: Pair) -> int:
    return service.ask(authorization=pair.token).status


def test_keys_end_together(service: Service) -> None:
    """After a page that tells of each what stops, which changes nothing itself; each leaves a row of its own."""
    first, second, kept = (service.make_key(ANN) for _ in range(3))
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        note_uses(service, ANN, first.key_id, days=0.1, ip_address=address)
    note_uses(service, ANN, second.key_id, days=2)

    asks = assert_page(visit(service, _query(first, second), MANAGER))
    assert "2 keys will end for good." in asks
    assert "Used 3 times within a day by 2 addresses." in asks
    assert "Not used within a day." in asks
    assert [_status(service, pair) for pair in (first, second, kept)] == [200, 200, 200]
    ended = send_form(service, REVOKE, MANAGER, _form(first, second))

    assert (ended.status, ended.header("location")) == (303, "/app/api-key?done=keys-revoked")
    assert "The keys were revoked." in assert_page(visit(service, "/app/api-key?done=keys-revoked", MANAGER))
    assert [_status(service, pair) for pair in (first, second, kept)] == [401, 401, 200]
    with service.latchgate.store.read() as tx:
        rows = [row for row in tx.activity.list_latest(10) if row.operation == "api_key.revoked"]
    assert {(row.operation, row.subject, row.user) for row in rows} == {
        ("api_key.revoked", pair.key_id, MANAGER) for pair in (first, second)
    }


def test_what_cannot_be_ended_is_named_with_why(service: Service) -> None:
    """And does not keep the others from ending: one revoked before, one of an account that may do more, none at all."""
    anns, managers, before = service.make_key(ANN), service.make_key(MANAGER), service.make_key(BOB)
    service.latchgate.api_keys.revoke(COMMAND_LINE, before.key_id)
    picked = (anns, managers, before, Pair("nobodys", "x"))

    asks = assert_page(visit(service, _query(*picked), CLERK))
    answer = assert_page(send_form(service, REVOKE, CLERK, _form(*picked)))

    assert "1 key will end for good." in asks
    assert "Revoke 1 key<" in asks
    assert re.findall(r'hidden" name="(key:[^"]+)"', asks) == [f"key:User:{anns.key_id}"]
    for text in (asks, answer):
        assert f"You may not revoke it: {MANAGER} has roles that you lack." in text
        assert "It was revoked before." in text
        assert "There is no such key that you may see." in text
    assert "1 key was revoked." in answer
    assert (_status(service, anns), _status(service, managers)) == (401, 200)


def test_others_keys_are_as_good_as_absent(service: Service) -> None:
    """To whoever may end their own alone: a forged id and one of somebody else are answered alike."""
    own, others = service.make_key(ANN), service.make_key(BOB)
    forged = Pair("lgk_forged", "x")

    asks = assert_page(visit(service, _query(others, forged), ANN))
    answer = assert_page(send_form(service, REVOKE, ANN, _form(own, others, forged)))

    for text in (asks, answer):
        assert text.count("There is no such key that you may see.") == 2
        assert BOB not in text
    assert (_status(service, own), _status(service, others)) == (401, 200)


@pytest.mark.parametrize("count", [0, 101])
def test_none_and_too_many_are_refused(service: Service, count: int) -> None:
    """With what would be right; nothing is revoked."""
    own = service.make_key(ANN)
    pairs = [own, *(Pair(f"lgk_{number}", "x") for number in range(count - 1))] if count else []
    sentence = "Choose at most 100 keys at once; these are 101." if count else "No key was chosen."

    assert sentence in assert_shown(visit(service, _query(*pairs), ANN), 417)
    assert sentence in assert_shown(send_form(service, REVOKE, ANN, _form(*pairs)), 417)
    assert _status(service, own) == 200


def test_a_hundred_are_ended(service: Service) -> None:
    """As many as one may choose."""
    pairs = [service.make_key(ANN) for _ in range(100)]

    assert send_form(service, REVOKE, ANN, _form(*pairs)).status == 303
    assert {_status(service, pair) for pair in (pairs[0], pairs[-1])} == {401}


@pytest.mark.parametrize(
    "name",
    ["key:", "key::", "key:User:", "key::lgk", "key:User", "key:\x00:\x00", "key:User:\ud800", "key", "keys:User:x"],
)
def test_nonsense_ends_nothing(service: Service, name: str) -> None:
    """It names no key, or none that there is."""
    own = service.make_key(ANN)

    assert send_json(service, REVOKE, ANN, {name: "1"}).status in {200, 417}
    assert send_json(service, REVOKE, ANN, {f"key:User:{own.key_id}": None, name: ["1"]}).status in {200, 303}


def test_without_the_sessions_token_nothing_ends(service: Service) -> None:
    """Another site's form, sent by whoever is signed in here."""
    own = service.make_key(ANN)
    cookie = ("cookie", f"sid={service.sign_in(ANN).sid}")

    refused = service.post(REVOKE, _form(own), form=True, headers=[cookie, HTML])

    assert refused.status in {400, 401, 403}
    assert _status(service, own) == 200


def test_only_the_key_of_the_chosen_source_ends(service: Service) -> None:
    """Where another has one of that id, and both of one secret."""
    service.latchgate.sources.create(COMMAND_LINE, SOURCE)
    service.latchgate.sources.create_record(COMMAND_LINE, SOURCE, "1", ANN)
    pair = PairText("alike-in-both", Secret("secret-of-both-1"))
    for owner in (Owner("User", ANN), Owner(SOURCE, "1")):
        service.latchgate.api_keys.import_key(COMMAND_LINE, owner, pair, KeyOrder("Alike"))
    chosen = Pair("alike-in-both", "secret-of-both-1")

    assert "1 key will end for good." in assert_page(visit(service, _query(chosen, source=SOURCE), MANAGER))
    assert send_form(service, REVOKE, MANAGER, _form(chosen, source=SOURCE)).status == 303

    assert _status(service, chosen) == 200
    source = [("frappe-authorization-source", SOURCE)]
    assert service.ask(authorization=chosen.token, headers=source).status == 401


def test_keys_can_be_ended_while_the_log_cannot_be_read(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not found out is not told; the list, the key's page and the first page come all the same."""

    def fail(*_: object) -> None:
        raise StorageError("The request log's database lacks rows")

    own = service.make_key(ANN)
    for name in ("key_uses", "refusals", "counts"):
        monkeypatch.setattr(HostRequestLog, name, fail)

    for page in ("/app/api-key", f"/app/api-key/User/{own.key_id}"):
        assert_page(visit(service, page, MANAGER))
    assert "cannot be read now" in assert_page(visit(service, "/app", MANAGER))
    assert "1 key will end" in assert_page(visit(service, _query(own), MANAGER))
    assert send_form(service, REVOKE, MANAGER, _form(own)).status == 303
    assert _status(service, own) == 401
