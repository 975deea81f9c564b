"""A new secret takes over from the old one when it should."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.policy import Decision
from latchgate.core.tokens import Secret
from latchgate.errors import Invalid
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import IssuedKey, KeyOrder, Owner
from support.house import EVERYTHING, NOW, USER, House, present_pair

_OWN = Owner("User", USER)
_DAY = 86_400


def _opens(house: House, key_id: str, secret: Secret) -> bool:
    return house.admit(present_pair(key_id, secret.text)).decision is Decision.ALLOWED


def _rotate(house: House, issued: IssuedKey, overlap_seconds: int) -> IssuedKey:
    return house.keys.rotate(COMMAND_LINE, issued.key.key_id, overlap_seconds=overlap_seconds)


def _working(house: House, *issued: IssuedKey) -> list[bool]:
    return [_opens(house, one.key.key_id, one.secret) for one in issued]


# --- Rotation -------------------------------------------------------------------------------------------------------


def test_both_secrets_work_during_the_overlap(house: House) -> None:
    """The former secret works to the last second of the overlap, the new one from the start and after it."""
    house.add_user()
    first = house.add_key()

    second = _rotate(house, first, _DAY)

    assert second.key.key_id == first.key.key_id
    assert second.key.previous_until == NOW + _DAY
    assert _working(house, first, second) == [True, True]
    house.clock.advance(_DAY - 1)
    assert _working(house, first, second) == [True, True]
    house.clock.advance(1)
    assert _working(house, first, second) == [False, True]


def test_without_an_overlap_the_former_secret_ends_at_once(house: House) -> None:
    """A rotation because of a leak leaves no second for the leaked secret."""
    house.add_user()
    first = house.add_key()

    second = _rotate(house, first, 0)

    assert second.key.previous_until is None
    assert _working(house, first, second) == [False, True]


def test_a_rotation_lengthens_no_life(house: House) -> None:
    """The former secret ends with the key, however long the overlap; the new one does too."""
    house.add_user()
    first = house.add_key(limits=replace(EVERYTHING, expires_at=NOW + 60))

    second = _rotate(house, first, _DAY)

    assert (second.key.limits, second.key.previous_until) == (first.key.limits, NOW + 60)
    house.clock.advance(59)
    assert _working(house, first, second) == [True, True]
    house.clock.advance(1)
    assert _working(house, first, second) == [False, False]


def test_a_second_rotation_ends_the_first_former_secret(house: House) -> None:
    """Of many secrets at most two work: the newest, and the one before it."""
    house.add_user()
    first = house.add_key()
    second = _rotate(house, first, _DAY)
    third = _rotate(house, second, _DAY)

    assert _working(house, first, second, third) == [False, True, True]


def test_a_rotation_without_overlap_ends_what_still_overlapped(house: House) -> None:
    """An urgent rotation ends the former secret of an earlier, patient one too."""
    house.add_user()
    first = house.add_key()
    second = _rotate(house, first, _DAY)
    third = _rotate(house, second, 0)

    assert _working(house, first, second, third) == [False, False, True]


def test_revoking_ends_both_secrets(house: House) -> None:
    """During an overlap, ending the key ends the former secret too."""
    house.add_user()
    first = house.add_key()
    second = _rotate(house, first, _DAY)

    house.keys.revoke(COMMAND_LINE, first.key.key_id)

    assert _working(house, first, second) == [False, False]


def test_a_rotation_keeps_all_else(house: House) -> None:
    """A rotated key keeps its owner, label, limits and place; only its secret is another."""
    house.add_user()
    limits = Limits(frozenset({"read"}), (ip_network("192.0.2.0/24"),), 100, NOW + _DAY)
    first = house.keys.generate(COMMAND_LINE, _OWN, KeyOrder("shop", limits))

    second = _rotate(house, first, 60)

    assert (second.key.limits, second.key.label, second.key.primary, second.user) == (limits, "shop", True, USER)
    assert second.secret != first.secret


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_an_ended_key_is_not_rotated(house: House, end: str) -> None:
    """A rotation brings no key back to life."""
    house.add_user()
    first = house.add_key(limits=replace(EVERYTHING, expires_at=NOW + 60))
    if end == "revoked":
        house.keys.revoke(COMMAND_LINE, first.key.key_id)
    else:
        house.clock.advance(60)

    with pytest.raises(Invalid):
        _rotate(house, first, _DAY)


@pytest.mark.parametrize("overlap_seconds", [-1, 253_402_300_800])
def test_an_overlap_that_cannot_be_is_refused(house: House, overlap_seconds: int) -> None:
    """An overlap lasts from nothing to the end of the calendar."""
    house.add_user()
    first = house.add_key()

    with pytest.raises(Invalid) as refused:
        _rotate(house, first, overlap_seconds)

    assert list(refused.value.fields) == ["overlap"]


# --- Generate Keys --------------------------------------------------------------------------------------------------


def test_generate_keys_makes_the_first_key(house: House) -> None:
    """A user without a key is given one."""
    house.add_user()

    issued = house.keys.generate_primary(COMMAND_LINE, _OWN)

    assert issued.key.primary
    assert _working(house, issued) == [True]


def test_generate_keys_keeps_the_key_and_ends_its_secret(house: House) -> None:
    """As in Frappe, the api_key stays and its old secret is dead at once, one that overlapped too."""
    house.add_user()
    first = house.add_key()
    other = house.add_key()
    second = _rotate(house, first, _DAY)

    third = house.keys.generate_primary(COMMAND_LINE, _OWN)

    assert third.key.key_id == first.key.key_id
    assert _working(house, first, second, third, other) == [False, False, True, True]


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_an_ended_primary_is_followed_by_a_new_one(house: House, end: str) -> None:
    """Generate Keys never hands out a dead secret: after an ended key it makes a new one that works."""
    house.add_user()
    first = house.add_key(limits=replace(EVERYTHING, expires_at=NOW + 60))
    if end == "revoked":
        house.keys.revoke(COMMAND_LINE, first.key.key_id)
    else:
        house.clock.advance(60)

    second = house.keys.generate_primary(COMMAND_LINE, _OWN)

    assert second.key.key_id != first.key.key_id
    assert second.key.primary
    assert _working(house, first, second) == [False, True]


def test_generate_keys_tells_of_the_expired_key_that_it_ends(house: House) -> None:
    """Setting an expired key aside is a change like any other, and stands in the activity log."""
    house.add_user()
    first = house.add_key(limits=replace(EVERYTHING, expires_at=NOW + 60))
    house.clock.advance(60)

    house.keys.generate_primary(COMMAND_LINE, _OWN)

    assert [row.subject for row in house.activity() if row.operation == "api_key.revoked"] == [first.key.key_id]


def test_a_revoked_primary_s_rank_passes_to_the_next_made(house: House) -> None:
    """After the first key was revoked, the next one that is made is the user's api_key."""
    house.add_user()
    first, second = house.add_key(), house.add_key()
    house.keys.revoke(COMMAND_LINE, first.key.key_id)

    third = house.add_key()

    assert (second.key.primary, third.key.primary) == (False, True)
