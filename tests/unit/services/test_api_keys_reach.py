"""No credential makes, rotates or imports one that reaches further than itself."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.policy import Decision, Requirement
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import IssuedKey, KeyOrder, Owner, PairText
from support.house import EVERYTHING, NOW, USER, House, present_pair
from support.importing import build_importer

_OWN = Owner("User", USER)


_SCOPES = ("all", "read", "User:read", "API Key:create", "API Key:write", "reports")
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
        assert refused.reason in {"beyond", "scope_missing"}  # noqa: PT017  # the other outcome is looked at below
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
        assert refused.reason in {"beyond", "scope_missing"}  # noqa: PT017  # as above
    else:
        _assert_opens_no_more(lasting_house, new, own, data)


@given(held=_LIMITS)
def test_a_key_makes_one_like_itself(lasting_house: House, owner: Owner, held: Limits) -> None:
    """The rule forbids nothing that it need not: a credential whose scopes allow it makes and rotates its own like."""
    held = replace(held, scopes=held.scopes | {"API Key:create", "API Key:write"})
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


def test_a_narrow_key_imports_no_document(house: House) -> None:
    """A document makes passwords, keys and tokens without limits: a System Manager's limited key takes none over."""
    house.add_user()
    house.roles.grant(COMMAND_LINE, USER, SYSTEM_MANAGER)
    importer = build_importer(house)

    with pytest.raises(NotPermitted) as refused:
        importer.import_document(house.actor(limits=Limits(frozenset({"read"}))), b"{}", lambda _done, _all: None)

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

    assert len(house.key_ids(revoked="not set")) == 1
