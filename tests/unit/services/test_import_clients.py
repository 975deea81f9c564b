"""OAuth clients are taken over with the tokens that were issued to them, and go on as if they had been here."""

from typing import Any

import pytest

from latchgate.core.clients import AuthMethod, StoredClient, client_secret_matches
from latchgate.core.principals import Reason
from latchgate.core.tokens import Secret
from latchgate.errors import Invalid
from latchgate.oauth.backing import Issued, Refusal
from latchgate.services.access_tokens import TokenOrder
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import DEFAULT_GRANTS, ClientOrder
from latchgate.services.imports import ImportService
from support.house import OLD_PEPPERS, USER, House, present_token
from support.importing import REFRESH_SECONDS, build_importer, refresh, take

_ID = "client0001"
_SECRET = "cl1entsecret"
_CLIENT = {"name": _ID, "app_name": "Shop", "client_secret": _SECRET, "redirect_uris": "http://localhost:3000/cb"}
_ACCESS, _REFRESH = "bearer-made-elsewhere-1", "refresh-made-elsewhere-1"
_TOKEN = {"access_token": _ACCESS, "refresh_token": _REFRESH, "user": USER, "client": _ID, "scopes": "all openid"}


@pytest.fixture
def importer(house: House) -> ImportService:
    """The service under test, and a user."""
    house.add_user()
    return build_importer(house)


def _document(client: dict[str, Any] | None = None, token: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"oauth_clients": [_CLIENT | (client or {})], "bearer_tokens": [_TOKEN | (token or {})]}


def _client(house: House) -> StoredClient:
    with house.store.read() as tx:
        client = tx.clients.find(_ID)
    assert client is not None
    return client


def _revoke_client(house: House) -> None:
    build_importer(house).clients.revoke(COMMAND_LINE, _ID)


def _why_not(house: House, token: str = _ACCESS) -> Reason | None:
    return house.admit(present_token(token)).reason


def test_a_client_is_taken_with_its_id_and_its_secret(house: House, importer: ImportService) -> None:
    """It is what it was: with a secret, which is stored as a digest, asked for no challenge, and not trusted."""
    wanted = {"redirect_uris": "https://a.example/cb\n https://b.example/cb", "scopes": "all openid"}

    report = take(importer, {"oauth_clients": [{**_CLIENT, **wanted, "default_redirect_uri": "https://c.example/cb"}]})

    client = _client(house)
    assert (client.app_name, client.auth_method, client.grant_types) == ("Shop", AuthMethod.BASIC, DEFAULT_GRANTS)
    assert client.redirect_uris == ("https://a.example/cb", "https://b.example/cb", "https://c.example/cb")
    assert client.scopes == {"all", "openid"}
    assert (client.require_pkce, client.skip_authorization) == (False, False)
    assert client_secret_matches(house.peppers, client, Secret(_SECRET), house.clock.now())
    assert _SECRET not in str(house.execute("SELECT * FROM oauth_client"))
    assert (report.taken, report.trusted_clients) == ({"clients": 1}, [])


def test_a_client_that_users_are_not_asked_about_is_named(house: House, importer: ImportService) -> None:
    """A document could hide a program that gets tokens of every user."""
    report = take(importer, {"oauth_clients": [_CLIENT | {"skip_authorization": 1}]})

    assert _client(house).skip_authorization
    assert report.trusted_clients == [_ID]


def test_a_client_without_a_name_is_called_by_its_id(house: House, importer: ImportService) -> None:
    """Users are asked about something."""
    take(importer, {"oauth_clients": [_CLIENT | {"app_name": ""}]})

    assert _client(house).app_name == _ID


def test_the_roles_that_a_client_is_for_are_made_where_they_are_missing(house: House, importer: ImportService) -> None:
    """As those of users are."""
    report = take(importer, {"oauth_clients": [_CLIENT | {"allowed_roles": ["Shop Assistant", "System Manager"]}]})

    assert _client(house).allowed_roles == {"Shop Assistant", "System Manager"}
    assert report.taken["roles"] == 1


def test_an_access_token_belongs_to_its_client_and_ends_with_it(house: House, importer: ImportService) -> None:
    """Whether the client came with it or was here."""
    take(importer, _document())
    later = _TOKEN | {"access_token": "bearer-made-elsewhere-2", "refresh_token": None}
    take(importer, {"bearer_tokens": [later]})
    house.tokens.import_token(
        COMMAND_LINE, TokenOrder(Secret("bearer-made-elsewhere-3"), USER, _ID, frozenset({"all"}), 2_000_000_000)
    )
    tokens = (_ACCESS, "bearer-made-elsewhere-2", "bearer-made-elsewhere-3")
    assert [_why_not(house, token) for token in tokens] == [None, None, None]

    _revoke_client(house)

    assert [_why_not(house, token) for token in tokens] == [Reason.REVOKED] * 3


def test_a_refresh_token_works_once_and_gives_our_own(house: House, importer: ImportService) -> None:
    """With the token's user and scopes; sent again later, it ends all that came of it."""
    report = take(importer, _document())

    issued = refresh(house, _ID, _REFRESH)

    assert report.taken == {"clients": 1, "access_tokens": 1, "refresh_tokens": 1}
    assert isinstance(issued, Issued)
    assert issued.scopes == {"all", "openid"}
    assert issued.refresh_token is not None
    assert house.principal(present_token(issued.access_token.text)).user == USER
    assert isinstance(refresh(house, _ID, issued.refresh_token.text), Issued)
    assert isinstance(refresh(house, _ID, _REFRESH), Refusal)
    assert _why_not(house, issued.access_token.text) is Reason.REVOKED
    assert _why_not(house) is Reason.REVOKED


def test_a_refresh_token_goes_on_after_its_access_token(house: House, importer: ImportService) -> None:
    """An expired access token can be replaced, until the refresh token has ended too."""
    take(importer, _document(token={"expired": True}))
    assert _why_not(house) is Reason.EXPIRED

    house.clock.advance(REFRESH_SECONDS - 1)

    assert isinstance(refresh(house, _ID, _REFRESH), Issued)


def test_a_refresh_token_that_nobody_uses_ends(house: House, importer: ImportService) -> None:
    """After as long as one of our own, from the import on."""
    take(importer, _document())

    house.clock.advance(REFRESH_SECONDS)

    assert isinstance(refresh(house, _ID, _REFRESH), Refusal)


def test_what_was_revoked_is_taken_as_dead(house: House, importer: ImportService) -> None:
    """Both halves; the log tells it from an unknown token."""
    report = take(importer, _document(token={"status": "Revoked"}))

    assert report.taken["refresh_tokens"] == 1
    assert _why_not(house) is Reason.REVOKED
    assert isinstance(refresh(house, _ID, _REFRESH), Refusal)


def test_a_refresh_token_is_its_own_clients(house: House, importer: ImportService) -> None:
    """Another client has nothing of it, and ends nothing."""
    take(importer, _document())
    take(importer, {"oauth_clients": [_CLIENT | {"name": "client0002"}]})

    assert isinstance(refresh(house, "client0002", _REFRESH), Refusal)
    assert isinstance(refresh(house, _ID, _REFRESH), Issued)


def test_the_second_time_all_of_it_exists(house: House, importer: ImportService) -> None:
    """Nothing is taken twice, and what was exchanged meanwhile stays exchanged."""
    take(importer, _document())
    refresh(house, _ID, _REFRESH)

    again = take(importer, _document(client={"app_name": "Other", "skip_authorization": True}))

    assert not again.taken
    assert again.existed == {"clients": 1, "access_tokens": 1, "refresh_tokens": 1}
    assert (again.left, again.new_keys, again.trusted_clients) == ([], [], [])
    assert (_client(house).app_name, _client(house).skip_authorization) == ("Shop", False)
    assert house.execute("SELECT count(*) FROM oauth_family") == [(1,)]


def test_under_a_newer_pepper_all_of_it_exists_too(house: House, importer: ImportService) -> None:
    """A refresh token is found under whichever pepper it was stored."""
    take(build_importer(house.with_peppers(OLD_PEPPERS)), _document())

    again = take(importer, _document())

    assert again.existed == {"clients": 1, "access_tokens": 1, "refresh_tokens": 1}
    assert isinstance(refresh(house, _ID, _REFRESH), Issued)


@pytest.mark.parametrize(
    ("first", "second", "entry", "reason"),
    [
        ({}, {"oauth_clients": [_CLIENT | {"client_secret": "another"}]}, "oauth_clients[0].name", "another secret"),
        (
            {"oauth_clients": [_CLIENT], "bearer_tokens": [_TOKEN | {"refresh_token": None}]},
            {"bearer_tokens": [_TOKEN]},
            "bearer_tokens[0].refresh_token",
            "is here already, without it",
        ),
        (
            _document(),
            {"bearer_tokens": [_TOKEN | {"access_token": "bearer-made-elsewhere-2"}]},
            "bearer_tokens[0].access_token",
            "has ended since",
        ),
        ({}, {"bearer_tokens": [_TOKEN | {"client": "nowhere"}]}, "bearer_tokens", "1 refresh tokens: their clients"),
        ({}, {"bearer_tokens": [_TOKEN | {"client": ""}]}, "bearer_tokens", "1 refresh tokens: their clients"),
    ],
)
def test_what_cannot_be_taken_is_left_and_said_so(
    importer: ImportService, first: dict[str, Any], second: dict[str, Any], entry: str, reason: str
) -> None:
    """Each with its place in the document and why; what is here stays as it is."""
    take(importer, first or {"oauth_clients": [_CLIENT]})

    (left,) = take(importer, second).left

    assert left.entry == entry
    assert reason in left.reason


@pytest.mark.parametrize(
    ("document", "place", "reason"),
    [
        (_document({"redirect_uris": "http://shop.example.com/cb"}), "oauth_clients[0].redirect_uris", "is not https"),
        (_document({"redirect_uris": ""}), "oauth_clients[0].redirect_uris", "at least one"),
        (_document({"name": "näme"}), "oauth_clients[0].name", "ASCII"),
        (_document({"client_secret": ""}), "oauth_clients[0].client_secret", "is required"),
        (_document({"scopes": '"'}), "oauth_clients[0].scopes", "is not a scope"),
        (_document({"grant_type": "Implicit"}), "oauth_clients[0].grant_type", "is not part of the form"),
        ({"oauth_clients": [{"name": "x"}]}, "oauth_clients[0].client_secret", "is missing"),
        (_document(token={"refresh_token": "short"}), "bearer_tokens[0].refresh_token", "16 to 512"),
        (_document(token={"user": "nobody@example.com"}), "bearer_tokens[0]", "not found"),
    ],
)
def test_an_entry_that_is_wrong_is_named_and_nothing_is_written(
    house: House, importer: ImportService, document: dict[str, Any], place: str, reason: str
) -> None:
    """With the reason, above all where a redirect URI is one that nobody should send codes to."""
    with pytest.raises(Invalid) as refused:
        take(importer, document)

    assert reason in refused.value.fields[place]
    assert house.execute("SELECT count(*) FROM oauth_client") == [(0,)]


def test_users_that_gain_a_token_are_named(importer: ImportService) -> None:
    """One that was here already; with a refresh token it lasts."""
    assert take(importer, _document()).new_keys == [USER]


def test_an_id_that_no_request_could_name_is_refused_by_the_service_too(house: House, importer: ImportService) -> None:
    """Whoever calls it."""
    order = ClientOrder("Shop", ("https://shop.example.com/cb",))

    with house.store.write() as tx, pytest.raises(Invalid) as refused:
        importer.clients.import_in(tx, COMMAND_LINE, "", order, Secret(_SECRET))

    assert list(refused.value.fields) == ["client_id"]
