"""OAuth clients at the addresses of records; who may do what is also in test_matrix.py."""

import json
from typing import Any

import pytest

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.core.permissions import Action, Grant
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, Pair, Service
from support.envelopes import assert_refused
from wire.conftest import API, MANAGER, WEB

CLIENTS = "/api/resource/OAuth%20Client"
TOKEN_ENDPOINT = "/api/method/frappe.integrations.oauth2.get_token"
_BACK = "https://app.example/back"
_APP = {"app_name": "App", "scopes": "openid User:read", "redirect_uris": _BACK}
_OWN_RUN = {"app_name": "Robot", "scopes": "User:read", "grant_types": ["client_credentials"]}


def _send(service: Service, method: str, target: str, key: Pair, document: object = None) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    return service.ask(target, key.token, method=method, headers=[("content-type", "application/json")], body=body)


def _make(service: Service, key: Pair, **values: Any) -> dict[str, Any]:  # noqa: ANN401  # any field
    answer = service.post(CLIENTS, {**_APP, **values}, key.token)
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.document["data"]
    return made


# Clients


def test_a_secret_is_told_once(service: Service, manager_key: Pair) -> None:
    """In the answer that makes the client, and by it the client proves itself; never again, whatever is asked."""
    made = _make(service, manager_key, user=API, grant_types=["client_credentials"], scopes="User:read")
    secret = made.pop("client_secret")
    target = f"{CLIENTS}/{made['name']}"

    again = [
        _send(service, "GET", target, manager_key),
        _send(service, "PUT", target, manager_key, {"app_name": "Other"}),
        _send(service, "PUT", target, manager_key, {"token_endpoint_auth_method": "client_secret_post"}),
        service.ask(f'{CLIENTS}?fields=["*"]&limit=0', manager_key.token),
        service.ask(f"/api/v2/document/OAuth%20Client/{made['name']}", manager_key.token),
    ]
    proved = service.post(
        TOKEN_ENDPOINT, {"grant_type": "client_credentials"}, Pair(made["name"], secret).basic, form=True
    )

    assert (proved.status, made["client_id"], secret[:4]) == (200, made["name"], "lgc_")
    assert {answer.status for answer in again} == {200}
    assert not any("client_secret" in json.loads(answer.body).get("data", {}) for answer in again)
    assert not any(secret.encode() in answer.body for answer in again)
    assert all(secret not in repr(row) for answer in again for row in answer.rows)


@pytest.mark.parametrize("field", ["client_secret", "hash", "pepper", "previous_hash"])
def test_nothing_of_a_secret_can_be_asked_for(service: Service, manager_key: Pair, field: str) -> None:
    """Neither as a field of a list, nor by comparing, nor by sending one."""
    answers = [
        service.ask(f'{CLIENTS}?fields=["{field}"]', manager_key.token),
        service.ask(f'{CLIENTS}?filters=[["{field}","like","lgc%"]]', manager_key.token),
        service.ask(f"{CLIENTS}?order_by={field}", manager_key.token),
        service.post(CLIENTS, {**_APP, field: "chosen-by-the-client"}, manager_key.token),
    ]

    assert {answer.status for answer in answers} == {417}


def test_a_client_without_a_secret(service: Service, manager_key: Pair) -> None:
    """A public client, or one that signs, is answered with none."""
    jwk = {"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256"}
    jwk |= {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
    keys = json.dumps({"keys": [jwk]})

    public = _make(service, manager_key, token_endpoint_auth_method="none")
    signing = _make(service, manager_key, token_endpoint_auth_method="private_key_jwt", jwks=keys)

    assert "client_secret" not in public | signing
    assert (public["require_pkce"], json.loads(signing["jwks"])["keys"][0]["kid"]) == (1, "1")


def test_a_client_is_what_was_sent(service: Service, manager_key: Pair) -> None:
    """Each field is answered as it was sent, in one form; a whole record can be sent back and changes nothing."""
    sent = {
        "app_name": "Whole",
        "user": API,
        "scopes": "User:read\nopenid  API%20Key:read",
        "redirect_uris": f"{_BACK}\nhttps://other.example/back",
        "post_logout_redirect_uris": "https://app.example/out",
        "grant_types": ["refresh_token", "authorization_code", "client_credentials"],
        "token_endpoint_auth_method": "client_secret_post",
        "allowed_roles": ["System Manager"],
        "skip_authorization": 1,
        "require_pkce": 0,
        "id_token_signed_response_alg": "ES256",
        "client_uri": "https://app.example/",
        "resources": "https://api.example",
    }
    made = _make(service, manager_key, **sent)
    expected = sent | {
        "scopes": "API%20Key:read User:read openid",
        "redirect_uris": f"{_BACK} https://other.example/back",
        "default_redirect_uri": _BACK,
        "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
        "owner": MANAGER,
        "status": "active",
        "registered": 0,
    }

    back = _send(service, "PUT", f"{CLIENTS}/{made['name']}", manager_key, made | {"client_secret": None})
    made.pop("client_secret")
    again = _send(service, "PUT", f"{CLIENTS}/{made['name']}", manager_key, made)

    assert {name: made[name] for name in expected} == expected
    assert back.status == 417  # it is no field, and never was
    assert (again.status, again.document["data"]) == (200, made)


def test_a_change_leaves_the_rest(service: Service, manager_key: Pair) -> None:
    """One field is replaced, and who did it is noted."""
    made = _make(service, manager_key, allowed_roles=["All"], client_uri="https://app.example/")
    del made["client_secret"]

    answer = _send(service, "PUT", f"{CLIENTS}/{made['name']}", manager_key, {"scopes": "User:read"})

    changed = answer.document["data"]
    assert changed.pop("modified") > made.pop("modified")
    assert changed == made | {"scopes": "User:read"}


def test_a_stale_change(service: Service, manager_key: Pair) -> None:
    """Who read the record before somebody else changed it is told so, and nothing is changed."""
    made = _make(service, manager_key)
    target = f"{CLIENTS}/{made['name']}"
    fresh = _send(service, "PUT", target, manager_key, {"app_name": "First", "modified": made["modified"]})

    stale = _send(service, "PUT", target, manager_key, {"app_name": "Second", "modified": made["modified"]})

    assert fresh.status == 200
    assert made["modified"] in assert_refused(stale, 417, "TimestampMismatchError")
    assert _send(service, "GET", target, manager_key).document["data"]["app_name"] == "First"


_WRONG: list[tuple[dict[str, object], str, str]] = [
    ({"app_name": ""}, "MandatoryError", "App Name"),
    ({"app_name": "two\nlines"}, "ValidationError", "app_name"),
    ({"app_name": 7}, "ValidationError", "app_name"),
    ({"scopes": ""}, "ValidationError", "scopes"),
    ({"scopes": 'a"b'}, "ValidationError", "scopes"),
    ({"scopes": "User:fly"}, "ValidationError", "scopes"),
    ({"scopes": "ümlaut"}, "ValidationError", "scopes"),
    ({"scopes": ["all"]}, "ValidationError", "scopes"),
    ({"redirect_uris": ""}, "ValidationError", "redirect_uris"),
    ({"redirect_uris": "app.example"}, "ValidationError", "redirect_uris"),
    ({"redirect_uris": "http://app.example/back"}, "ValidationError", "redirect_uris"),
    ({"redirect_uris": f"{_BACK} {_BACK}#fragment"}, "ValidationError", "redirect_uris"),
    ({"redirect_uris": "javascript:alert(1)"}, "ValidationError", "redirect_uris"),
    ({"post_logout_redirect_uris": "//app.example"}, "ValidationError", "post_logout_redirect_uris"),
    ({"grant_types": ["password"]}, "ValidationError", "grant_types"),
    ({"grant_types": ["implicit", "authorization_code"]}, "ValidationError", "grant_types"),
    ({"grant_types": []}, "ValidationError", "grant_types"),
    ({"grant_types": ["refresh_token"]}, "ValidationError", "grant_types"),
    ({"grant_types": {"a": 1}}, "ValidationError", "grant_types"),
    ({"grant_types": ["client_credentials"]}, "LinkValidationError", "user"),
    ({"user": "nobody@example.com"}, "LinkValidationError", "nobody@example.com"),
    ({"user": "Guest"}, "LinkValidationError", "Guest"),
    ({"allowed_roles": ["All", "No Such Role"]}, "LinkValidationError", "No Such Role"),
    ({"token_endpoint_auth_method": "tls_client_auth"}, "ValidationError", "token_endpoint_auth_method"),
    ({"token_endpoint_auth_method": "none", "require_pkce": 0}, "ValidationError", "require_pkce"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "ValidationError", "jwks"),
    ({"jwks": "{}"}, "ValidationError", "jwks"),
    ({"id_token_signed_response_alg": "none"}, "ValidationError", "id_token_signed_response_alg"),
    ({"id_token_signed_response_alg": "HS256"}, "ValidationError", "id_token_signed_response_alg"),
    ({"client_uri": "javascript:alert(1)"}, "ValidationError", "client_uri"),
    ({"resources": "https://api.example/#part"}, "ValidationError", "resources"),
    ({"skip_authorization": 2}, "ValidationError", "skip_authorization"),
    ({"registered": 1}, "ValidationError", "registered"),
    ({"client_id": "chosen"}, "ValidationError", "client_id"),
    ({"name": "chosen"}, "ValidationError", "name"),
    ({"revoked": "2030-01-01 00:00:00"}, "ValidationError", "revoked"),
    ({"no_such_field": 1}, "ValidationError", "no_such_field"),
]


@pytest.mark.parametrize(("wrong", "exc_type", "told"), _WRONG, ids=[str(case[0]) for case in _WRONG])
def test_what_cannot_be_accepted_is_named(
    service: Service, manager_key: Pair, wrong: dict[str, object], exc_type: str, told: str
) -> None:
    """Where a client is made; nothing is made."""
    before = _send(service, "GET", f"{CLIENTS}?limit=0", manager_key).document

    answer = service.post(CLIENTS, {**_APP, **wrong}, manager_key.token)

    assert told in assert_refused(answer, 417, exc_type)
    assert answer.row.reason == "invalid"
    assert _send(service, "GET", f"{CLIENTS}?limit=0", manager_key).document == before


@pytest.mark.parametrize(
    ("wrong", "exc_type", "told"),
    [case for case in _WRONG if case[0] != {"app_name": ""}],
    ids=[str(case[0]) for case in _WRONG if case[0] != {"app_name": ""}],
)
def test_what_cannot_be_accepted_changes_nothing(
    service: Service, manager_key: Pair, wrong: dict[str, object], exc_type: str, told: str
) -> None:
    """Where a client is changed; the field is named too."""
    made = _make(service, manager_key)
    target = f"{CLIENTS}/{made['name']}"
    before = _send(service, "GET", target, manager_key).document

    answer = _send(service, "PUT", target, manager_key, {"client_uri": "https://new.example/", **wrong})

    assert told in assert_refused(answer, 417, exc_type)
    assert _send(service, "GET", target, manager_key).document == before


def test_a_first_secret_is_for_who_is_shown_it(service: Service, manager_key: Pair) -> None:
    """A change answers no secret: a client that could keep none stays so, and one that had one may give it up."""
    public = _make(service, manager_key, token_endpoint_auth_method="none")
    secret = _make(service, manager_key)

    refused = _send(
        service, "PUT", f"{CLIENTS}/{public['name']}", manager_key, {"token_endpoint_auth_method": "client_secret_post"}
    )
    given_up = _send(service, "PUT", f"{CLIENTS}/{secret['name']}", manager_key, {"token_endpoint_auth_method": "none"})
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    by_secret = service.post(TOKEN_ENDPOINT, form, Pair(secret["name"], secret["client_secret"]).basic, form=True)

    assert "token_endpoint_auth_method" in assert_refused(refused, 417, "ValidationError")
    assert (given_up.status, "client_secret" in given_up.document["data"]) == (200, False)
    assert (by_secret.status, by_secret.document["error"]) == (401, "invalid_client")


def test_many_at_once(service: Service, manager_key: Pair) -> None:
    """Several clients are made together or not at all; who is told their names only is told no secret."""
    docs = [{"doctype": "OAuth Client", **_APP}, {"doctype": "OAuth Client", **_APP, "grant_types": ["password"]}]
    before = _send(service, "GET", f"{CLIENTS}?limit=0", manager_key).document

    refused = service.post("/api/method/frappe.client.insert_many", {"docs": docs}, manager_key.token)
    between = _send(service, "GET", f"{CLIENTS}?limit=0", manager_key).document
    one = service.post("/api/method/frappe.client.insert", {"doc": docs[0]}, manager_key.token)

    assert refused.status == 417
    assert between == before
    assert one.document["message"]["client_secret"].startswith("lgc_")


# By whom


def test_a_scope_of_one_action(service: Service) -> None:
    """A key that may make clients and nothing else makes one, is told its name and secret, and reads nothing."""
    key = service.make_key(MANAGER, scopes=frozenset({"OAuth Client:create"}))

    made = service.post(CLIENTS, _APP, key.token)

    document = made.document["data"]
    assert made.status == 200
    assert document.keys() == {"name", "doctype", "client_secret"}
    target = f"{CLIENTS}/{document['name']}"
    refused = [_send(service, "GET", CLIENTS, key), _send(service, "GET", target, key)]
    refused += [_send(service, "PUT", target, key, {"app_name": "Other"}), _send(service, "DELETE", target, key)]
    assert {(answer.status, answer.row.reason) for answer in refused} <= {(403, "scope_missing"), (404, "not_found")}


def test_a_narrow_key_makes_no_wider_client(service: Service) -> None:
    """What gets tokens without a user being asked may not reach further than the key that makes it."""
    scopes = frozenset({"OAuth Client:create", "OAuth Client:read", "User:read"})
    key = service.make_key(MANAGER, scopes=scopes)

    within = service.post(CLIENTS, {**_OWN_RUN, "user": API}, key.token)
    beyond = service.post(CLIENTS, {**_OWN_RUN, "user": API, "scopes": "all"}, key.token)
    unasked = service.post(CLIENTS, {**_APP, "skip_authorization": 1}, key.token)

    assert [answer.status for answer in (within, beyond, unasked)] == [200, 403, 403]


@pytest.fixture(scope="module")
def keeper_key(service: Service) -> Pair:
    """A key of a user whose role has every right on clients, and none on users."""
    role = service.latchgate.roles.create(COMMAND_LINE, "Client Keeper")
    grant = Grant(role, "OAuth Client", False, frozenset(Action))
    service.latchgate.permissions.grant(COMMAND_LINE, grant)
    return service.make_key(service.make_user("keeper@example.com", roles=frozenset({role})))


def test_a_role_with_the_right(service: Service, keeper_key: Pair) -> None:
    """Makes, reads, changes and deletes clients, and one that runs as its own user; no trusted one, no resource."""
    made = _make(service, keeper_key)
    target = f"{CLIENTS}/{made['name']}"

    assert made["owner"] == "keeper@example.com"
    assert service.post(CLIENTS, {**_OWN_RUN, "user": "keeper@example.com"}, keeper_key.token).status == 200
    for change in ({"skip_authorization": 1}, {"resources": "https://api.example/"}, {"user": MANAGER}):
        refused = _send(service, "PUT", target, keeper_key, change)
        assert refused.status in {403, 417}, change
    assert _send(service, "PUT", target, keeper_key, {"app_name": "Kept"}).status == 200
    assert _send(service, "DELETE", target, keeper_key).status == 202


def test_a_role_with_the_right_learns_of_no_user(service: Service, keeper_key: Pair) -> None:
    """Who may not read users is told the same of one that there is and of one that there is not."""
    made = _make(service, keeper_key)
    told = set()
    for user in (API, MANAGER, "nobody@example.com"):
        for answer in (
            service.post(CLIENTS, {**_OWN_RUN, "user": user}, keeper_key.token),
            _send(service, "PUT", f"{CLIENTS}/{made['name']}", keeper_key, {"user": user}),
        ):
            told.add(assert_refused(answer, 417, "LinkValidationError").replace(user, "whom"))

    assert len(told) == 1


def test_a_role_with_the_right_takes_over_no_other_client(
    service: Service, manager_key: Pair, keeper_key: Pair
) -> None:
    """One that runs as somebody who may do more, or is trusted, is changed by a System Manager alone."""
    runs = _make(service, manager_key, **_OWN_RUN, user=MANAGER)
    trusted = _make(service, manager_key, skip_authorization=1)

    for made in (runs, trusted):
        answer = _send(
            service, "PUT", f"{CLIENTS}/{made['name']}", keeper_key, {"redirect_uris": "https://evil.example/"}
        )
        assert answer.status == 403


@pytest.mark.parametrize("user", [API, WEB])
def test_who_has_no_right_to_clients(service: Service, manager_key: Pair, user: str) -> None:
    """Is told so whatever is asked, also of a client that there is not."""
    key = service.make_key(user)
    names = (_make(service, manager_key)["name"], "no-such-client")
    answers = [service.post(CLIENTS, _APP, key.token), _send(service, "GET", CLIENTS, key)]
    for name in names:
        answers += [_send(service, method, f"{CLIENTS}/{name}", key, {}) for method in ("GET", "PUT", "DELETE")]

    assert {answer.status for answer in answers} == {403}
    assert {answer.row.reason for answer in answers} == {"role_missing"}


def test_a_guest(service: Service) -> None:
    """Is told to sign in, whatever is asked."""
    answers = [service.ask(CLIENTS), service.ask(f"{CLIENTS}/nothing"), service.post(CLIENTS, _APP)]
    answers.append(service.ask(f"{CLIENTS}/nothing", method="DELETE"))

    assert {answer.status for answer in answers} == {403}
    assert all(answer.header("www-authenticate") for answer in answers)


def test_only_what_can_ask_for_itself_runs_by_itself(service: Service, manager_key: Pair) -> None:
    """A public client gets no tokens of its own, whoever makes it."""
    wanted = {**_OWN_RUN, "user": API, "token_endpoint_auth_method": AuthMethod.NONE.value}

    answer = service.post(CLIENTS, {**wanted, "grant_types": [GrantType.CLIENT_CREDENTIALS.value]}, manager_key.token)

    assert "grant_types" in assert_refused(answer, 417, "ValidationError")
