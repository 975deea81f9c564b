"""The policy of keys holds at every entrance: no key that is made, rotated or imported lives longer than it allows."""

from collections.abc import Callable

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.document_types import format_time
from latchgate.core.tokens import Secret
from latchgate.errors import Invalid
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.port_values import KeyFilter
from support.house import EVERYTHING, USER, House
from support.importing import build_importer, take

_OWN = Owner("User", USER)
_DAY = 86_400
_PAIR = PairText("0123456789abcde", Secret("fedcba987654321"))


def _limits(seconds: int | None, house: House) -> Limits:
    return Limits(frozenset({"all"}), expires_at=None if seconds is None else house.clock.now() + seconds)


def _by_document(house: House, seconds: int | None) -> object:
    ends = None if seconds is None else format_time((house.clock.now() + seconds) * 1_000_000)
    return house.documents.create(COMMAND_LINE, "API Key", {"record": USER, "expires": ends})


_ENTRANCES: dict[str, Callable[[House, int | None], object]] = {
    "generate": lambda house, seconds: house.keys.generate(
        COMMAND_LINE, _OWN, KeyOrder(limits=_limits(seconds, house))
    ),
    "the resource API": _by_document,
    "import of a pair": lambda house, seconds: house.keys.import_key(
        COMMAND_LINE, _OWN, _PAIR, KeyOrder(limits=_limits(seconds, house))
    ),
}


@pytest.fixture
def held(house: House) -> House:
    """A house whose keys live for thirty days at most, with a user."""
    house.add_user()
    house.system_settings.change(COMMAND_LINE, key_days_max=30, key_overlap_seconds_max=3600)
    return house


@pytest.mark.parametrize("entrance", _ENTRANCES)
@pytest.mark.parametrize("seconds", [None, 30 * _DAY + 1, 3650 * _DAY])
def test_no_entrance_makes_a_key_that_lives_longer(held: House, entrance: str, seconds: int | None) -> None:
    """It is told at the field, and nothing is made."""
    with pytest.raises(Invalid) as refused:
        _ENTRANCES[entrance](held, seconds)

    assert list(refused.value.fields) == ["expires"]
    assert "30 days" in refused.value.fields["expires"]
    assert held.key_ids() == []


@pytest.mark.parametrize("entrance", _ENTRANCES)
def test_every_entrance_makes_one_that_lives_as_long_as_may_be(held: House, entrance: str) -> None:
    """To the second."""
    _ENTRANCES[entrance](held, 30 * _DAY)

    assert len(held.key_ids()) == 1


def test_generate_keys_gives_the_latest_end(held: House) -> None:
    """Frappe's call cannot say one."""
    issued = held.keys.generate_primary(COMMAND_LINE, _OWN)

    assert issued.key.limits.expires_at == held.clock.now() + 30 * _DAY


@pytest.mark.parametrize("rotate", ["generate_primary", "rotate"])
@pytest.mark.parametrize(("before", "after"), [(None, 30), (400, 30), (10, 10)])
def test_a_rotation_prolongs_nothing_and_ends_in_time(
    house: House, rotate: str, before: int | None, after: int
) -> None:
    """A key from before the policy gets its end with its new secret; one that ends sooner keeps that."""
    house.add_user()
    now = house.clock.now()
    key = house.add_key(USER, _limits(None if before is None else before * _DAY, house)).key
    house.system_settings.change(COMMAND_LINE, key_days_max=30)
    unchanged = _stored_end(house, key.key_id)

    if rotate == "rotate":
        issued = house.keys.rotate(COMMAND_LINE, key.key_id, overlap_seconds=0)
    else:
        issued = house.keys.generate_primary(COMMAND_LINE, _OWN)

    assert unchanged == key.limits.expires_at
    assert issued.key.key_id == key.key_id
    assert issued.key.limits.expires_at == _stored_end(house, key.key_id) == now + after * _DAY


def test_rotations_one_after_the_other_never_lead_beyond(held: House) -> None:
    """The end stays where the first one put it."""
    issued = held.keys.generate_primary(COMMAND_LINE, _OWN)
    end = issued.key.limits.expires_at

    for _ in range(3):
        held.clock.advance(_DAY)
        issued = held.keys.rotate(COMMAND_LINE, issued.key.key_id, overlap_seconds=60)

    assert issued.key.limits.expires_at == end


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (3600, True), (3601, False)])
def test_an_overlap_is_no_longer_than_allowed(held: House, seconds: int, good: bool) -> None:
    """It is told at the field, and the key keeps its secret."""
    key = held.keys.generate_primary(COMMAND_LINE, _OWN).key

    if good:
        held.keys.rotate(COMMAND_LINE, key.key_id, overlap_seconds=seconds)
    else:
        with pytest.raises(Invalid) as refused:
            held.keys.rotate(COMMAND_LINE, key.key_id, overlap_seconds=seconds)
        assert list(refused.value.fields) == ["overlap"]
    with held.store.read() as tx:
        (stored,) = tx.api_keys.find_any(key.key_id)
    assert (stored.digest == key.digest) is not good


def test_a_file_of_frappes_keys_gives_them_an_end(held: House) -> None:
    """They have none where they come from; the report says which, and until when they work."""
    document = {"users": [{"name": USER, "api_key": _PAIR.key_id, "api_secret": _PAIR.secret.text}]}

    report = take(build_importer(held), document)

    assert report.taken["api_keys"] == 1
    assert _stored_end(held, _PAIR.key_id) == held.clock.now() + 30 * _DAY
    assert ["no key live longer" in one.reason for one in report.left] == [True]


def test_without_a_policy_nothing_ends_by_itself(house: House) -> None:
    """As before there were any."""
    house.add_user()
    key = house.keys.generate_primary(COMMAND_LINE, _OWN).key

    assert key.limits == EVERYTHING
    assert house.keys.rotate(COMMAND_LINE, key.key_id, overlap_seconds=_DAY).key.limits.expires_at is None


def _stored_end(house: House, key_id: str) -> int | None:
    with house.store.read() as tx:
        keys = tx.api_keys.list_some(KeyFilter("User", USER), house.clock.now())
    return next(key.limits.expires_at for key in keys if key.key_id == key_id)
