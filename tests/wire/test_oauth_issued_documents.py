"""Access tokens and consents at the addresses of records: whose they are, and what ends with them."""

import json
from urllib.parse import quote

import pytest

from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import LOGGED_USER, Answer, Pair, Service
from support.envelopes import assert_refused
from support.issued import approve
from wire.conftest import API, MANAGER, WEB

CLIENTS = "/api/resource/OAuth%20Client"
TOKENS = "/api/resource/OAuth%20Bearer%20Token"
CONSENTS = "/api/resource/OAuth%20Consent"
TOKEN_ENDPOINT = "/api/method/frappe.integrations.oauth2.get_token"
_BACK = "https://app.example/back"


def _send(service: Service, method: str, target: str, key: Pair, document: object = None) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    return service.ask(target, key.token, method=method, headers=[("content-type", "application/json")], body=body)


def _app(service: Service, user: str = API) -> tuple[Pair, str, str]:
    """Make a client that a user allowed everything; give its secret, an access token and a refresh token."""
    made = service.latchgate.clients.create(COMMAND_LINE, ClientOrder("App", redirect_uris=(_BACK,)))
    assert made.secret is not None
    issued = approve(service.latchgate, made.client.client_id, user)
    assert issued.refresh_token is not None
    pair = Pair(made.client.client_id, made.secret.text)
    return pair, issued.access_token.text, issued.refresh_token.text


def _name(service: Service, address: str, client: Pair, key: Pair) -> str:
    filters = quote(json.dumps([["client", "=", client.key_id]]))
    ((row),) = service.ask(f"{address}?filters={filters}", key.token).document["data"]
    return f"{address}/{row['name']}"


def _refresh(service: Service, client: Pair, refresh: str) -> Answer:
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    return service.post(TOKEN_ENDPOINT, form, client.basic, form=True)


@pytest.mark.parametrize("user", [API, WEB])
@pytest.mark.parametrize("address", [TOKENS, CONSENTS])
def test_ones_own(service: Service, manager_key: Pair, address: str, user: str) -> None:
    """Everybody lists and reads their own, a System Manager all; somebody else's is as good as absent."""
    client, _, _ = _app(service, user)
    other = service.make_key(WEB if user == API else API)
    own = service.make_key(user)
    target = _name(service, address, client, own)

    assert target == _name(service, address, client, manager_key)
    assert _send(service, "GET", target, own).document["data"]["user"] == user
    theirs = service.ask(f'{address}?fields=["user"]&limit=0', other.token).document["data"]
    assert {"user": user} not in theirs
    answers = [_send(service, method, target, other) for method in ("GET", "DELETE")]
    missing = [_send(service, method, f"{address}/nothing", other) for method in ("GET", "DELETE")]
    assert {answer.status for answer in (*answers, *missing)} == {404}


@pytest.mark.parametrize("address", [TOKENS, CONSENTS])
def test_a_token_is_answered_nowhere(service: Service, manager_key: Pair, address: str) -> None:
    """Neither the access token nor the refresh token stands in any record or list."""
    client, access, refresh = _app(service)
    record = _send(service, "GET", _name(service, address, client, manager_key), manager_key)
    listed = service.ask(f'{address}?fields=["*"]&limit=0', manager_key.token)

    for answer in (record, listed):
        assert access not in answer.text
        assert refresh not in answer.text


@pytest.mark.parametrize("ends", [API, MANAGER])
@pytest.mark.parametrize("address", [TOKENS, CONSENTS])
def test_an_end_is_one_at_the_next_request(service: Service, address: str, ends: str) -> None:
    """Deleting a token or a consent, by its user or a System Manager, ends all that came of the approval."""
    key = service.make_key(ends)
    client, access, refresh = _app(service)
    target = _name(service, address, client, key)
    before = service.ask(LOGGED_USER, f"Bearer {access}").status

    deleted = _send(service, "DELETE", target, key)

    after = service.ask(LOGGED_USER, f"Bearer {access}")
    refreshed = _refresh(service, client, refresh)
    assert (before, deleted.status, after.status, after.row.reason) == (200, 202, 401, "revoked")
    assert (refreshed.status, refreshed.document["error"]) == (400, "invalid_grant")
    again = _send(service, "GET", target, key)
    assert again.status == (200 if address == TOKENS else 404)
    if address == TOKENS:
        assert again.document["data"]["status"] == "revoked"
        assert _send(service, "DELETE", target, key).status == 202


def test_other_approvals_go_on(service: Service) -> None:
    """Ending a token leaves what came of another approval of the same user and client."""
    key = service.make_key(API)
    client, access, _ = _app(service)
    target = _name(service, TOKENS, client, key)
    second = approve(service.latchgate, client.key_id, API).access_token.text

    _send(service, "DELETE", target, key)

    assert service.ask(LOGGED_USER, f"Bearer {access}").status == 401
    assert service.ask(LOGGED_USER, f"Bearer {second}").status == 200


def test_a_token_ends_itself(service: Service) -> None:
    """Whoever holds a token may end it by its own record; it is refused from then on."""
    client, access, _ = _app(service)
    target = _name(service, TOKENS, client, service.make_key(API))

    first = service.ask(target, f"Bearer {access}", method="DELETE")

    assert first.status == 202
    assert service.ask(target, f"Bearer {access}").status == 401


def test_an_imported_token(service: Service, manager_key: Pair) -> None:
    """One that came of no approval here ends as well."""
    bearer = service.make_bearer(API, "a-token-made-elsewhere-for-documents")
    filters = quote(json.dumps([["client", "=", "some-client"], ["user", "=", API]]))
    rows = service.ask(f"{TOKENS}?filters={filters}&order_by=creation desc&limit=1", manager_key.token).document["data"]

    deleted = _send(service, "DELETE", f"{TOKENS}/{rows[0]['name']}", manager_key)

    assert (deleted.status, service.ask(LOGGED_USER, bearer).status) == (202, 401)


@pytest.mark.parametrize("address", [TOKENS, CONSENTS])
def test_nobody_makes_or_changes_one(service: Service, manager_key: Pair, address: str) -> None:
    """Not even Administrator; each is told why, or that there is no right to it."""
    administrator = service.make_key("Administrator")
    client, access, _ = _app(service)
    target = _name(service, address, client, manager_key)
    before = _send(service, "GET", target, administrator).document

    assert "doctype" in assert_refused(service.post(address, {}, administrator.token), 417, "ValidationError")
    for change in ({"user": MANAGER}, {"scopes": "all openid"}, {"client": "x"}, {"modified_by": MANAGER}):
        refused = _send(service, "PUT", target, administrator, change)
        assert next(iter(change)) in assert_refused(refused, 417, "ValidationError")
    for key in (manager_key, service.make_key(API)):
        assert service.post(address, {}, key.token).status == 403
        assert _send(service, "PUT", target, key, {"scopes": "all"}).status == 403
    assert _send(service, "GET", target, administrator).document == before
    assert service.ask(LOGGED_USER, f"Bearer {access}").status == 200


@pytest.mark.parametrize(("address", "doctype"), [(TOKENS, "OAuth Bearer Token"), (CONSENTS, "OAuth Consent")])
def test_a_scope_to_read_ends_nothing(service: Service, address: str, doctype: str) -> None:
    """And one to end what is one's own needs to read it, as every deletion does."""
    client, access, _ = _app(service)
    target = _name(service, address, client, service.make_key(API))
    read = service.make_key(API, scopes=frozenset({f"{doctype}:read"}))
    both = service.make_key(API, scopes=frozenset({f"{doctype}:read", f"{doctype}:delete"}))
    elsewhere = service.make_key(API, scopes=frozenset({"User:read"}))

    refused = [_send(service, "DELETE", target, key) for key in (read, elsewhere)]
    still = service.ask(LOGGED_USER, f"Bearer {access}").status
    done = _send(service, "DELETE", target, both)

    assert [(answer.status, answer.row.reason) for answer in refused] == [(403, "scope_missing")] * 2
    assert (still, done.status) == (200, 202)


def test_a_deleted_client_takes_all_with_it(service: Service, manager_key: Pair) -> None:
    """Its tokens open nothing at the next request, and its consents are gone."""
    client, access, refresh = _app(service)
    consent = _name(service, CONSENTS, client, manager_key)
    assert service.ask(LOGGED_USER, f"Bearer {access}").status == 200

    deleted = _send(service, "DELETE", f"{CLIENTS}/{client.key_id}", manager_key)

    assert (deleted.status, deleted.document) == (202, {"data": "ok"})
    assert service.ask(LOGGED_USER, f"Bearer {access}").status == 401
    assert _refresh(service, client, refresh).status == 401
    assert _send(service, "GET", consent, manager_key).status == 404
    assert _send(service, "GET", f"{CLIENTS}/{client.key_id}", manager_key).status == 404
    assert _send(service, "DELETE", f"{CLIENTS}/{client.key_id}", manager_key).status == 404
