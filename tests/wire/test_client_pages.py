"""The pages of OAuth clients: who gets what, by whatever address, and what is made of their form."""

import html
import re
from collections.abc import Iterator, Mapping

import pytest

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service
from support.client_office import (
    API,
    BACK,
    KEEPER,
    LIST,
    MANAGER,
    NEW,
    TYPED,
    WEB,
    Office,
    open_office,
    peopled_service,
)
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, secret_in, send_form, send_json, visit


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, one of whom keeps clients."""
    with peopled_service(tmp_path_factory.mktemp("clients") / "home") as service:
        yield service


@pytest.fixture
def office(peopled: Service) -> Iterator[Office]:
    """A client of its own for a test."""
    with open_office(peopled) as office:
        yield office


ADDRESSES = [
    LIST,
    f"{LIST}?search=calendar&state=active&sort=-app_name",
    NEW,
    *(f"{{page}}{view}" for view in ("", "?tab=tokens", "?tab=activity", "/rotate", "/revoke", "/delete")),
    "{page}/token/{token}/end",
    f"/app/user/{WEB}?tab=settings",
    f"/app/user/{WEB}/app/{{client}}/disconnect",
]


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("user", "statuses"), [("", {303}), (WEB, {403}), (API, {403, 404}), (MANAGER, {200})])
def test_a_page_is_for_who_may_read_what_is_in_it(office: Office, path: str, user: str, statuses: set[int]) -> None:
    """Guests are sent to sign in; whoever may not learns nothing of clients or others' applications."""
    answer = visit(office.service, path.format(page=office.page, client=office.client_id, token=office.token), user)

    assert answer.status in statuses
    assert user == MANAGER or "Calendar" not in answer.text
    if user:
        assert_page(answer)


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        (NEW, TYPED),
        ("{page}", TYPED),
        ("{page}/rotate", {"overlap": "0", "seen": "1"}),
        ("{page}/revoke", {}),
        ("{page}/delete", {}),
        ("{page}/token/{token}/end", {}),
        (f"/app/user/{WEB}/app/{{client}}/disconnect", {}),
    ],
)
@pytest.mark.parametrize("user", ["", WEB, API])
def test_a_change_is_for_who_may_make_it(office: Office, path: str, typed: Mapping[str, str], user: str) -> None:
    """Forms that nobody was shown change nothing, and none changes anything without the session's token."""
    service, clients = office.service, office.service.latchgate.clients
    path = path.format(page=office.page, client=office.client_id, token=office.token)
    before = clients.list_all(COMMAND_LINE), clients.count_users(COMMAND_LINE, office.client_id)

    # The user of the token has a right on it, but not on this page of somebody else's client.
    answer = send_form(service, path, user, typed) if user else service.post(path, typed, form=True, headers=[HTML])
    forged = service.post(path, typed, form=True, headers=[("cookie", f"sid={service.sign_in(MANAGER).sid}"), HTML])

    assert answer.status in {303, 403, 404}
    assert forged.status == 400
    assert "lgc_" not in answer.text + forged.text
    assert (clients.list_all(COMMAND_LINE), clients.count_users(COMMAND_LINE, office.client_id)) == before


@pytest.mark.parametrize(
    ("kind", "more", "method", "grants", "scopes"),
    [
        ("web", {}, AuthMethod.BASIC, {"authorization_code", "refresh_token"}, {"all", "openid"}),
        ("app", {"may": "none"}, AuthMethod.NONE, {"authorization_code", "refresh_token"}, {"openid"}),
        ("script", {"user": API, "may": "read"}, AuthMethod.BASIC, {"client_credentials"}, {"read"}),
        ("device", {"openid": ""}, AuthMethod.NONE, {GrantType.DEVICE_CODE.value, "refresh_token"}, {"all"}),
        (
            "web",
            {"may": "pick", "scope:User:read": "1", "other_scopes": "crm, a b:c", "openid": ""},
            AuthMethod.BASIC,
            {"authorization_code", "refresh_token"},
            None,
        ),
        (
            "web",
            {"may": "pick", "scope:User:read": "1", "other_scopes": "crm\nAPI Key:read", "role:Keeper": "1"},
            AuthMethod.BASIC,
            {"authorization_code", "refresh_token"},
            {"User:read", "crm", "API Key:read", "openid"},
        ),
    ],
)
def test_what_it_is_decides_how_it_works(
    peopled: Service,
    kind: str,
    more: Mapping[str, str],
    method: AuthMethod,
    grants: set[str],
    scopes: set[str] | None,
) -> None:
    """Of four kinds each has its grants and its proof; a secret is shown where there is one, this once."""
    clients = peopled.latchgate.clients
    before = {client.client_id for client in clients.list_all(COMMAND_LINE)}

    answer = send_form(peopled, NEW, MANAGER, {**TYPED, "kind": kind, **more})

    made = [client for client in clients.list_all(COMMAND_LINE) if client.client_id not in before]
    if scopes is None:
        assert 'id="scopes-error"' in assert_shown(answer, 417) or "may-error" in answer.text
        assert made == []
        return
    (client,) = made
    assert (client.auth_method, {str(grant) for grant in client.grant_types}) == (method, grants)
    assert client.scopes == scopes
    assert client.redirect_uris == (BACK, "http://127.0.0.1/back")
    assert client.allowed_roles == ({"Keeper"} if "role:Keeper" in more else set())
    page = f"{LIST}/{client.client_id}"
    if method.by_secret:
        secret = secret_in(assert_page(answer))
        assert secret.startswith("lgc_")
        assert f"CLIENT_ID={client.client_id}" in answer.text
        assert secret not in visit(peopled, page, MANAGER).text
    else:
        assert (answer.status, answer.header("location")) == (303, f"{page}?done=created")
    saved = send_form(peopled, page, MANAGER, _as_shown(assert_page(visit(peopled, page, MANAGER))))
    assert saved.header("location") == f"{page}?done=saved"
    after = clients.get(COMMAND_LINE, client.client_id)
    # What nobody changed came back as it was.
    assert (after.scopes, after.grant_types, after.auth_method) == (client.scopes, client.grant_types, method)
    assert (after.allowed_roles, after.redirect_uris) == (client.allowed_roles, client.redirect_uris)
    clients.delete(COMMAND_LINE, client.client_id)


def _as_shown(text: str) -> dict[str, str]:
    """Give what a browser would send of a page's form of a client, as it is."""
    form = text.partition('<form class="oauth-client"')[2].partition("</form>")[0]
    sent = {}
    for tag in re.findall(r"<input[^>]*>", form):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") not in {"checkbox", "radio"} or " checked" in tag:
            sent[found["name"]] = html.unescape(found["value"])
    for name, inside in re.findall(r'<select id="\w+" name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        sent[name] = re.findall(r'value="([^"]*)" selected', inside)[0]
    for name, inside in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL):
        sent[name] = html.unescape(inside)
    return sent


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"app_name": " "}, 'id="app_name-error"'),
        ({"kind": "else"}, 'id="kind-error"'),
        ({"redirect_uris": ""}, 'id="redirect_uris-error"'),
        ({"redirect_uris": "http://example.com/back"}, 'id="redirect_uris-error"'),
        ({"kind": "script"}, 'id="user-error"'),
        ({"user": "nobody@example.com"}, 'id="user-error"'),
        ({"may": "else"}, 'id="may-error"'),
        ({"may": "pick"}, 'id="may-error"'),
        ({"auth_method": "password"}, 'id="auth_method-error"'),
        ({"auth_method": "private_key_jwt"}, 'id="jwks-error"'),
        ({"kind": "app", "require_pkce": ""}, 'id="require_pkce-error"'),
        ({"id_token_alg": "none"}, 'id="id_token_alg-error"'),
        ({"resources": "nothing"}, 'id="resources-error"'),
        ({"post_logout_redirect_uris": "javascript:alert(1)"}, 'id="post_logout_redirect_uris-error"'),
        ({"client_uri": "ftp://example.com"}, 'id="client_uri-error"'),
        ({"role:Nobody": "1"}, 'id="allowed_roles-error"'),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    peopled: Service, changes: Mapping[str, str], told: str
) -> None:
    """At its field, and nothing is half done."""
    before = peopled.latchgate.clients.list_all(COMMAND_LINE)

    text = assert_shown(
        send_form(peopled, NEW, MANAGER, {**TYPED, "client_uri": "https://kept.example", **changes}), 417
    )

    assert told in text
    assert html.escape(changes.get("client_uri", "https://kept.example")) in text
    assert peopled.latchgate.clients.list_all(COMMAND_LINE) == before


@pytest.mark.parametrize("value", [None, [], {}, 7, True])
@pytest.mark.parametrize(
    "name", ["app_name", "kind", "redirect_uris", "user", "may", "auth_method", "jwks", "resources"]
)
def test_what_no_form_sends_is_refused_as_well(peopled: Service, name: str, value: object) -> None:
    """JSON of other kinds makes no client, but where nothing at all is a choice."""
    before = peopled.latchgate.clients.list_all(COMMAND_LINE)

    answer = send_json(peopled, NEW, MANAGER, {**TYPED, name: value})

    if name == "auth_method" and not value:
        assert answer.status == 200
        return
    assert answer.status == 417
    assert peopled.latchgate.clients.list_all(COMMAND_LINE) == before


def test_who_keeps_clients_is_not_offered_what_managers_decide(office: Office) -> None:
    """No trust and no resources; what such a one types of them all the same counts nothing."""
    service = office.service
    text = assert_page(visit(service, NEW, KEEPER))
    assert "skip_authorization" not in text
    assert 'name="resources"' not in text
    wanted = {**TYPED, "skip_authorization": "1", "resources": "https://api.example.com", "app_name": "Kept"}

    made = send_form(service, NEW, KEEPER, wanted)

    (client,) = [one for one in service.latchgate.clients.list_all(COMMAND_LINE) if one.app_name == "Kept"]
    assert secret_in(assert_page(made))
    assert (client.skip_authorization, client.resources) == (False, ())
    page = f"{LIST}/{client.client_id}"
    assert "You may not see the tokens of users." in assert_page(visit(service, f"{page}?tab=tokens", KEEPER))
    assert "Live tokens" not in assert_page(visit(service, LIST, KEEPER))
    assert send_form(service, NEW, KEEPER, {**TYPED, "kind": "script", "user": "Administrator"}).status == 403
    service.latchgate.clients.delete(COMMAND_LINE, client.client_id)


def test_the_room_is_for_who_may_read_clients(office: Office) -> None:
    """The way there is in the navigation of those alone."""
    shown = {user: f'href="{LIST}"' in visit(office.service, "/app", user).text for user in (MANAGER, KEEPER, API)}

    assert shown == {MANAGER: True, KEEPER: True, API: False}
