"""The gate lets in at a first request whom a single look-up lets in, and leaves everybody else to its whole line."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Presented, Scheme
from latchgate.core.policy import SIGNED_IN
from latchgate.core.principals import Principal, Reason
from latchgate.errors import StorageError
from latchgate.services.verdict_ports import FoundKey
from latchgate.storage.changes import SqliteFeed
from support.cached_house import CachedHouse, is_remembered, reason
from support.house import present_pair, present_token

ELSEWHERE = "198.51.100.7"


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER])
def test_first_request(remembering: CachedHouse, scheme: Scheme) -> None:
    """It is answered by one look-up, as a gate without memory answers, and the next ones by none."""
    presented = remembering.house.carry(scheme)
    assert remembering.recall(presented) is None

    first = remembering.let_in(presented)

    assert isinstance(first, Principal)
    assert first == remembering.verify_anew(presented)
    assert remembering.recall(presented) is remembering.let_in(presented) is remembering.verify(presented) is first
    assert remembering.cache.misses == 1


def test_proof(remembering: CachedHouse) -> None:
    """It tells by which digest the secret was proved, for whoever judges once more."""
    presented = remembering.house.carry(Scheme.TOKEN)

    who = remembering.let_in(presented)

    assert isinstance(who, Principal)
    assert who.proof == getattr(remembering.verify_anew(presented), "proof", None) != b""


def test_wrong_secret(remembering: CachedHouse) -> None:
    """It is left to the whole line, which counts it as a guess, and is looked up once."""
    presented = present_pair(remembering.house.add_key().key.key_id, "secret")

    assert remembering.let_in(presented) is None

    assert remembering.gate.admit(presented, SIGNED_IN).reason is Reason.WRONG_SECRET
    assert remembering.let_in(presented) is None
    assert remembering.cache.misses == 1


@pytest.mark.parametrize("text", ["lgk_0000000000000000000000", "lga_0000000000000000000000000000000000000000"])
def test_typing_error(remembering: CachedHouse, text: str) -> None:
    """What its own checksum refutes is not looked up."""
    presented = present_token(text) if text.startswith("lga_") else present_pair(text, "secret")

    assert remembering.let_in(presented) is None
    assert remembering.cache.misses == 0


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda one: replace(one, authorization=(b" " + one.authorization[0],)), id="a space before it"),
        pytest.param(lambda one: replace(one, authorization=(b"TOKEN" + one.authorization[0][5:],)), id="another case"),
        pytest.param(lambda one: replace(one, authorization=(b"token",)), id="nothing but the scheme"),
        pytest.param(lambda one: replace(one, authorization=(b"",)), id="empty"),
        pytest.param(lambda one: replace(one, authorization=(b"Digest x",)), id="another scheme"),
        pytest.param(lambda one: replace(one, authorization=(b"token \xff:\xfe",)), id="no text"),
        pytest.param(lambda one: replace(one, source=(b"\xff",)), id="no source"),
    ],
)
def test_unusual(remembering: CachedHouse, spell: Callable[[Presented], Presented]) -> None:
    """Whatever is not spelled as usual is not looked up here."""
    assert remembering.let_in(spell(remembering.house.carry(Scheme.TOKEN))) is None
    assert remembering.cache.misses == 0


def test_limit_a_minute(remembering: CachedHouse) -> None:
    """Its requests are counted, which the whole line does; what was looked up serves it."""
    issued = remembering.house.add_key(limits=Limits(frozenset({"all"}), per_minute=2))
    presented = present_pair(issued.key.key_id, issued.secret.text)

    for expected in (None, None, Reason.OVER_LIMIT):
        assert remembering.let_in(presented) is None
        assert remembering.gate.admit(presented, SIGNED_IN).reason is expected
    assert remembering.cache.misses == 1


def test_address(remembering: CachedHouse) -> None:
    """A credential for one network lets nobody in from elsewhere, whether it is remembered or not."""
    issued = remembering.house.add_key(limits=Limits(frozenset({"all"}), networks=(ip_network("192.0.2.0/24"),)))
    presented = present_pair(issued.key.key_id, issued.secret.text)
    elsewhere = replace(presented, peer_address=ELSEWHERE)

    assert remembering.let_in(elsewhere) is None
    assert isinstance(remembering.let_in(presented), Principal)
    assert remembering.let_in(elsewhere) is None
    assert reason(remembering.verify(elsewhere)) is Reason.ADDRESS_NOT_ALLOWED


def test_database_that_does_not_answer(remembering: CachedHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lets nobody in, raises nothing, and the whole line tells of it."""
    presented = remembering.house.carry(Scheme.TOKEN)

    def fail(*_arguments: object) -> object:
        raise StorageError("The database cannot be reached")

    monkeypatch.setattr(SqliteFeed, "find_key", fail)

    assert remembering.let_in(presented) is None
    assert isinstance(remembering.gate.admit(presented, SIGNED_IN).principal, Principal)
    assert not is_remembered(remembering, presented)


def test_change_during_the_look_up(remembering: CachedHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was read before a change that was followed meanwhile is let in this once, and not remembered."""
    house = remembering.house
    presented = house.carry(Scheme.TOKEN)
    find = SqliteFeed.find_key

    def find_and_change(feed: SqliteFeed, source: str, key_id: str) -> FoundKey:
        found = find(feed, source, key_id)
        house.execute("UPDATE user SET first_name = 'Another'")
        remembering.cache.beat()
        return found

    monkeypatch.setattr(SqliteFeed, "find_key", find_and_change)
    who = remembering.let_in(presented)
    monkeypatch.undo()

    assert isinstance(who, Principal)
    assert remembering.recall(presented) is None
    assert remembering.let_in(presented) == remembering.verify_anew(presented) != who
