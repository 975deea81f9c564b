"""Devices without a browser wait for their user, who types a code elsewhere. Source: RFC 8628."""

from collections.abc import Callable

import pytest

from latchgate.core.clients import GrantType, StoredClient
from latchgate.errors import NotFound, NotPermitted, OAuthError, RateLimited
from latchgate.oauth.backing import Issued, Refusal
from latchgate.oauth.parameters import Parameters
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.devices import StartedDevice
from support.house import ISSUER, NOW, USER, House, present_token
from support.oauth_house import API, DEVICES, OAuthHouse, build_oauth_house, issued

_LETTERS = set("BCDFGHJKLMNPQRSTVWXZ")


@pytest.fixture
def oauth(house: House) -> OAuthHouse:
    """The OAuth services over a house with a user, and a resource that tokens can be for."""
    house.add_user()
    oauth = build_oauth_house(house)
    oauth.add_client(resources=(API,))
    return oauth


def _start(oauth: OAuthHouse, client: StoredClient, *parameters: tuple[str, str]) -> StartedDevice:
    return oauth.devices.start([("client_id", client.client_id), *parameters], client)


def _poll(oauth: OAuthHouse, client: StoredClient, started: StartedDevice, **fields: str) -> Issued | Refusal:
    return oauth.exchange(client, GrantType.DEVICE_CODE, device_code=started.device_code.text, **fields)


def _error(outcome: Issued | Refusal) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.error


def test_a_device_that_its_user_allows(oauth: OAuthHouse) -> None:
    """It waits, is allowed, and gets its tokens once; with `openid` an ID token among them."""
    client, actor = oauth.add_client(DEVICES), oauth.sign_in()
    started = _start(oauth, client, ("scope", "openid all"))

    assert (started.expires_in, started.interval) == (600, 5)
    assert _error(_poll(oauth, client, started)) == "authorization_pending"
    asking = oauth.devices.find(actor, started.user_code)
    assert (asking.client, asking.code.approval.scopes) == (client, frozenset({"openid", "all"}))
    assert oauth.devices.answer(actor, started.user_code, allow=True)
    tokens = issued(_poll(oauth, client, started))

    assert oauth.house.principal(present_token(tokens.access_token.text)).user == USER
    assert tokens.refresh_token is not None
    assert tokens.id_token is not None
    assert _error(_poll(oauth, client, started)) == "invalid_grant"
    assert oauth.opens(tokens)


def test_a_device_that_its_user_allowed_is_among_the_consents(oauth: OAuthHouse) -> None:
    """There the user sees it, and takes it back."""
    client, actor = oauth.add_client(DEVICES), oauth.sign_in()
    oauth.devices.answer(actor, _start(oauth, client, ("scope", "openid")).user_code, allow=True)

    [consent] = oauth.consents.list_own(actor)

    assert (consent.client_id, consent.scopes) == (client.client_id, frozenset({"openid"}))


def test_a_device_that_its_user_denies(oauth: OAuthHouse) -> None:
    """It is told, and nobody can allow it any more."""
    client, actor = oauth.add_client(DEVICES), oauth.sign_in()
    started = _start(oauth, client)

    assert not oauth.devices.answer(actor, started.user_code, allow=False)

    assert _error(_poll(oauth, client, started)) == "access_denied"
    with pytest.raises(NotFound):
        oauth.devices.answer(actor, started.user_code, allow=True)
    assert oauth.operations()[-1] == "consent.denied"
    assert oauth.consents.list_own(actor) == []


def test_a_user_whom_the_client_is_not_for_allows_nothing(oauth: OAuthHouse) -> None:
    """Whatever was meant, it is as if denied."""
    client, actor = oauth.add_client(DEVICES, allowed_roles=frozenset({"System Manager"})), oauth.sign_in()
    started = _start(oauth, client)

    assert not oauth.devices.answer(actor, started.user_code, allow=True)

    assert _error(_poll(oauth, client, started)) == "access_denied"


def test_only_who_sits_at_a_browser_answers(oauth: OAuthHouse) -> None:
    """The page is for sessions alone; what else came here would be a fault of ours."""
    started = _start(oauth, oauth.add_client(DEVICES))

    for actor in (COMMAND_LINE, oauth.house.actor()):
        with pytest.raises(AssertionError):
            oauth.devices.answer(actor, started.user_code, allow=True)


def test_a_session_that_ended_meanwhile_allows_nothing(oauth: OAuthHouse) -> None:
    """Who answers is judged where the answer is written."""
    client, actor = oauth.add_client(DEVICES), oauth.sign_in()
    started = _start(oauth, client)
    oauth.house.users.set_enabled(COMMAND_LINE, USER, enabled=False)

    with pytest.raises(NotPermitted):
        oauth.devices.answer(actor, started.user_code, allow=True)

    assert _error(_poll(oauth, client, started)) == "authorization_pending"


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f"  {code} ."])
def test_a_code_is_found_however_it_was_typed(oauth: OAuthHouse, typed: Callable[[str], str]) -> None:
    """Source: RFC 8628, section 6.1."""
    started = _start(oauth, oauth.add_client(DEVICES))

    assert set(started.user_code) - {"-"} <= _LETTERS
    assert len(started.user_code) == 9
    assert oauth.devices.find(oauth.sign_in(), typed(started.user_code)).code.issued_at == NOW


@pytest.mark.parametrize("typed", ["", "BCDF-GHJ", "AAAA-AAAA", "BBBB-BBBB", "x" * 10_000])
def test_a_code_that_no_device_shows(oauth: OAuthHouse, typed: str) -> None:
    """Is not found, as one that was never typed right."""
    _start(oauth, oauth.add_client(DEVICES))

    with pytest.raises(NotFound):
        oauth.devices.find(oauth.sign_in(), typed)


def test_a_device_of_a_revoked_client_shows_nothing(oauth: OAuthHouse) -> None:
    """There is nobody left to be allowed."""
    client, actor = oauth.add_client(DEVICES), oauth.sign_in()
    started = _start(oauth, client)
    oauth.clients.revoke(COMMAND_LINE, client.client_id)

    with pytest.raises(NotFound):
        oauth.devices.find(actor, started.user_code)


@pytest.mark.parametrize(("seconds", "waits"), [(599, True), (600, False)])
def test_a_code_lives_ten_minutes(oauth: OAuthHouse, seconds: int, *, waits: bool) -> None:
    """To the second, for the user as for the device."""
    client = oauth.add_client(DEVICES)
    started = _start(oauth, client)
    oauth.house.clock.advance(seconds)

    assert _error(_poll(oauth, client, started)) == ("authorization_pending" if waits else "expired_token")
    if waits:
        assert oauth.devices.answer(oauth.sign_in(), started.user_code, allow=True)
    else:
        with pytest.raises(NotFound):
            oauth.devices.find(oauth.sign_in(), started.user_code)


def test_a_device_that_asks_too_often_waits_longer(oauth: OAuthHouse) -> None:
    """Five seconds more each time, from then on; a second early is not too often. Source: RFC 8628, section 3.5."""
    client = oauth.add_client(DEVICES)
    started = _start(oauth, client)

    told = []
    for seconds in (0, 4, 3, 5, 14, 13):
        oauth.house.clock.advance(seconds)
        told.append(_error(_poll(oauth, client, started)))

    assert told == [
        "authorization_pending",
        "authorization_pending",
        "slow_down",
        "slow_down",
        "authorization_pending",
        "slow_down",
    ]


def test_another_client_s_device_is_unknown(oauth: OAuthHouse) -> None:
    """Nor does it slow down the one whose it is."""
    client, thief = oauth.add_client(DEVICES), oauth.add_client(DEVICES)
    started = _start(oauth, client)
    oauth.devices.answer(oauth.sign_in(), started.user_code, allow=True)

    assert _error(_poll(oauth, thief, started)) == "invalid_grant"

    assert isinstance(_poll(oauth, client, started), Issued)


def test_a_user_who_tries_too_many_codes_waits(oauth: OAuthHouse) -> None:
    """Right ones too, for ten minutes; nobody else does. Source: RFC 8628, section 5.1."""
    oauth.house.add_user("other@example.com")
    client, actor, other = oauth.add_client(DEVICES), oauth.sign_in(), oauth.sign_in("other@example.com")
    started = _start(oauth, client)
    for _ in range(20):
        with pytest.raises(NotFound):
            oauth.devices.find(actor, "BBBB-BBBB")

    with pytest.raises(RateLimited) as refused:
        oauth.devices.answer(actor, started.user_code, allow=True)

    assert refused.value.retry_after_seconds == 600
    assert oauth.devices.find(other, started.user_code).client == client
    oauth.house.clock.advance(600)
    with pytest.raises(NotFound):
        oauth.devices.find(actor, started.user_code)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ([("scope", "a"), ("scope", "b")], "invalid_request"),
        ([("scope", '"')], "invalid_scope"),
        ([("scope", "User:write")], "invalid_scope"),
        ([("resource", "https://nowhere.example.com")], "invalid_target"),
        ([("resource", "x" * 2_001)], "invalid_target"),
    ],
)
def test_a_request_that_is_not_in_order(oauth: OAuthHouse, parameters: Parameters, error: str) -> None:
    """Nothing waits afterwards."""
    client = oauth.add_client(DEVICES, scopes=frozenset({"read"}))

    with pytest.raises(OAuthError) as refused:
        _start(oauth, client, *parameters)

    assert refused.value.error == error
    assert oauth.house.execute("SELECT count(*) FROM oauth_device_code") == [(0,)]


def test_a_client_that_is_not_for_devices(oauth: OAuthHouse) -> None:
    """It is told so before anything else."""
    with pytest.raises(OAuthError) as refused:
        _start(oauth, oauth.add_client(), ("scope", '"'))

    assert refused.value.error == "unauthorized_client"


def test_tokens_are_for_what_the_device_named(oauth: OAuthHouse) -> None:
    """All of the client's scopes where none is named; the resource, or less of it."""
    client, actor = oauth.add_client(DEVICES), oauth.sign_in()
    started = _start(oauth, client, ("resource", API), ("resource", ISSUER), ("scope", ""))
    oauth.devices.answer(actor, started.user_code, allow=True)

    tokens = issued(_poll(oauth, client, started, resource=API))

    assert tokens.scopes == client.scopes
    assert not oauth.opens(tokens)
    assert oauth.opens(issued(oauth.refresh(client, tokens.refresh_token, resource=ISSUER)))
