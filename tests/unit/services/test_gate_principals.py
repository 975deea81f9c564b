"""Who a request acts as, once the gate lets it in."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.policy import ANY_SCHEME, PUBLIC, SIGNED_IN, Decision
from latchgate.core.principals import Anonymous, Principal, Reason
from latchgate.services.actors import COMMAND_LINE
from support.house import ADDRESS, NOTHING_PRESENTED, USER, House, present_pair


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_a_good_credential_acts_as_its_user(house: House, scheme: Scheme) -> None:
    """A request is answered as the user that its credential belongs to, with that user's roles."""
    user = house.add_user()
    house.roles.create(COMMAND_LINE, "Report Manager")
    house.roles.grant(COMMAND_LINE, USER, "Report Manager")

    admission = house.admit(house.carry(scheme))

    assert admission.decision is Decision.ALLOWED
    assert isinstance(admission.principal, Principal)
    assert (admission.principal.user, admission.principal.user_id) == (USER, user.id)
    assert admission.principal.scheme is scheme
    assert "Report Manager" in admission.principal.roles


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BASIC])
def test_a_record_s_key_acts_as_the_record_s_user(house: House, scheme: Scheme) -> None:
    """A key of another source makes requests as the user that its record names."""
    house.add_user()
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", USER)
    issued = house.add_key("consumer-1", source="Event Consumer")
    presented = present_pair(issued.key.key_id, issued.secret.text, scheme, "Event Consumer")

    principal = house.principal(presented)

    assert (principal.user, principal.source) == (USER, "Event Consumer")


def test_nothing_presented_is_a_guest(house: House) -> None:
    """A request without a credential may see what is public, and nothing else."""
    public = house.admit(NOTHING_PRESENTED, PUBLIC)
    closed = house.admit(NOTHING_PRESENTED, SIGNED_IN)

    assert (public.who, public.decision) == (Anonymous(), Decision.ALLOWED)
    assert (closed.decision, closed.reason) == (Decision.FORBIDDEN, None)


def test_a_request_has_an_id_of_its_own(house: House) -> None:
    """Two requests are told apart in the log, however alike."""
    first, second = house.admit(NOTHING_PRESENTED), house.admit(NOTHING_PRESENTED)

    assert len(first.request_id) == 32
    assert first.request_id != second.request_id
    assert first.arrived_us < second.arrived_us


def test_an_address_in_another_spelling_is_the_same_address(house: House) -> None:
    """An IPv4 caller on an IPv6 socket is inside the IPv4 range that its key may be used from."""
    house.add_user()
    issued = house.add_key(limits=Limits(frozenset({"all"}), (ip_network(ADDRESS),)))
    presented = present_pair(issued.key.key_id, issued.secret.text)

    mapped = house.admit(replace(presented, peer_address=f"::ffff:{ADDRESS}"))
    without = house.admit(replace(presented, peer_address="unix socket"))

    assert mapped.decision is Decision.ALLOWED
    assert without.reason is Reason.ADDRESS_NOT_ALLOWED
