"""A request whose credential is remembered is not parsed anew, and in all else is as the first one was."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import (
    Bearer,
    Credential,
    KeyPair,
    Presented,
    PresentedClient,
    Scheme,
    parse_credential,
)
from latchgate.core.policy import CLIENT, PUBLIC, SIGNED_IN, Decision, Requirement
from latchgate.core.principals import Principal, Reason, Rejected
from latchgate.errors import StorageError
from latchgate.middleware.identities import Identity, identity_of
from latchgate.request_log.records import encode, join
from latchgate.services import gate as gates
from latchgate.services import principal_memories
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.admissions import Admission
from latchgate.services.log_ports import PreparedRow, Reservation
from latchgate.services.log_rows import caller_of, entry_of
from latchgate.services.ports import RequestLog
from latchgate.services.principal_memories import PrincipalMemory
from support.cached_house import CachedHouse
from support.house import USER, House, present_pair

SCHEMES = (Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER)


@pytest.fixture(name="parsed")
def _parsed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the gate has parsed."""
    parsed: list[object] = []

    def watch(presented: Presented) -> Credential:
        parsed.append(presented)
        return parse_credential(presented)

    monkeypatch.setattr(gates, "parse_credential", watch)
    return parsed


def _told(admission: Admission) -> Admission:
    """All but what each request has of its own."""
    return replace(admission, request_id="", arrived_us=0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_second_request_is_judged_as_the_first(
    remembering: CachedHouse, parsed: list[object], scheme: Scheme
) -> None:
    """It is known by its bytes alone, and counted as a hit; a gate without memory decides the same."""
    gate, presented = remembering.gate, remembering.house.carry(scheme)
    first = gate.admit(presented, SIGNED_IN)
    parsed.clear()

    second = gate.admit(presented, SIGNED_IN)

    assert parsed == []
    assert second.decision is Decision.ALLOWED
    assert _told(second) == _told(first) == _told(remembering.house.gate.admit(presented, SIGNED_IN))
    assert second.judge_again is not None
    assert second.row_room is not None


def test_what_is_required_is_judged_each_time(remembering: CachedHouse) -> None:
    """Whom memory lets in may still lack what another address asks for."""
    gate, presented = remembering.gate, remembering.house.carry(Scheme.TOKEN)
    gate.admit(presented, SIGNED_IN)

    refused = gate.admit(presented, Requirement(user=True, roles=frozenset({"Auditor"})))

    assert (refused.decision, refused.reason) == (Decision.FORBIDDEN, Reason.ROLE_MISSING)


def test_memory_changes_no_other_reading(remembering: CachedHouse, parsed: list[object]) -> None:
    """Two headers, another source, another spelling and a client's request are read as if nothing were known."""
    house, gate = remembering.house, remembering.gate
    presented = house.carry(Scheme.BASIC)
    [value] = presented.authorization
    gate.admit(presented, PUBLIC)
    others = [
        replace(presented, authorization=(value, value)),
        replace(presented, source=(b"User", b"User")),
        replace(presented, source=(b"Device",)),
        replace(presented, authorization=(b" " + value,)),
        replace(presented, client=PresentedClient()),
    ]

    for other in others:
        parsed.clear()
        requirement = CLIENT if other.client else PUBLIC
        assert _told(gate.admit(other, requirement)) == _told(house.gate.admit(other, requirement))
        assert other in parsed
    assert not isinstance(gate.admit(others[-1], CLIENT).who, Principal)


def test_addresses_and_limits_count_each_time(remembering: CachedHouse) -> None:
    """A key is known from where it may be used alone, and one with a limit is counted once for each request."""
    house, gate = remembering.house, remembering.gate
    issued = house.add_key(limits=Limits(frozenset({"all"}), per_minute=3))
    limited = present_pair(issued.key.key_id, issued.secret.text)

    decisions = [gate.admit(limited, SIGNED_IN).reason for _ in range(4)]

    assert decisions == [None, None, None, Reason.OVER_LIMIT]


def _revoke(house: House, key_id: str) -> None:
    house.keys.revoke(COMMAND_LINE, key_id)


def _disable(house: House, key_id: str) -> None:
    del key_id
    house.users.set_enabled(COMMAND_LINE, USER, enabled=False)


@pytest.mark.parametrize("change", [_revoke, _disable])
def test_an_end_is_heeded_at_once(remembering: CachedHouse, change: Callable[[House, str], None]) -> None:
    """However often the gate has let a credential in, the next request after its end is refused."""
    house, gate = remembering.house, remembering.gate
    issued = house.add_key()
    presented = present_pair(issued.key.key_id, issued.secret.text)
    for _ in range(3):
        assert gate.admit(presented, SIGNED_IN).decision is Decision.ALLOWED

    change(house, issued.key.key_id)

    assert isinstance(gate.admit(presented, SIGNED_IN).who, Rejected)


def test_an_end_while_the_rule_is_read_is_heeded(
    remembering: CachedHouse, parsed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who it is was recalled before that; a request must not be let in by who it was then and by the rule of after."""
    house, gate = remembering.house, remembering.gate
    issued = house.add_key()
    presented = present_pair(issued.key.key_id, issued.secret.text)
    gate.admit(presented, SIGNED_IN)
    parsed.clear()
    reserve = type(gate.request_log).reserve

    def revoke_meanwhile(log: RequestLog) -> Reservation:
        _revoke(house, issued.key.key_id)
        return reserve(log)

    monkeypatch.setattr(type(gate.request_log), "reserve", revoke_meanwhile)
    admission = gate.admit(presented, SIGNED_IN)

    assert admission.reason is Reason.REVOKED
    assert parsed == [presented]


def _identity(admission: Admission) -> Identity:
    return identity_of(admission.who, admission.request_id, lambda _: None)


def test_an_application_and_the_log_are_told_who_it_is_now(remembering: CachedHouse) -> None:
    """A role that was given or taken, and a user's new name, show in the next request; digests never do."""
    house, gate = remembering.house, remembering.gate
    presented = house.carry(Scheme.TOKEN)
    before = _identity(gate.admit(presented, SIGNED_IN))
    house.roles.create(COMMAND_LINE, "Owner")

    house.roles.grant(COMMAND_LINE, USER, "Owner")
    given = _identity(gate.admit(presented, SIGNED_IN))
    house.roles.revoke(COMMAND_LINE, USER, "Owner")
    taken = _identity(gate.admit(presented, SIGNED_IN))

    assert given.roles == before.roles | {"Owner"} == getattr(given.who, "roles", None)
    assert taken.roles == before.roles
    assert [getattr(one.who, "proof", None) for one in (before, given, taken)] == [b""] * 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_secret_is_shown_of_what_is_remembered(remembering: CachedHouse, scheme: Scheme) -> None:
    """A credential that is repeated in the address or the agent's name is blanked, known or not."""
    house, gate = remembering.house, remembering.gate
    presented = house.carry(scheme)
    credential = parse_credential(presented)
    assert isinstance(credential, KeyPair | Bearer)
    secret = credential.secret if isinstance(credential, KeyPair) else credential.token
    gate.admit(presented, SIGNED_IN)

    admission = gate.admit(replace(presented, path=f"/a/{secret.text}", user_agent=f"t {secret.text}"), SIGNED_IN)

    assert (admission.presented.path, admission.presented.user_agent) == ("/a/***", "t ***")


@pytest.mark.parametrize("status", [200, 304, 404])
def test_a_row_of_pieces_is_the_whole_row(house: House, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Byte for byte what an entry of the log is written as; it takes the room that was set aside."""
    house.add_user()
    admission = house.gate.admit(replace(house.carry(Scheme.BEARER), path="/ä?token=x&y=\n"), SIGNED_IN)
    written: list[bytes] = []

    def watch(row: PreparedRow, time_us: int, request_id: bytes, micros: int, room: Reservation) -> None:
        written.append(join(time_us, request_id, row.status, micros, row.who, row.what))
        room.release()

    monkeypatch.setattr(house.log, "append_prepared", watch)

    house.gate.record(admission, status, 0.1427655)

    assert written == [encode(entry_of(admission, status, 0.1427655, None))]
    assert [room.held for room in house.log.rooms] == [False]


def test_without_room_nothing_is_let_in_from_memory(remembering: CachedHouse) -> None:
    """What could not be logged must not have been anything's doing."""
    gate, presented = remembering.gate, remembering.house.carry(Scheme.TOKEN)
    gate.admit(presented, SIGNED_IN)
    remembering.house.log.broken = True

    admission = gate.admit(presented, SIGNED_IN)

    assert isinstance(admission.failure, StorageError)
    assert admission.who == Rejected(Reason.STORAGE)


def test_a_memory_goes_by_the_very_principal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that are equal may have come with two secrets; and no more are kept than so many."""
    monkeypatch.setattr(principal_memories, "_PRINCIPALS_MAX", 2)
    house.add_user()
    who = house.gate.admit(house.carry(Scheme.TOKEN), SIGNED_IN).principal
    assert who is not None
    made: list[Principal] = []

    def make(one: Principal) -> int | None:
        made.append(one)
        return one.former_until

    memory = PrincipalMemory(make)
    former = replace(who, former_until=7)

    assert who == former
    assert [memory.get(one) for one in (who, former, who, former)] == [None, 7, None, 7]
    assert (caller_of(who).former_until, caller_of(former).former_until) == (None, 7)
    assert made == [who, former]
    for _ in range(5):
        memory.get(replace(who))
    assert len(memory._kept) <= 2
