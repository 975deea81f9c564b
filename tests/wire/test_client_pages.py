"""The pages of OAuth clients and of connected applications: who gets what, by whatever address, and what forms do."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from latchgate.core.clients import AuthMethod, GrantType, StoredClient
from latchgate.core.permissions import Action, Grant
from latchgate.core.token_families import Approval
from latchgate.core.tokens import Digest
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from latchgate.services.port_values import NewToken
from support.asgi import Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, secret_in, send_form, send_json, visit

MANAGER, API, WEB, KEEPER = "manager@example.com", "api@example.com", "web@example.com", "keeper@example.com"
LIST, NEW, APPS = "/app/oauth-client", "/app/oauth-client/new", "/me?tab=apps"
BACK = "https://calendar.example.com/back"
TYPED = {
    "app_name": "Address book",
    "kind": "web",
    "redirect_uris": f"{BACK}\n  http://127.0.0.1/back ",
    "may": "all",
    "openid": "1",
    "require_pkce": "1",
    "auth_method": "",
    "id_token_alg": "RS256",
}


@dataclass(frozen=True)
class Office:
    """An instance with users of every kind and a client that one of them allowed something."""

    service: Service
    client_id: str
    token: str

    @property
    def page(self) -> str:
        """The client's."""
        return f"{LIST}/{self.client_id}"

    @property
    def stored(self) -> StoredClient:
        """The client as it is."""
        return self.service.latchgate.clients.get(COMMAND_LINE, self.client_id)

    def typed(self, **changes: str) -> dict[str, str]:
        """Give what the client's own form would send, with these changes; an empty one is left out."""
        text = assert_page(visit(self.service, self.page, MANAGER))
        typed = {**TYPED, "app_name": "Calendar", "redirect_uris": BACK, "auth_method": "client_secret_basic"}
        del typed["kind"]
        seen = re.findall(r'name="seen" value="([^"]*)"', text)[0]
        grants = {f"grant:{grant}": "1" for grant in ("authorization_code", "refresh_token")}
        return {name: value for name, value in {**typed, **grants, "seen": seen, **changes}.items() if value}


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a user of every kind, one of whom keeps clients."""
    with opened_service(tmp_path_factory.mktemp("clients") / "home") as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, first_name="Will", user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Keeper")
        service.make_user(KEEPER, roles=frozenset({"Keeper"}))
        everything = frozenset(Action)
        keeps = Grant("Keeper", "OAuth Client", if_owner=False, actions=everything)
        service.latchgate.permissions.grant(COMMAND_LINE, keeps)
        yield service


@pytest.fixture
def office(peopled: Service) -> Iterator[Office]:
    """A client of its own for a test."""
    latchgate = peopled.latchgate
    client = latchgate.clients.create(COMMAND_LINE, ClientOrder("Calendar", (BACK,))).client
    yield Office(peopled, client.client_id, _allow(peopled, client, WEB))
    if any(one.client_id == client.client_id for one in latchgate.clients.list_all(COMMAND_LINE)):
        latchgate.clients.delete(COMMAND_LINE, client.client_id)


def _allow(service: Service, client: StoredClient, user: str) -> str:
    """Let a user have allowed a client everything; give the name of its access token."""
    now = service.latchgate.clock.now()
    approval = Approval(frozenset({"all"}), frozenset(), now)
    name = f"token-{client.client_id}"
    with service.latchgate.store.write() as tx:
        found = tx.users.find(user)
        assert found is not None
        tx.consents.put(f"consent-{client.client_id}", found.id, client.id, approval, now * 1_000_000)
        family = tx.token_families.add_family(f"family-{client.client_id}", client.id, found.id, approval, now)
        new = NewToken(
            name,
            name.encode(),
            found.id,
            client.client_id,
            approval.scopes,
            now,
            now + 3600,
            None,
            client_row_id=client.id,
            family_id=family,
        )
        tx.access_tokens.set_digest(tx.access_tokens.add(new), Digest(1, bytes(32)))
    return name


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


def test_a_client_is_changed_by_who_saw_it(office: Office) -> None:
    """A page that others have overtaken changes nothing, and says so; what was typed is still there."""
    typed = office.typed(app_name="Diary", client_uri="https://diary.example.com")

    saved = send_form(office.service, office.page, MANAGER, typed)
    stale = send_form(office.service, office.page, MANAGER, {**typed, "app_name": "Overtaken"})

    assert (saved.status, saved.header("location")) == (303, f"{office.page}?done=saved")
    assert "Somebody else changed this" in assert_shown(stale, 417)
    assert 'value="Overtaken"' in stale.text
    assert (office.stored.app_name, office.stored.client_uri) == ("Diary", "https://diary.example.com")
    for seen in ("", "x", "-1", "9" * 30, "٣"):
        refused = send_form(office.service, office.page, MANAGER, {**typed, "seen": seen})
        assert "required, as the page had it" in assert_shown(refused, 417)


def test_a_client_that_gets_to_need_a_secret_is_given_one(office: Office) -> None:
    """It is shown, this once, where the way to prove itself was changed."""
    public = office.typed(auth_method="none")
    assert send_form(office.service, office.page, MANAGER, public).status == 303
    assert "Rotate secret" not in visit(office.service, office.page, MANAGER).text

    answer = send_form(office.service, office.page, MANAGER, office.typed())

    assert secret_in(assert_page(answer)).startswith("lgc_")


def test_a_secret_is_rotated(office: Office) -> None:
    """With an overlap that the page tells; a page that was overtaken, or asks for too long, rotates nothing."""
    page = f"{office.page}/rotate"
    seen = re.findall(r'name="seen" value="([^"]*)"', assert_page(visit(office.service, page, MANAGER)))[-1]

    answer = send_form(office.service, page, MANAGER, {"overlap": "86400", "seen": seen})
    stale = send_form(office.service, page, MANAGER, {"overlap": "86400", "seen": seen})
    unknown = send_form(office.service, page, MANAGER, {"overlap": "1", "seen": str(office.stored.modified)})

    assert secret_in(assert_page(answer)).startswith("lgc_")
    assert "former secret until" in answer.text
    assert "This client was changed since you looked at it" in assert_shown(stale, 417)
    assert "Nothing was changed" in assert_shown(unknown, 417)
    assert "lgc_" not in stale.text + unknown.text


def test_the_end_says_what_stops(office: Office) -> None:
    """How many users' tokens end, before; afterwards the client is there to be looked at, and can be deleted."""
    service, page = office.service, office.page
    assert "One user's tokens end." in html.unescape(assert_page(visit(service, f"{page}/revoke", MANAGER)))

    ended = send_form(service, f"{page}/revoke", MANAGER, {})

    assert (ended.status, ended.header("location")) == (303, f"{page}?done=client-revoked")
    text = assert_page(visit(service, page, MANAGER))
    assert "Revoked" in text
    assert "Revoke client" not in text
    assert "Save" not in text
    assert "was revoked for good" in assert_shown(send_form(service, page, MANAGER, {**TYPED, **_seen_of(office)}), 417)
    assert "Calendar" not in assert_page(visit(service, f"{LIST}?state=active", MANAGER))
    assert "Calendar" in assert_page(visit(service, f"{LIST}?state=revoked", MANAGER))
    deleted = send_form(service, f"{page}/delete", MANAGER, {})
    assert (deleted.status, deleted.header("location")) == (303, f"{LIST}?done=deleted")
    for path in (page, f"{page}/rotate", f"{page}/revoke", f"{page}/delete"):
        assert visit(service, path, MANAGER).status == 404


def test_a_token_is_ended(office: Office) -> None:
    """From the client's page, by its name; one of another client is not there."""
    service = office.service
    assert WEB in assert_page(visit(service, f"{office.page}?tab=tokens", MANAGER))
    other = service.latchgate.clients.create(COMMAND_LINE, ClientOrder("Other", (BACK,))).client
    assert visit(service, f"{LIST}/{other.client_id}/token/{office.token}/end", MANAGER).status == 404
    service.latchgate.clients.delete(COMMAND_LINE, other.client_id)

    ended = send_form(service, f"{office.page}/token/{office.token}/end", MANAGER, {})

    assert (ended.status, ended.header("location")) == (303, f"{office.page}?tab=tokens&done=token-ended")
    text = assert_page(visit(service, f"{office.page}?tab=tokens", MANAGER))
    assert "No access token is alive." in text
    assert "No user is connected" in text


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


def test_what_one_allowed_is_ones_own_to_take_back(office: Office) -> None:
    """A Website User sees it under their account, is told what ends, and ends it; others do not see it there."""
    service, way = office.service, f"/me/app/{office.client_id}/disconnect"
    mine = assert_page(visit(service, APPS, WEB))
    assert "Calendar" in mine
    assert "Do everything that you may do, as you" in mine
    assert "No application may act for you." in assert_page(visit(service, APPS, API))
    assert "Its tokens end at once" in assert_page(visit(service, way, WEB))
    assert visit(service, way, API).status == 404
    assert send_form(service, way, API, {}).status == 404

    ended = send_form(service, way, WEB, {})

    assert (ended.status, ended.header("location")) == (303, f"{APPS}&done=disconnected")
    assert "No application may act for you." in assert_page(visit(service, APPS, WEB))
    assert service.latchgate.clients.count_users(COMMAND_LINE, office.client_id) == 0


def test_an_administrator_takes_back_what_a_user_allowed(office: Office) -> None:
    """On the user's form, in Settings."""
    service, page = office.service, "/app/user/web%40example.com"
    assert "1 app<" in assert_page(visit(service, f"{page}?tab=settings", MANAGER))

    ended = send_form(service, f"{page}/app/{office.client_id}/disconnect", MANAGER, {})

    assert (ended.status, ended.header("location")) == (303, f"{page}?tab=settings&done=disconnected")
    assert "0 apps<" in assert_page(visit(service, f"{page}?tab=settings", MANAGER))


def test_the_room_is_for_who_may_read_clients(office: Office) -> None:
    """The way there is in the navigation of those alone."""
    shown = {user: f'href="{LIST}"' in visit(office.service, "/app", user).text for user in (MANAGER, KEEPER, API)}

    assert shown == {MANAGER: True, KEEPER: True, API: False}


def _seen_of(office: Office) -> dict[str, str]:
    """Give what the form of a client sends beside a new one's."""
    return {"seen": str(office.stored.modified), "auth_method": "client_secret_basic", "grant:authorization_code": "1"}
