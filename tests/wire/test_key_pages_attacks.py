"""What could go wrong between a secret's making and its being shown, and what a page could say that is not so."""

import ast
import html
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.responses import Response

from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.policy import SIGNED_IN
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.errors import Invalid, StorageError
from latchgate.server.desk.account import AccountPages
from latchgate.server.desk.api_keys import KeyPages
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.key_owners import KeyHome
from latchgate.server.desk.session_lists import SessionLists
from latchgate.server.requests import Call
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.key_findings import KeyFindings
from support.asgi import Pair, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, key_seen_in, secret_in, send_form, send_json, visit

MANAGER, API, WEB, AUDITOR = "manager@example.com", "api@example.com", "web@example.com", "auditor@example.com"
PING = "/api/method/ping"


@pytest.fixture
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind; Auditors may read all keys."""
    with opened_service(tmp_path_factory.mktemp("attacked") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Auditor")
        service.latchgate.permissions.grant(
            COMMAND_LINE, Grant("Auditor", "API Key", if_owner=False, actions=frozenset({Action.READ}))
        )
        service.make_user(AUDITOR, roles=frozenset({"Auditor"}))
        yield service


def _dialog(service: Service, path: str, user: str) -> dict[str, str]:
    return key_seen_in(assert_page(visit(service, path, user)))


def test_who_reads_all_keys_has_own_ones_too(peopled: Service) -> None:
    """What a list does not tell them of others' keys, is in nobody's way."""
    form = f"/app/user/{AUDITOR}"
    for page in ("/me", form):
        secret_in(assert_page(send_form(peopled, f"{page}/generate-keys", AUDITOR, _seen(peopled, page, AUDITOR))))
        text = assert_page(visit(peopled, f"{page}?tab={'keys' if page == '/me' else 'settings'}", AUDITOR))
        (key,) = re.findall(r'id="api_key"[^>]* value="([^"]+)"', text)
        for what in ("rotate", "revoke"):
            assert "has never been used" in assert_page(visit(peopled, f"{page}/key/{key}/{what}", AUDITOR))
        seen = _dialog(peopled, f"{page}/key/{key}/rotate", AUDITOR)
        secret_in(assert_page(send_form(peopled, f"{page}/key/{key}/rotate", AUDITOR, {"overlap": "0", **seen})))


def _seen(service: Service, page: str, user: str) -> dict[str, str]:
    return _dialog(service, f"{page}/generate-keys", user)


@pytest.mark.parametrize("what", ["generate-keys", "key/<key>/rotate"])
@pytest.mark.parametrize("user", [WEB, API])
def test_a_key_may_replace_its_own_secret(peopled: Service, what: str, user: str) -> None:
    """By the change the credential that asked for it has ended: it is told its next secret all the same."""
    pair = peopled.make_key(user)
    page = f"/me/{what}".replace("<key>", pair.key_id)
    seen = key_seen_in(assert_page(peopled.ask(page, pair.token, headers=[HTML])))

    answer = peopled.post(page, {"overlap": "0", **seen}, pair.token, form=True, headers=[HTML])

    renewed = Pair(pair.key_id, secret_in(assert_page(answer)))
    assert peopled.ask(PING, pair.token).status == 401
    assert peopled.ask(PING, renewed.token).status == 200


@dataclass(frozen=True)
class _Unshown:
    """An account whose page cannot be read any more once a secret is to be shown."""

    account: AccountPages

    def get_home(self, call: Call) -> KeyHome:
        return self.account.get_home(call)

    async def show_keys(self, call: Call, dialog: Mapping[str, Any], status: int = 200) -> Response:
        raise StorageError(f"gone before {dialog['kind']} {status} {call.path}")

    async def require_shown(self, call: Call) -> None:
        await self.account.require_shown(call)


def test_a_secret_whose_page_fails_is_shown_on_a_plain_one(peopled: Service) -> None:
    """It is stored by then, and nowhere else to be had."""
    latchgate = peopled.latchgate
    frame = Frame.on(latchgate.documents, latchgate.undos, latchgate.peppers, latchgate.clock)
    findings = KeyFindings(latchgate.documents, latchgate.request_log, latchgate.clock)
    keys = KeyPages(frame, latchgate.documents, latchgate.api_keys, latchgate.clock, findings, "http://127.0.0.1")
    lists = SessionLists(latchgate.documents, latchgate.sessions, latchgate.second_factors)
    services = latchgate.documents, latchgate.api_keys, lists, latchgate.connected_apps
    page = _Unshown(AccountPages(frame, *services))
    peopled.application.table.pages.update(keys.table(page, "/failing", SIGNED_IN))  # type: ignore[attr-defined]

    text = assert_page(send_form(peopled, "/failing/generate-keys", WEB, {"seen": ""}))

    # Where the script looks for it.
    dialog = text.partition('<div id="dialogs">')[2]
    assert "<dialog " in dialog
    (key,) = re.findall(r"<code>(lgk_[^<]+)</code>", dialog)
    assert peopled.ask(PING, Pair(key, secret_in(text)).token).status == 200


def test_a_key_used_from_everywhere_can_be_ended(peopled: Service) -> None:
    """However many addresses whoever stole it has."""
    pair = peopled.make_key(WEB)
    first = peopled.ask(PING, pair.token).row
    for number in range(1_001):
        row = replace(first, request_id=f"{number:032x}", ip_address=f"2001:db8::{number:x}")
        peopled.latchgate.request_log.append(row)
    page = f"/me/key/{pair.key_id}"

    for what in ("rotate", "revoke"):
        text = assert_page(visit(peopled, f"{page}/{what}", WEB))
        assert "It was used 1,002 times within a day, from 1,002 addresses" in text
    seen = _dialog(peopled, f"{page}/rotate", WEB)
    renewed = secret_in(assert_page(send_form(peopled, f"{page}/rotate", WEB, {"overlap": "0", **seen})))
    assert peopled.ask(PING, pair.token).status == 401
    assert send_form(peopled, f"{page}/revoke", WEB, {}).status == 303
    assert peopled.ask(PING, Pair(pair.key_id, renewed).token).status == 401


def test_a_page_from_before_ends_no_secret_in_silence(peopled: Service) -> None:
    """Whoever saw no key, or another state of it, is asked anew, and told what there is to stop now."""
    page = f"/app/user/{API}"
    old = _seen(peopled, page, MANAGER)
    pair = peopled.make_key(API)

    for typed in ({}, old, {"seen": "2020-01-01 00:00:00.000000"}):
        text = assert_shown(send_form(peopled, f"{page}/generate-keys", MANAGER, typed), 417)
        assert "This key was changed since you looked at it" in text
        assert "stops working at once" in text
        assert "lgs_" not in text
    odd = send_json(peopled, f"{page}/generate-keys", MANAGER, {"seen": ["x"]})
    assert "This key was changed" in assert_shown(odd, 417)
    assert peopled.ask(PING, pair.token).status == 200

    rotate = f"{page}/key/{pair.key_id}/rotate"
    before = _dialog(peopled, rotate, MANAGER)
    deployed = secret_in(assert_page(send_form(peopled, rotate, MANAGER, {"overlap": "604800", **before})))
    text = assert_shown(send_form(peopled, rotate, MANAGER, {"overlap": "0", **before}), 417)
    assert "The former secret would work " in text
    assert [peopled.ask(PING, one.token).status for one in (pair, Pair(pair.key_id, deployed))] == [200, 200]
    again = key_seen_in(text)
    assert send_form(peopled, rotate, MANAGER, {"overlap": "0", **again}).status == 200


def test_an_expired_first_key_is_said_to_be_replaced(peopled: Service) -> None:
    """By another, without its limits: the dialog says so before."""
    expires_at = peopled.latchgate.clock.now() + 1
    pair = peopled.make_key(WEB, scopes=frozenset({"read"}), per_minute=5, expires_at=expires_at)
    _wait_until(peopled, expires_at)

    text = assert_page(visit(peopled, "/me/generate-keys", WEB))
    made = assert_page(send_form(peopled, "/me/generate-keys", WEB, key_seen_in(text)))

    assert "has expired and is revoked" in text
    assert "without its limits" in text
    assert "This key can do everything" in made
    assert pair.key_id not in re.findall(r'id="api_key"[^>]* value="([^"]+)"', made)


def _wait_until(service: Service, moment: int) -> None:
    while service.latchgate.clock.now() < moment:
        pass


def test_the_lines_to_copy_are_quoted(peopled: Service) -> None:
    """A key made elsewhere may be called by anything that a header carries, and runs nothing."""
    for number, key in enumerate(("a';id;'", '"+exit()+"')):
        pair = PairText(key, Secret(f"a-long-secret-{number}"))
        user = peopled.make_user(f"foreign{number}@example.com")
        peopled.latchgate.api_keys.import_key(COMMAND_LINE, Owner("User", user), pair, KeyOrder())
        page = f"/app/user/{user}/key/{key.replace(';', '%3B').replace('+', '%2B').replace(chr(34), '%22')}/rotate"
        text = assert_page(send_form(peopled, page, MANAGER, {"overlap": "0", **_dialog(peopled, page, MANAGER)}))
        lines = {
            name: html.unescape(text.partition(f'id="ready-{name}">')[2].partition("</code>")[0])
            for name in ("curl", "python")
        }
        words = shlex.split(lines["curl"])
        assert words[2].startswith(f"Authorization: token {key}:")
        assert len(words) == 4
        told = ast.parse(lines["python"]).body[1]
        assert isinstance(told, ast.Assign)
        assert ast.literal_eval(told.value)["Authorization"].startswith(f"token {key}:")


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_that_no_address_could_name_is_not_taken_in(peopled: Service, key: str) -> None:
    """Nobody could end it by its page."""
    pair = PairText(key, Secret("a-long-secret"))

    with pytest.raises(Invalid) as refused:
        peopled.latchgate.api_keys.import_key(COMMAND_LINE, Owner("User", API), pair, KeyOrder())

    assert list(refused.value.fields) == ["api_key"]


@pytest.mark.parametrize(
    ("name", "value"), [("limit_per_minute", 0), ("limit_per_minute", False), ("allowed_networks", {})]
)
def test_a_limit_that_is_none_makes_no_key_without_one(peopled: Service, name: str, value: object) -> None:
    """Zero is not "no limit"."""
    sent = {"label": "x", "may": "all", "expires": "30", name: value}

    assert f'id="{name}-error"' in assert_shown(send_json(peopled, f"/app/user/{API}/new-key", MANAGER, sent), 417)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"may": "pick", "scope: all": "1", "other_scopes": "zz"}, "do everything that"),
        ({"may": "pick", "other_scopes": "every thing"}, "once the form is complete"),
        ({"limit_per_minute": "0"}, "once the form is complete"),
        ({"limit_per_minute": "9" * 5000}, "once the form is complete"),
        ({"allowed_networks": "nowhere"}, "once the form is complete"),
        ({"allowed_networks": "10.1"}, "from 10.1.0.0/16"),
    ],
)
def test_the_sentence_says_what_is_so(peopled: Service, typed: dict[str, str], said: str) -> None:
    """And nothing of what will be refused."""
    sent = {"may": "all", "expires": "30", **typed}

    text = assert_page(send_form(peopled, f"/app/user/{API}/new-key?preview=1", MANAGER, sent))

    assert said in text.partition('id="sum"')[2].partition("</p>")[0]


def test_a_record_s_keys_are_its_keeper_s_to_see(peopled: Service) -> None:
    """A keeper with every right to keys and none to be a manager makes one, and the secret is shown."""
    latchgate = peopled.latchgate
    latchgate.sources.create(COMMAND_LINE, "API Device")
    latchgate.sources.create_record(COMMAND_LINE, "API Device", "Door", API)
    for doctype in ("API Device", "API Key"):
        grant = Grant("Auditor", doctype, if_owner=False, actions=EVERY_ACTION)
        latchgate.permissions.grant(COMMAND_LINE, grant)
    page = "/app/source/API%20Device/record/Door"
    typed = {"label": "x", "may": "all", "expires": "30"}

    secret_in(assert_page(send_form(peopled, f"{page}/new-key", AUDITOR, typed)))
    secret_in(assert_page(send_form(peopled, f"{page}/generate-keys", AUDITOR, _seen(peopled, page, AUDITOR))))
