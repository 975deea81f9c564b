"""Tokens for applications: one for each caller, host and minute, by a key that is read once a minute."""

from dataclasses import replace

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.principals import Principal
from latchgate.core.users import UserType
from latchgate.errors import StorageError
from latchgate.oauth.signed_tokens import parse_signed_token
from latchgate.services.identity_tokens import LIFETIME_SECONDS, IdentityTokens
from latchgate.services.signing_keys import SigningKeyService
from support.house import House

_ANN = Principal(
    "ann@example.com", 7, UserType.SYSTEM, "", frozenset({"Reader"}), Scheme.TOKEN, "User", "lgk_a", frozenset({"all"})
)
_HOST = "app.example.com"


@pytest.fixture
def tokens(house: House) -> IdentityTokens:
    """Over the house's store."""
    keys = SigningKeyService(house.store, house.peppers, house.clock, house.entropy, 90 * 86_400)
    return IdentityTokens(house.store, keys, house.clock, "https://auth.example.com")


def _find(tokens: IdentityTokens, who: Principal = _ANN, host: str = _HOST) -> str:
    token = tokens.find(who, host)
    assert token is not None
    return token


def _claims(text: str) -> dict[str, object]:
    token = parse_signed_token(text, 4_000)
    assert token is not None
    return token.claims


def test_there_is_none_before_a_key_was_read(tokens: IdentityTokens) -> None:
    """To read one waits for the database, which is not for the event loop."""
    assert tokens.find(_ANN, _HOST) is None
    tokens.prepare()
    assert _find(tokens) == _find(tokens)


@pytest.mark.parametrize(
    ("who", "host"),
    [
        (replace(_ANN, roles=frozenset()), _HOST),
        (replace(_ANN, scopes=frozenset({"read"})), _HOST),
        (replace(_ANN, credential="lgk_b"), _HOST),
        (replace(_ANN, user_id=8), _HOST),
        (_ANN, "b.example.com"),
    ],
)
def test_what_it_says_has_one_of_its_own(tokens: IdentityTokens, who: Principal, host: str) -> None:
    """Other rights, another credential, another host, another user of that name: another token."""
    tokens.prepare()

    first, other = _find(tokens), _find(tokens, who, host)

    assert first != other
    assert _claims(other)["aud"] == host
    assert _claims(other)["roles"] == sorted(who.roles)


def test_who_ends_sooner_by_now_has_one_of_its_own(tokens: IdentityTokens, house: House) -> None:
    """What was made before a key's end was moved does not outlast it, nor does a former secret's what it works for."""
    tokens.prepare()
    before, soon = _find(tokens), house.clock.now() + 5

    for ends in (replace(_ANN, expires_at=soon), replace(_ANN, former_until=soon)):
        assert _claims(_find(tokens, ends))["exp"] == soon
    assert _find(tokens) == before


def test_each_minute_has_its_own(tokens: IdentityTokens, house: House) -> None:
    """Signed by a key that was read in it; it lasts as stated, or until the credential's end."""
    tokens.prepare()
    first = _find(tokens)
    start = house.clock.now() // 60 * 60
    assert _claims(first)["exp"] == start + LIFETIME_SECONDS
    ends = replace(_ANN, expires_at=house.clock.now() + 5)
    assert _claims(_find(tokens, ends, "c.example.com"))["exp"] == ends.expires_at

    house.clock.advance(60)

    assert tokens.find(_ANN, _HOST) is None
    tokens.prepare()
    tokens.prepare()
    assert _find(tokens) != first
    assert tokens.minute == house.clock.now() // 60


def test_a_database_that_is_away_for_a_moment_refuses_nobody(
    tokens: IdentityTokens, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of a minute ago signs as well; who never had one says so."""

    def fail(*_: object) -> None:
        raise StorageError("away")

    monkeypatch.setattr(SigningKeyService, "prepare", fail)
    with pytest.raises(StorageError):
        tokens.prepare()
    monkeypatch.undo()
    tokens.prepare()
    house.clock.advance(60)
    monkeypatch.setattr(SigningKeyService, "prepare", fail)

    tokens.prepare()

    assert _claims(_find(tokens))["sub"] == _ANN.user


def test_memory_stays_small(tokens: IdentityTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many hosts somebody asks for within a minute."""
    monkeypatch.setattr("latchgate.services.identity_tokens._TOKENS_MAX", 10)
    tokens.prepare()

    for number in range(35):
        _find(tokens, host=f"h{number}.example.com")

    assert len(tokens._made.tokens) <= 10
