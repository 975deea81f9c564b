"""Whoever acts is judged once more in the transaction that writes for them: a request may have waited long."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.policy import ANY_SCHEME
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor, read_as, write_as
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.port_values import UserChanges
from latchgate.services.users import UserOrder
from support.house import ADDRESS, LIFETIME, NOW, USER, House, present_pair

_NOWHERE = (ip_network("203.0.113.1/32"),)

Change = Callable[[House, str], object]


def _revoke(house: House, credential: str) -> None:
    """End the credential, of whichever scheme it is."""
    with house.store.write() as tx:
        for key in tx.api_keys.find_any(credential):
            tx.api_keys.revoke(key.id, NOW)
        token = tx.access_tokens.find_public(credential)
        if token:
            tx.access_tokens.revoke(token.id, NOW)
        session = tx.sessions.find_public(credential)
        if session:
            tx.sessions.revoke(session.id, NOW)


def _replace_user(house: House, _credential: str) -> None:
    house.users.delete(COMMAND_LINE, USER)
    house.add_user(UserOrder(USER, roles=frozenset({SYSTEM_MANAGER})))


_TAKEN: dict[str, tuple[Change, str]] = {
    "revoked": (_revoke, "revoked"),
    "disabled": (lambda house, _: house.users.set_enabled(COMMAND_LINE, USER, enabled=False), "user_disabled"),
    "deleted": (lambda house, _: house.users.delete(COMMAND_LINE, USER), "revoked"),
    "another of the name": (_replace_user, "revoked"),
    "stripped": (lambda house, _: house.roles.revoke(COMMAND_LINE, USER, SYSTEM_MANAGER), "changed_meanwhile"),
    "elsewhere": (
        lambda house, _: house.users.change(COMMAND_LINE, USER, UserChanges(restrict_ip=_NOWHERE)),
        "user_address_not_allowed",
    ),
    "out of hours": (
        lambda house, _: house.users.change(COMMAND_LINE, USER, UserChanges(login_after=24)),
        "outside_hours",
    ),
}


def _actor(house: House, scheme: Scheme) -> Actor:
    """A System Manager whom the gate has let in."""
    house.add_user(UserOrder(USER, roles=frozenset({SYSTEM_MANAGER}), password=Secret("correct horse battery")))
    admission = house.admit(house.carry(scheme))
    assert admission.principal is not None
    return Actor.of(admission.principal, ADDRESS, admission.judge_again)


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
@pytest.mark.parametrize(("change", "reason"), _TAKEN.values(), ids=_TAKEN)
def test_what_was_taken_meanwhile_is_gone(house: House, scheme: Scheme, change: Change, reason: str) -> None:
    """By any scheme: the request that was let in before writes nothing, and the log can tell why."""
    actor = _actor(house, scheme)
    assert actor.principal is not None
    change(house, actor.principal.credential)
    before = house.activity()

    with pytest.raises(NotPermitted) as refused:
        house.roles.create(actor, "Mine")

    assert refused.value.reason == reason
    assert house.activity() == before


@pytest.mark.parametrize("overlap", [0, 60])
def test_a_secret_that_was_replaced_writes_nothing(house: House, overlap: int) -> None:
    """Rotating a key is how one that has leaked is ended; within the overlap the former secret is good."""
    actor = _actor(house, Scheme.TOKEN)
    assert actor.principal is not None
    house.keys.rotate(COMMAND_LINE, actor.principal.credential, overlap_seconds=overlap)
    if overlap:
        assert house.roles.create(actor, "Within") == "Within"
        house.clock.advance(overlap)

    with pytest.raises(NotPermitted) as refused:
        house.roles.create(actor, "Mine")

    assert refused.value.reason == "revoked"


def test_a_key_made_anew_under_the_id_is_another(house: House) -> None:
    """It was another secret that was proved."""
    house.add_user(UserOrder(USER, roles=frozenset({SYSTEM_MANAGER})))
    owner, pair = Owner("User", USER), PairText("key-0001", Secret("secret-0001"))
    house.keys.import_key(COMMAND_LINE, owner, pair, KeyOrder())
    admission = house.admit(present_pair("key-0001", "secret-0001"))
    assert admission.principal is not None
    house.execute("DELETE FROM api_key")
    house.keys.import_key(COMMAND_LINE, owner, PairText("key-0001", Secret("secret-0002")), KeyOrder())

    with pytest.raises(NotPermitted):
        house.roles.create(Actor.of(admission.principal, ADDRESS, admission.judge_again), "Mine")


def test_who_reads_is_judged_again_where_a_body_was_waited_for(house: House) -> None:
    """Two minutes are long enough to see what came after one's end."""
    actor = _actor(house, Scheme.TOKEN)
    house.users.set_enabled(COMMAND_LINE, USER, enabled=False)

    with read_as(house.store, actor) as tx:
        assert tx.users.find(USER)
    with pytest.raises(NotPermitted), read_as(house.store, replace(actor, waited=True)):
        raise AssertionError("nothing may be read")


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_whoever_still_stands_acts(house: House, scheme: Scheme) -> None:
    """Also under another name of a person, which gives and takes nothing."""
    actor = _actor(house, scheme)
    house.users.change(COMMAND_LINE, USER, UserChanges(first_name="Other"))

    assert house.roles.create(actor, "Mine") == "Mine"


def test_a_client_is_nobody_to_be_judged_again(house: House) -> None:
    """It acts for no user, so that a principal of its scheme would be a fault of ours."""
    actor = _actor(house, Scheme.TOKEN)
    assert actor.principal is not None
    with house.store.read() as tx, pytest.raises(AssertionError):
        house.gate.authenticator.verify_again(replace(actor.principal, scheme=Scheme.CLIENT), "192.0.2.1", tx)


@pytest.mark.parametrize("scheme", [Scheme.BEARER, Scheme.SESSION])
def test_a_credential_that_ended_by_itself_writes_nothing(house: House, scheme: Scheme) -> None:
    """While its request waited."""
    actor = _actor(house, scheme)
    house.clock.advance(LIFETIME.absolute_seconds + 1)

    with pytest.raises(NotPermitted, match="has ended meanwhile"), write_as(house.store, actor):
        raise AssertionError("nothing may be written")


def test_the_command_line_stands_for_itself(house: House) -> None:
    """Whoever can run it holds the database anyway."""
    with write_as(house.store, COMMAND_LINE) as tx:
        assert tx.users.list_all()
