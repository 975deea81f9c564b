"""A new secret takes over from the old one when it should, and no credential makes one that reaches further."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.policy import Decision, Requirement
from latchgate.core.tokens import Secret
from latchgate.errors import Invalid, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import IssuedKey, KeyOrder, Owner, PairText
from latchgate.services.ports import KeyFilter
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


# --- Nothing wider than itself --------------------------------------------------------------------------------------

_SCOPES = ("all", "read", "User:read", "User:write", "reports")
_NETWORKS = tuple(map(ip_network, ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "2001:db8::/32", "2001:db8:1::/48")))
_ADDRESSES = ("10.1.2.3", "10.1.9.9", "10.9.9.9", "198.51.100.1", "2001:db8:1::1", "2001:db8:2::1", "::ffff:10.1.2.3")
_SECONDS = (10, 20, 30)
_LIMITS = st.builds(
    Limits,
    scopes=st.frozensets(st.sampled_from(_SCOPES), min_size=1, max_size=3),
    networks=st.lists(st.sampled_from(_NETWORKS), max_size=2).map(tuple),
    per_minute=st.none() | st.integers(50, 60),
    expires_at=st.none() | st.sampled_from([NOW + seconds for seconds in _SECONDS]),
)


@pytest.fixture(scope="module")
def owner(lasting_house: House) -> Owner:
    """The owner of every key below."""
    lasting_house.add_user()
    return _OWN


def _actor_by(house: House, own: IssuedKey, scheme: Scheme = Scheme.TOKEN) -> Actor | None:
    """Act by a key, from the first address that it may be used from."""
    presented = present_pair(own.key.key_id, own.secret.text, scheme)
    for address in _ADDRESSES:
        principal = house.admit(replace(presented, peer_address=address)).principal
        if principal is not None:
            return Actor.of(principal, address)
    return None


def _assert_opens_no_more(house: House, new: IssuedKey, own: IssuedKey, data: st.DataObject) -> None:
    """Wherever, whenever and for whatever the new key is let in, the old one would have been."""
    scope, address = data.draw(st.sampled_from(_SCOPES)), data.draw(st.sampled_from(_ADDRESSES))
    seconds = data.draw(st.sampled_from([0, *(second - 1 for second in _SECONDS), *_SECONDS]))
    requirement = Requirement(user=True, scope=scope)
    house.clock.seconds = NOW + seconds
    try:
        by_new, by_own = (
            house.admit(replace(present_pair(one.key.key_id, one.secret.text), peer_address=address), requirement)
            for one in (new, own)
        )
    finally:
        house.clock.seconds = NOW

    assert by_new.decision is not Decision.ALLOWED or by_own.decision is Decision.ALLOWED
    held = own.key.limits.per_minute
    assert held is None or (new.key.limits.per_minute or held + 1) <= held


@given(held=_LIMITS, wanted=_LIMITS, data=st.data())
def test_no_key_makes_one_that_reaches_further(
    lasting_house: House, owner: Owner, held: Limits, wanted: Limits, data: st.DataObject
) -> None:
    """What a credential makes is let in nowhere, at no time and for nothing that it is not let in for itself."""
    own = lasting_house.keys.generate(COMMAND_LINE, owner, KeyOrder(limits=held))
    actor = _actor_by(lasting_house, own)
    assert actor is not None

    try:
        new = lasting_house.keys.generate(actor, owner, KeyOrder(limits=wanted))
    except NotPermitted as refused:
        assert refused.reason == "beyond"  # noqa: PT017  # the other outcome is looked at below
    else:
        _assert_opens_no_more(lasting_house, new, own, data)


@given(held=_LIMITS, wanted=_LIMITS, overlap_seconds=st.integers(0, 40), data=st.data())
def test_no_key_rotates_one_that_reaches_further(
    lasting_house: House, owner: Owner, held: Limits, wanted: Limits, overlap_seconds: int, data: st.DataObject
) -> None:
    """A credential gets no new secret for a key that reaches further than itself."""
    own = lasting_house.keys.generate(COMMAND_LINE, owner, KeyOrder(limits=held))
    target = lasting_house.keys.generate(COMMAND_LINE, owner, KeyOrder(limits=wanted))
    actor = _actor_by(lasting_house, own)
    assert actor is not None

    try:
        new = lasting_house.keys.rotate(actor, target.key.key_id, overlap_seconds=overlap_seconds)
    except NotPermitted as refused:
        assert refused.reason == "beyond"  # noqa: PT017  # as above
    else:
        _assert_opens_no_more(lasting_house, new, own, data)


@given(held=_LIMITS)
def test_a_key_makes_one_like_itself(lasting_house: House, owner: Owner, held: Limits) -> None:
    """The rule forbids nothing that it need not: a credential may make and rotate its own like."""
    own = lasting_house.keys.generate(COMMAND_LINE, owner, KeyOrder(limits=held))
    actor = _actor_by(lasting_house, own, Scheme.BASIC)
    assert actor is not None

    like = lasting_house.keys.generate(actor, owner, KeyOrder(limits=held))
    rotated = lasting_house.keys.rotate(actor, own.key.key_id, overlap_seconds=0)

    assert (like.key.limits, rotated.key.limits) == (held, held)


def test_a_record_s_key_makes_none(house: House) -> None:
    """A key of another source ends when its record is disabled: it neither makes nor rotates any that would not."""
    house.add_user()
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", USER)
    record = house.add_key("consumer-1", source="Event Consumer")
    presented = present_pair(record.key.key_id, record.secret.text, source="Event Consumer")
    actor = Actor.of(house.principal(presented), presented.peer_address)
    own = house.add_key()

    for attempt in (
        lambda: house.keys.generate(actor, _OWN, KeyOrder()),
        lambda: house.keys.generate(actor, Owner("Event Consumer", "consumer-1"), KeyOrder()),
        lambda: house.keys.generate_primary(actor, _OWN),
        lambda: house.keys.rotate(actor, own.key.key_id, overlap_seconds=0),
        lambda: house.keys.import_key(actor, _OWN, PairText("key-0001", Secret("secret-0001")), KeyOrder()),
    ):
        with pytest.raises(NotPermitted) as refused:
            attempt()
        assert refused.value.reason == "beyond"


@pytest.mark.parametrize(
    "limits",
    [
        Limits(frozenset({"read"})),
        replace(EVERYTHING, networks=(ip_network("192.0.2.0/24"),)),
        replace(EVERYTHING, per_minute=10),
        replace(EVERYTHING, expires_at=NOW + 60),
    ],
    ids=["scopes", "addresses", "limit", "expiry"],
)
def test_a_narrow_key_comes_to_no_unlimited_one(house: House, limits: Limits) -> None:
    """A narrow credential has no unlimited key's secret replaced, and neither makes nor imports such a key."""
    house.add_user()
    primary = house.add_key()
    narrow = house.actor(limits=limits)

    with pytest.raises(NotPermitted):
        house.keys.generate_primary(narrow, _OWN)
    house.keys.revoke(COMMAND_LINE, primary.key.key_id)
    with pytest.raises(NotPermitted):
        house.keys.generate_primary(narrow, _OWN)
    with pytest.raises(NotPermitted):
        house.keys.import_key(narrow, _OWN, PairText("key-0001", Secret("secret-0001")), KeyOrder())

    assert len(house.keys.list_keys(COMMAND_LINE, KeyFilter())) == 1
