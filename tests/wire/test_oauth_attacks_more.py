"""More of what is tried: clients that change under their users' eyes, and what strangers fill the server with."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from latchgate.core.clients import GrantType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import order_of
from support.asgi import opened_service
from support.oauth import ALL_GRANTS, ENDPOINTS, App, OAuth, fields_of_form, told_in

USER = "victim@example.com"
_EVIL = "https://evil.example/cb"


@pytest.fixture(scope="module")
def oauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuth]:
    """A service with a user, where anybody may register a client."""
    home = tmp_path_factory.mktemp("attacked") / "home"
    with opened_service(home, oauth_registration="open") as service:
        service.make_user(USER)
        yield OAuth(service)


def _change(oauth: OAuth, app: App, **fields: object) -> None:
    clients = oauth.service.latchgate.clients
    order = order_of(clients.get(COMMAND_LINE, app.client_id))
    clients.change(COMMAND_LINE, app.client_id, replace(order, **fields))  # type: ignore[arg-type]


def test_who_took_a_client_over_does_not_come_to_what_was_allowed_before(oauth: OAuth) -> None:
    """A small question to a user, once the client leads elsewhere, brings back nothing that was allowed before it."""
    app = oauth.make()
    oauth.code(app, USER, {"scope": "all"})
    assert oauth.ask(oauth.request(app, {"scope": "all"}), USER).status == 302

    _change(oauth, app, redirect_uris=(_EVIL,))
    taken = replace(app, redirect_uri=_EVIL)
    oauth.code(taken, USER, {"scope": "openid"})

    assert oauth.ask(oauth.request(taken, {"scope": "all"}), USER).status == 200
    assert oauth.ask(oauth.request(taken, {"scope": "openid"}), USER).status == 302


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"scopes": frozenset({"all"})}, "Do everything that you may do, as you"),
        ({"app_name": "Another app"}, "Another app"),
    ],
)
def test_nobody_allows_what_was_not_shown(oauth: OAuth, fields: dict[str, object], told: str) -> None:
    """A client that changes between the question and the answer is asked for anew, as it is now."""
    app = oauth.make(scopes=frozenset({"openid"}))
    shown = oauth.ask(oauth.request(app, {"scope": None}), USER)
    _change(oauth, app, **fields)

    again = oauth.decide(shown, USER)

    assert again.header("location") is None
    assert told not in shown.text
    assert told in again.text
    assert "code" in told_in(oauth.decide(again, USER).header("location"))


def test_a_request_fills_none_of_the_pages_own_fields(oauth: OAuth) -> None:
    """What the page's form adds is the page's, whatever stands in the address that led to it."""
    own = {"decision": "allow", "csrf_token": "mine", "client_seen": "1"}
    fields = fields_of_form(oauth.ask(oauth.request(oauth.make(), own), USER).text)

    assert not {("decision", "allow"), ("csrf_token", "mine"), ("client_seen", "1")} & set(fields)
    assert sorted(name for name, _ in fields if name in own) == ["client_seen", "csrf_token"]


def test_a_link_leads_no_stranger_to_what_somebody_registered(oauth: OAuth) -> None:
    """Who is not signed in stays here, unless an ID token comes along or an administrator made the client."""
    away, register = "https://evil.example/phish", f"{ENDPOINTS}register_client"
    said = {"client_name": "App", "redirect_uris": [_EVIL], "post_logout_redirect_uris": [away], "scope": "openid"}
    made = oauth.service.post(register, said, peer=oauth.service.new_peer()).document
    registered = App(made["client_id"], made["client_secret"], _EVIL)
    known = oauth.make(post_logout_redirect_uris=(away,))
    token = oauth.tokens(registered, USER, {"scope": "openid"})["id_token"]

    assert _leads_to(oauth, {"client_id": registered.client_id, "post_logout_redirect_uri": away}) is None
    assert _leads_to(oauth, {"id_token_hint": token, "post_logout_redirect_uri": away}) == away
    assert _leads_to(oauth, {"client_id": known.client_id, "post_logout_redirect_uri": away}) == away


def _leads_to(oauth: OAuth, parameters: dict[str, str]) -> str | None:
    answer = oauth.service.ask(f"{ENDPOINTS}end_session?{urlencode(parameters)}")
    assert answer.status in {303, 400}
    return answer.header("location")


def test_a_log_out_fills_none_of_the_pages_own_fields(oauth: OAuth) -> None:
    """Which button was pressed, the address that led there does not say."""
    query = urlencode({"state": "s", "decision": "leave", "csrf_token": "mine"})
    headers = [("accept", "text/html"), ("cookie", f"sid={oauth.sid(USER)}")]

    fields = fields_of_form(oauth.service.ask(f"{ENDPOINTS}end_session?{query}", headers=headers).text)

    assert sorted(name for name, _ in fields) == ["csrf_token", "state"]
    assert ("csrf_token", "mine") not in fields


def test_strangers_do_not_fill_the_database_with_devices(oauth: OAuth) -> None:
    """A client that proves nothing is held to a number from each address, all such clients together."""
    grants = frozenset({GrantType.DEVICE_CODE})
    one, other = (oauth.make_public(grant_types=grants, redirect_uris=()) for _ in range(2))
    proved, flooded, elsewhere = oauth.make(grant_types=ALL_GRANTS, user=USER), "192.0.2.44", "192.0.2.45"
    started = [oauth.send("device_authorization", one.named, peer=flooded).status for _ in range(100)]

    refused = oauth.send("device_authorization", other.named, peer=flooded)

    assert set(started) == {200}
    assert (refused.status, refused.document["error"]) == (429, "temporarily_unavailable")
    assert int(refused.header("retry-after") or 0) > 0
    assert oauth.send("device_authorization", other.named, peer=elsewhere).status == 200
    assert oauth.send("device_authorization", {}, proved.basic, peer=flooded).status == 200


def test_the_code_to_compare_is_the_devices_own(oauth: OAuth) -> None:
    """What a link puts around a code is not shown where the user is told to look for the code."""
    started = oauth.send("device_authorization", {}, oauth.make(grant_types=ALL_GRANTS, user=USER).basic).document
    token = dict(fields_of_form(oauth.service.ask("/device", headers=[("cookie", f"sid={oauth.sid(USER)}")]).text))
    letters = started["user_code"].replace("-", "").lower()

    page = oauth.send("/device", {**token, "user_code": f"OU812 {letters}"}, user=USER)

    assert started["user_code"] in page.text
    assert "OU812" not in page.text
    assert ("user_code", started["user_code"]) in fields_of_form(page.text)
