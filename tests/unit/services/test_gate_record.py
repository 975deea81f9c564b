"""What the request log holds of a request: who, with what, and what came of it."""

from dataclasses import asdict, replace
from typing import NoReturn

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Scheme
from latchgate.core.log_entries import LogEntry
from latchgate.core.policy import ANY_SCHEME, PUBLIC, SIGNED_IN, Decision, Requirement
from latchgate.core.principals import Reason
from latchgate.errors import StorageError
from latchgate.services.port_values import UserChanges
from support.house import (
    ADDRESS,
    LIFETIME,
    NOTHING_PRESENTED,
    NOW,
    TOKEN_TEXT,
    USER,
    House,
    present_pair,
    present_token,
)

_PAIRS = (Scheme.TOKEN, Scheme.BASIC)


class _SilentStore:
    """A database that does not answer."""

    def read(self) -> NoReturn:
        raise StorageError("The database cannot be reached")

    write = read


def _named(row: LogEntry) -> tuple[str | None, ...]:
    """Whom and what a row names."""
    return row.user, row.api_key, row.scheme, row.source


def test_a_row_tells_the_whole_request(house: House) -> None:
    """An accepted request leaves who, with what, what, when, from where, how long and the outcome."""
    user = house.add_user()
    issued = house.add_key()
    presented = present_pair(issued.key.key_id, issued.secret.text)
    admission = house.admit(presented)

    house.gate.record(admission, 200, 0.1234567)

    assert house.log.entries == [
        LogEntry(
            time=admission.arrived_us,
            request_id=admission.request_id,
            user=USER,
            api_key=issued.key.key_id,
            scheme="token",
            source="User",
            method="GET",
            path="/api/method/frappe.auth.get_logged_user",
            status=200,
            seconds=0.123457,
            ip_address=ADDRESS,
            user_agent="test",
            reason=None,
            user_id=user.id,
        )
    ]
    assert admission.arrived_us // 1_000_000 == NOW


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_an_accepted_request_names_user_and_credential(house: House, scheme: Scheme) -> None:
    """Whichever scheme carried it, the row names the user and the credential's public id."""
    house.add_user()
    presented = house.carry(scheme)

    row = house.logged(presented)

    assert _named(row) == (USER, house.principal(presented).credential, scheme.value, "User")
    assert row.reason is None


@pytest.mark.parametrize("scheme", _PAIRS)
def test_a_wrong_secret_names_the_key_but_not_its_user(house: House, scheme: Scheme) -> None:
    """Whoever guesses at a known key does not act as its user, but its owner can see which key was tried."""
    house.add_user()
    issued = house.add_key()

    row = house.logged(present_pair(issued.key.key_id, "wrong-secret", scheme), status=401)

    assert _named(row) == (None, issued.key.key_id, scheme.value, "User")
    assert (row.user_id, row.status, row.reason) == (None, 401, "wrong_secret")


@pytest.mark.parametrize("scheme", _PAIRS)
def test_a_key_under_attack_is_named_to_the_end(house: House, scheme: Scheme) -> None:
    """Guesses beyond what is answered as such still show the owner which key is being tried."""
    house.add_user()
    issued = house.add_key()
    for _ in range(300):
        house.throttles.count_wrong_credential(ADDRESS)

    row = house.logged(present_pair(issued.key.key_id, "wrong-secret", scheme), status=429)

    assert _named(row) == (None, issued.key.key_id, scheme.value, "User")
    assert row.reason == "too_many_failures"


@pytest.mark.parametrize("scheme", _PAIRS)
@pytest.mark.parametrize("source", [None, "Nobody's Source"])
def test_an_unknown_key_stores_nothing_of_it(house: House, scheme: Scheme, source: str | None) -> None:
    """Text that is no credential of ours, the source's name included, stays out of the log."""
    row = house.logged(present_pair("typed-by-a-stranger", "typed-too", scheme, source), status=401)

    assert (row.user, row.api_key, row.scheme) == (None, None, scheme.value)
    assert not {"typed-by-a-stranger", "typed-too", "Nobody's Source"} & set(map(str, asdict(row).values()))


def test_an_unknown_token_stores_nothing_of_it(house: House) -> None:
    """A bearer token that is not known leaves its scheme and nothing else."""
    row = house.logged(present_token("typed-by-a-stranger"), status=401)

    assert _named(row) == (None, None, "Bearer", None)
    assert row.reason == "unknown_token"


def test_what_cannot_be_read_names_nobody(house: House) -> None:
    """A broken header leaves a row with its reason, and nothing of its text."""
    row = house.logged(replace(NOTHING_PRESENTED, authorization=(b"token broken",)), status=401)

    assert _named(row) == (None, None, None, None)
    assert row.reason == "authorization_unreadable"
    assert "broken" not in repr(row)


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER])
def test_an_expired_credential_names_its_user(house: House, scheme: Scheme) -> None:
    """The right secret too late was its user's: the row says whose, with the same source as an accepted one."""
    house.add_user()
    if scheme is Scheme.BEARER:
        public_id = house.add_token()
        presented = present_token(TOKEN_TEXT)
    else:
        issued = house.add_key(limits=Limits(frozenset({"all"}), expires_at=NOW + 3600))
        public_id = issued.key.key_id
        presented = present_pair(issued.key.key_id, issued.secret.text, scheme)
    house.clock.advance(3600)

    row = house.logged(presented, status=401)

    assert _named(row) == (USER, public_id, scheme.value, "User")
    assert row.reason == "expired"


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_a_disabled_user_is_named(house: House, scheme: Scheme) -> None:
    """A genuine credential of a user that may not act any more leaves that user's name."""
    user = house.add_user()
    presented = house.carry(scheme)
    public_id = house.principal(presented).credential
    house.change_user(user, UserChanges(enabled=False))

    row = house.logged(presented, status=401)

    assert _named(row) == (USER, public_id, scheme.value, "User")
    assert row.reason == "user_disabled"


def test_a_guest_without_a_credential_leaves_no_row(house: House) -> None:
    """Only requests that present a credential are in the request log."""
    house.gate.record(house.admit(NOTHING_PRESENTED, PUBLIC), 200, 0.1)
    house.gate.record(house.admit(NOTHING_PRESENTED, SIGNED_IN), 403, 0.1)

    assert house.log.entries == []


def test_an_ended_session_leaves_a_row(house: House) -> None:
    """The cookie of an ended session was a credential: its request is logged, as nobody's."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    house.clock.advance(LIFETIME.idle_seconds)

    row = house.logged(presented, PUBLIC)

    assert _named(row) == (None, None, "session", None)
    assert (row.status, row.reason) == (200, "expired")


def test_a_right_that_is_missing_is_the_reason(house: House) -> None:
    """A request that was forbidden names its user and what was missing."""
    house.add_user()

    row = house.logged(house.carry(Scheme.TOKEN), Requirement(user=True, roles=frozenset({"Auditor"})), status=403)

    assert (row.user, row.status, row.reason) == (USER, 403, "role_missing")


def test_a_handler_s_refusal_is_the_reason(house: House) -> None:
    """What the gate let in and a handler refused is in the log with the handler's reason."""
    house.add_user()
    admission = house.admit(house.carry(Scheme.TOKEN))

    house.gate.record(admission, 403, 0.1, "not_permitted")

    assert (house.log.entries[0].user, house.log.entries[0].reason) == (USER, "not_permitted")


def test_a_log_that_cannot_be_written_is_not_passed_over(house: House) -> None:
    """Without its row a reply must not leave: the failure reaches the caller."""
    house.add_user()
    admission = house.admit(house.carry(Scheme.TOKEN))
    house.log.broken = True

    with pytest.raises(StorageError):
        house.gate.record(admission, 200, 0.1)


def test_a_full_log_lets_nobody_in(house: House) -> None:
    """Whoever presents a credential while there is no room for a row is not even verified, right secret or not."""
    house.add_user()
    right = house.carry(Scheme.TOKEN)
    house.log.broken = True
    silent = replace(house.gate, authenticator=replace(house.gate.authenticator, store=_SilentStore()))

    for presented in (right, replace(right, authorization=(b"token a:b",))):
        admission = silent.admit(presented, PUBLIC)

        assert (admission.decision, admission.reason) == (Decision.UNAUTHENTICATED, Reason.STORAGE)
        assert admission.failure is not None
        assert "request log" in admission.failure.public
        assert admission.principal is None


def test_each_request_has_its_room(house: House) -> None:
    """Whoever presents a credential holds room for a row until it is written; a guest needs none."""
    house.add_user()
    admissions = [house.admit(house.carry(Scheme.TOKEN)) for _ in range(2)]
    house.admit(NOTHING_PRESENTED, PUBLIC)
    assert [room.held for room in house.log.rooms] == [True, True]

    house.gate.record(admissions[1], 200, 0.1)

    assert [room.held for room in house.log.rooms] == [True, False]


@pytest.mark.parametrize("presented", ["no key", "no session", "over its limit"])
def test_what_anybody_can_send_counts_against_a_quota(house: House, presented: str) -> None:
    """Rows of those who proved nothing, or may not go on, are told apart from those of whoever was let in."""
    house.add_user()
    match presented:
        case "no key":
            wanted = replace(NOTHING_PRESENTED, authorization=(b"token a:b",))
        case "no session":
            wanted = house.carry(Scheme.SESSION)
            house.clock.advance(LIFETIME.absolute_seconds)
        case _:
            issued = house.add_key(limits=Limits(frozenset({"all"}), per_minute=1))
            wanted = present_pair(issued.key.key_id, issued.secret.text)
            house.logged(wanted)

    house.logged(wanted, PUBLIC, status=401)
    house.logged(house.carry(Scheme.BEARER))
    house.logged(house.carry(Scheme.TOKEN), Requirement(user=True, roles=frozenset({"System Manager"})), status=403)

    assert house.log.refused == [house.log.entries[-3]]


def test_a_broken_log_stops_no_guest(house: House) -> None:
    """A request that leaves no row does not need the log."""
    house.log.broken = True

    house.gate.record(house.admit(NOTHING_PRESENTED, PUBLIC), 200, 0.1)


def test_a_store_that_does_not_answer_leaves_a_row_too(house: House) -> None:
    """Nothing can be verified, nothing is let in, and what was presented is logged without a name."""
    house.add_user()
    presented = house.carry(Scheme.TOKEN)
    authenticator = replace(house.gate.authenticator, store=_SilentStore())
    gate = replace(house.gate, authenticator=authenticator)

    admission = gate.admit(presented, PUBLIC)
    gate.record(admission, 503, 0.1)

    assert isinstance(admission.failure, StorageError)
    assert admission.decision is Decision.UNAUTHENTICATED
    (row,) = house.log.entries
    assert (row.user, row.api_key, row.status, row.reason) == (None, None, 503, "storage")
