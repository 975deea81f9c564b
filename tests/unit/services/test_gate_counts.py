"""What the gate counts and tells of requests: each once, in our own words, with nothing that the log would not say."""

from dataclasses import replace
from ipaddress import ip_network
from typing import NoReturn

import pytest

from latchgate.core.clients import AuthMethod
from latchgate.core.credentials import Scheme
from latchgate.core.log_entries import LogEntry
from latchgate.core.policy import PUBLIC, SIGNED_IN, Requirement
from latchgate.core.principals import Client
from latchgate.errors import StorageError
from latchgate.services.gate import Gate
from latchgate.services.measures import SCHEMES, Measures, Outcome, RequestMeasures, recalled_word, request_word
from support.cached_house import CachedHouse
from support.house import ADDRESS, NOTHING_PRESENTED, House, present_pair
from unit.core import examples


class _Watched:
    """A house's gate, whose counts can be read."""

    def __init__(self, gate: Gate, **changed: object) -> None:
        self.measures = Measures.alone()
        self.gate = replace(gate, measures=RequestMeasures(self.measures), **changed)  # type: ignore[arg-type]

    @property
    def requests(self) -> dict[tuple[str, Outcome], int]:
        """What was counted, by scheme and outcome."""
        totals = self.measures.read_totals()
        counted = {
            (scheme, outcome): totals[request_word(scheme, outcome)] for scheme in SCHEMES for outcome in Outcome
        }
        return {by: count for by, count in counted.items() if count}


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER, Scheme.SESSION])
def test_a_request_is_counted_by_its_scheme(house: House, scheme: Scheme) -> None:
    """Whichever carried the credential."""
    house.add_user()
    watched = _Watched(house.gate)

    watched.gate.record(watched.gate.admit(house.carry(scheme), SIGNED_IN), 200, 0.1)

    assert watched.requests == {(scheme, Outcome.ALLOWED): 1}


def test_a_request_without_a_credential_is_counted_and_not_logged(house: House) -> None:
    """It leaves no row, and yet somebody may want to know how many there are."""
    watched = _Watched(house.gate)

    watched.gate.record(watched.gate.admit(NOTHING_PRESENTED, PUBLIC), 200, 0.1)
    watched.gate.record(watched.gate.admit(NOTHING_PRESENTED, SIGNED_IN), 403, 0.1)

    assert watched.requests == {("none", Outcome.ALLOWED): 1, ("none", Outcome.FORBIDDEN): 1}
    assert house.log.entries == []


@pytest.mark.parametrize(
    ("header", "scheme"), [(b"token nobodys:guess", "token"), (b"Digest x", "unknown"), (b"\xff", "unknown")]
)
def test_what_a_caller_writes_makes_no_name(house: House, header: bytes, scheme: str) -> None:
    """A scheme that is none of ours is unknown, however it is spelt."""
    watched = _Watched(house.gate)

    presented = replace(NOTHING_PRESENTED, authorization=(header,))
    watched.gate.record(watched.gate.admit(presented, SIGNED_IN), 401, 0.1)

    assert watched.requests == {(scheme, Outcome.UNAUTHENTICATED): 1}


def test_a_session_that_is_over_and_a_client_have_their_own_names(house: House) -> None:
    """Neither is a user."""
    watched = _Watched(house.gate)

    watched.gate.record(watched.gate.admit(replace(NOTHING_PRESENTED, session_cookie="x" * 20), PUBLIC), 200, 0.1)
    client = Client(examples.CLIENT, AuthMethod.BASIC)
    guest = watched.gate.admit(NOTHING_PRESENTED, PUBLIC)
    watched.gate.record(replace(guest, who=client, credential_presented=True), 400, 0.1)

    assert watched.requests == {("session", Outcome.ALLOWED): 1, ("client", Outcome.CLIENT_ERROR): 1}


def test_a_row_that_cannot_be_written_makes_a_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what is answered."""
    house.add_user()
    watched = _Watched(house.gate)
    admission = watched.gate.admit(house.carry(Scheme.TOKEN), SIGNED_IN)

    def fail(*_: object) -> NoReturn:
        raise StorageError("The request log cannot be written")

    monkeypatch.setattr(house.log, "append_prepared", fail)
    with pytest.raises(StorageError):
        watched.gate.record(admission, 200, 0.1)

    assert watched.requests == {("token", Outcome.FAILED): 1}


def test_a_recalled_request_is_counted_once_its_row_is_written(
    remembering: CachedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before: whose row cannot be written walks the whole line, and is counted there."""
    house = remembering.house
    presented = house.carry(Scheme.TOKEN)
    watched = _Watched(remembering.gate)
    who = watched.gate.admit(presented, SIGNED_IN).principal
    assert who is not None
    row = watched.gate.prepare_row(who, presented, 200)

    watched.gate.record_recalled(row, 0.1)

    def fail(*_: object) -> NoReturn:
        raise StorageError("The request log cannot be written")

    monkeypatch.setattr(house.log, "append_prepared", fail)
    with pytest.raises(StorageError):
        watched.gate.record_recalled(row, 0.1)

    assert watched.measures.read_totals()[recalled_word("token")] == 1
    assert watched.requests == {}


def test_what_is_told_is_what_is_logged(house: House) -> None:
    """The same entry, with the same blanking."""
    told: list[LogEntry] = []
    house.add_user()
    watched = _Watched(house.gate, tell=told.append)
    issued = house.add_key()
    presented = replace(
        present_pair(issued.key.key_id, issued.secret.text), path=f"/x?password=hunter2&y={issued.secret.text}"
    )

    watched.gate.record(watched.gate.admit(presented, SIGNED_IN), 200, 0.1)
    watched.gate.record(watched.gate.admit(replace(presented, authorization=(b"token a:b",)), SIGNED_IN), 401, 0.1)

    assert told == house.log.entries
    assert len(told) == 2
    assert told[0].path == "/x?password=***&y=***"
    assert issued.secret.text not in repr(told[0])


def test_requests_without_a_credential_are_told_too(house: House) -> None:
    """As nobody's, with what looks like a secret in their address blanked."""
    told: list[LogEntry] = []
    watched = _Watched(house.gate, tell=told.append)

    presented = replace(NOTHING_PRESENTED, path="/api/method/login?usr=a&pwd=hunter2", method="POST")
    watched.gate.record(watched.gate.admit(presented, PUBLIC), 401, 0.1)

    (entry,) = told
    assert (entry.user, entry.scheme, entry.reason, entry.status) == (None, None, None, 401)
    assert entry.path == "/api/method/login?usr=a&pwd=***"
    assert house.log.entries == []


def test_listed_addresses_may_come_as_they_are(house: House) -> None:
    """Where a route says so; whoever comes from elsewhere, or with a bad credential, is refused as ever."""
    requirement = Requirement(user=True, open_from=(ip_network(f"{ADDRESS}/32"),))

    def decision(**changed: object) -> str:
        presented = replace(NOTHING_PRESENTED, **changed)  # type: ignore[arg-type]
        return house.gate.admit(presented, requirement).decision.value

    assert decision() == "allowed"
    assert decision(peer_address="203.0.113.9") == "forbidden"
    assert decision(peer_address="") == "forbidden"
    assert decision(authorization=(b"token a:b",)) == "unauthenticated"


def test_what_is_told_of_a_recalled_request_is_its_row(remembering: CachedHouse) -> None:
    """With the numbers of that request, not of the one by which it was prepared."""
    told: list[LogEntry] = []
    watched = _Watched(remembering.gate, tell=told.append)
    presented = replace(remembering.house.carry(Scheme.TOKEN), user_agent="curl lgs_0123456789abcdefghij")
    who = watched.gate.admit(presented, SIGNED_IN).principal
    assert who is not None

    row = watched.gate.prepare_row(who, presented, 200)
    ids = [watched.gate.record_recalled(row, seconds).hex() for seconds in (0.5, 0.0000019)]

    assert [replace(entry, requests=1) for entry in told] == remembering.house.log.entries
    assert [(entry.request_id, entry.seconds) for entry in told] == [(ids[0], 0.5), (ids[1], 0.000001)]
    assert told[0].user_agent == "curl lgs_***"
