"""Connected applications: what is listed of whom, who may end them, and what ends with one; tokens ended one by one."""

from dataclasses import replace

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.clients import GrantType
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.token_families import Approval
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import NotFound, NotPermitted
from latchgate.oauth.backing import Refusal
from latchgate.services.access_tokens import BEARER_TOKEN
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.connected_apps import ConnectedApp, ConnectedAppService
from latchgate.services.users import UserOrder
from support.house import NOW, PASSWORD, USER
from support.oauth_house import API, DEVICES, OAuthHouse, issued

BOSS, OTHER = "boss@example.com", "other@example.com"


@pytest.fixture
def apps(oauth: OAuthHouse) -> ConnectedAppService:
    """The service, over a house with a user, another one and a System Manager."""
    for name in (USER, OTHER):
        oauth.house.add_user(name)
    oauth.house.add_user(UserOrder(BOSS, password=PASSWORD, roles=frozenset({SYSTEM_MANAGER})))
    return ConnectedAppService(oauth.house.store, oauth.house.clock)


def _names(apps: ConnectedAppService, user: str = USER) -> list[str]:
    return [app.app_name for app in apps.list_of(COMMAND_LINE, user)]


def _token_name(oauth: OAuthHouse) -> str:
    ((name,),) = oauth.house.documents.list_rows(COMMAND_LINE, BEARER_TOKEN, Asked()).rows
    return str(name)


def test_listed_by_name_with_all_that_they_may(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """An application is listed once, whatever it was allowed and when, with tokens or without, and nobody else's."""
    client = oauth.add_client(app_name="calendar", resources=(API,))
    oauth.add_client(app_name="Never allowed")
    oauth.begin(client, oauth.sign_in(), scope="read", resource=API)
    oauth.house.clock.advance(60)
    oauth.begin(client, oauth.sign_in(), scope="openid")
    oauth.allow(oauth.add_client(app_name="Address book"), oauth.sign_in())

    address_book, calendar = apps.list_of(oauth.sign_in(), USER)

    assert (address_book.app_name, address_book.holds_tokens, address_book.since) == ("Address book", False, NOW + 60)
    assert replace(calendar, audience=frozenset()) == ConnectedApp(
        client.client_id, "calendar", frozenset({"read", "openid"}), frozenset(), NOW, holds_tokens=True, trusted=False
    )
    assert API in calendar.audience
    assert apps.list_of(oauth.sign_in(OTHER), OTHER) == []


def test_those_without_a_consent_are_listed_too(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """A trusted client asks nobody and keeps no consent; it is there while a token of it lives, and not after."""
    client = oauth.add_client(app_name="Intranet", skip_authorization=True)
    with oauth.house.store.write() as tx:
        user = tx.users.find(USER)
        assert user is not None
        family = tx.token_families.add_family(
            "f", client.id, user.id, Approval(frozenset({"all"}), frozenset(), 1), NOW
        )
        tx.token_families.add_refresh_token(b"r", family, NOW, NOW + 100)

    (app,) = apps.list_of(COMMAND_LINE, USER)
    assert (app.app_name, app.trusted, app.holds_tokens, app.scopes) == ("Intranet", True, True, frozenset({"all"}))
    assert oauth.clients.count_users(COMMAND_LINE, client.client_id) == 1
    oauth.house.clock.advance(100)
    assert _names(apps) == []
    assert oauth.clients.count_users(COMMAND_LINE, client.client_id) == 0


def test_a_client_that_was_ended_is_no_application(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """Whatever it was allowed, it acts for nobody."""
    client = oauth.add_client()
    oauth.begin(client, oauth.sign_in())

    oauth.clients.revoke(COMMAND_LINE, client.client_id)

    assert _names(apps) == []


def test_disconnected(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """All tokens that it has of the user end, on every device, and nothing of others; it is noted, and over."""
    client, device = oauth.add_client(), oauth.add_client(DEVICES)
    first, second = (oauth.begin(client, oauth.sign_in()) for _ in range(2))
    others = oauth.begin(client, oauth.sign_in(OTHER))
    oauth.allow(device_free := oauth.add_client(app_name="Beside"), oauth.sign_in())

    apps.disconnect(oauth.sign_in(), USER, client.client_id)

    assert [oauth.opens(tokens) for tokens in (first, second, others)] == [False, False, True]
    assert isinstance(oauth.refresh(client, first.refresh_token), Refusal)
    assert _names(apps) == [device_free.app_name]
    assert _names(apps, OTHER) == [client.app_name]
    entry = oauth.house.activity()[-1]
    assert (entry.operation, entry.subject, entry.detail, entry.user) == (
        "consent.ended",
        client.client_id,
        USER,
        USER,
    )
    for gone in (client.client_id, device.client_id, "nothing"):
        with pytest.raises(NotFound):
            apps.disconnect(oauth.sign_in(), USER, gone)


def test_what_was_only_allowed_is_disconnected_as_well(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """The code that was given and not exchanged yet opens nothing either."""
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())

    apps.disconnect(COMMAND_LINE, USER, client.client_id)

    assert _names(apps) == []
    assert isinstance(oauth.redeem(client, code), Refusal)


def test_tokens_of_no_family_are_disconnected_too(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """What a client got by itself as its user ends with the rest; that others have of the user stays."""
    by_itself = frozenset({GrantType.CLIENT_CREDENTIALS})
    client, beside = (
        oauth.add_client(app_name=name, user=USER, redirect_uris=(), grant_types=by_itself)
        for name in ("Nightly", "Beside")
    )
    tokens, others = (issued(oauth.exchange(each, "client_credentials")) for each in (client, beside))
    assert oauth.opens(tokens)

    apps.disconnect(oauth.sign_in(), USER, client.client_id)

    assert [oauth.opens(each) for each in (tokens, others)] == [False, True]
    with pytest.raises(NotFound):
        apps.disconnect(oauth.sign_in(), USER, client.client_id)


@pytest.mark.parametrize(("who", "may"), [(USER, True), (BOSS, True), (OTHER, False)])
def test_who_may(oauth: OAuthHouse, apps: ConnectedAppService, who: str, *, may: bool) -> None:
    """A user's applications are the user's own and System Managers' business, and nobody else's."""
    client = oauth.add_client()
    tokens = oauth.begin(client, oauth.sign_in())
    actor = oauth.sign_in(who)

    assert [apps.may(actor, USER, action) for action in (Action.READ, Action.DELETE)] == [may, may]
    if may:
        assert [app.client_id for app in apps.list_of(actor, USER)] == [client.client_id]
        apps.disconnect(actor, USER, client.client_id)
    else:
        with pytest.raises(NotPermitted):
            apps.list_of(actor, USER)
        with pytest.raises(NotPermitted):
            apps.disconnect(actor, USER, client.client_id)
    assert oauth.opens(tokens) is not may


def test_whether_there_is_a_user_is_told_to_who_may_know(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """Nobody else is told the difference."""
    with pytest.raises(NotFound):
        apps.list_of(oauth.sign_in(BOSS), "nobody@example.com")
    with pytest.raises(NotPermitted):
        apps.list_of(oauth.sign_in(), "nobody@example.com")


def test_a_narrow_credential_ends_nothing(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """A key that may only read sees its user's applications and disconnects none."""
    client = oauth.add_client()
    oauth.begin(client, oauth.sign_in())
    reader, blind = (oauth.house.actor(limits=Limits(frozenset({scope}))) for scope in ("read", "User:read"))

    assert [app.client_id for app in apps.list_of(reader, USER)] == [client.client_id]
    assert not apps.may(reader, USER, Action.DELETE)
    assert not apps.may(blind, USER, Action.READ)
    with pytest.raises(NotPermitted):
        apps.disconnect(reader, USER, client.client_id)


def test_who_counts_a_clients_users(oauth: OAuthHouse, apps: ConnectedAppService) -> None:
    """Only who may look at the client."""
    client = oauth.add_client()
    oauth.begin(client, oauth.sign_in())

    assert _names(apps) == [client.app_name]
    assert oauth.clients.count_users(oauth.sign_in(BOSS), client.client_id) == 1
    with pytest.raises(NotPermitted):
        oauth.clients.count_users(oauth.sign_in(), client.client_id)
    with pytest.raises(NotFound):
        oauth.clients.count_users(COMMAND_LINE, "nothing")


@pytest.mark.parametrize(("who", "may"), [(USER, True), (BOSS, True), (OTHER, False)])
def test_a_token_is_ended_by_its_name(oauth: OAuthHouse, apps: ConnectedAppService, who: str, *, may: bool) -> None:
    """With it its family, so that no refresh token gets another; what was allowed stays."""
    client = oauth.add_client()
    tokens = oauth.begin(client, oauth.sign_in())
    name, actor = _token_name(oauth), oauth.sign_in(who)

    if not may:
        with pytest.raises(NotPermitted):
            oauth.house.tokens.end(actor, name)
        assert oauth.opens(tokens)
        return
    oauth.house.tokens.end(actor, name)
    oauth.house.tokens.end(actor, name)

    assert not oauth.opens(tokens)
    assert isinstance(oauth.refresh(client, tokens.refresh_token), Refusal)
    assert _names(apps) == [client.app_name]
    ended = [entry for entry in oauth.house.activity() if entry.operation == "access_token.revoked"]
    assert [(entry.subject, entry.detail, entry.user) for entry in ended] == [
        (name, f"{USER}, {client.client_id}", who)
    ]


@pytest.mark.usefixtures("apps")
def test_a_token_of_no_family_is_ended_too(oauth: OAuthHouse) -> None:
    """One that was imported ends alone; one that is not there is told to who may know."""
    name = oauth.house.add_token()

    oauth.house.tokens.end(COMMAND_LINE, name)

    with oauth.house.store.read() as tx:
        found = tx.access_tokens.find_public(name)
    assert found is not None
    assert found.revoked_at == NOW
    with pytest.raises(NotFound):
        oauth.house.tokens.end(oauth.sign_in(BOSS), "nothing")
