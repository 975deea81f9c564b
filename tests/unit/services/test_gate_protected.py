"""The gate in front of a protected application: the access rules decide, and nothing falls through."""

from dataclasses import replace

import pytest

from latchgate.core.access_rules import NO_RULES, RuleSet
from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Presented, Scheme
from latchgate.core.policy import SIGNED_IN, Decision
from latchgate.core.principals import Anonymous, Reason, Rejected
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.gate import Gate
from support.house import NOTHING_PRESENTED, USER, House, present_pair
from support.rule_books import FakeBook, rule_of

_READERS = rule_of("/read/*", "Reader")
_OPEN = rule_of("/open/*", number=2, guest=True)
_FOREIGN = rule_of("/app/*", number=3, guest=True, foreign=True)


@pytest.fixture
def book() -> FakeBook:
    """Three rules, one for those with a role and two open ones."""
    return FakeBook(RuleSet([_READERS, _OPEN, _FOREIGN]))


@pytest.fixture
def gate(house: House, book: FakeBook) -> Gate:
    """The house's gate with the book."""
    return replace(house.gate, rule_book=book)


def _for(
    path: str, presented: Presented = NOTHING_PRESENTED, method: str = "GET", host: str = "app.example.com"
) -> Presented:
    return replace(presented, method=method, path=path, host=host)


def _sent(value: str) -> Presented:
    return replace(NOTHING_PRESENTED, authorization=(value.encode(),))


def test_a_rule_asks_for_its_role(house: House, gate: Gate) -> None:
    """Whoever holds the role is let in, and the admission names the rule; whoever does not is forbidden."""
    house.roles.create(COMMAND_LINE, "Reader")
    house.add_user()
    house.roles.grant(COMMAND_LINE, USER, "Reader")
    key = house.add_key()
    pair = present_pair(key.key.key_id, key.secret.text, Scheme.TOKEN)

    let_in = gate.admit_protected(_for("/read/1", pair))
    guest = gate.admit_protected(_for("/read/1"))

    assert (let_in.decision, let_in.rule) == (Decision.ALLOWED, _READERS)
    assert (guest.decision, guest.reason, guest.rule) == (Decision.FORBIDDEN, None, _READERS)


@pytest.mark.parametrize(
    ("method", "host", "path", "reason"),
    [
        ("GET", "app.example.com", "/elsewhere", Reason.NO_RULE),
        ("get", "app.example.com", "/open/1", Reason.UNUSUAL_METHOD),
        ("GET", "user@app.example.com", "/open/1", Reason.UNUSUAL_HOST),
        ("GET", "app.example.com", "/open/../read/1", Reason.UNUSUAL_PATH),
    ],
)
def test_what_no_rule_is_for_is_refused_to_everybody(
    house: House, gate: Gate, method: str, host: str, path: str, reason: Reason
) -> None:
    """Unmatched requests are refused with their reason, to guests and to Administrator alike."""
    key = house.add_key("Administrator")
    pair = present_pair(key.key.key_id, key.secret.text, Scheme.TOKEN)

    for presented in (NOTHING_PRESENTED, pair):
        admission = gate.admit_protected(_for(path, presented, method, host))

        assert (admission.decision, admission.reason, admission.rule) == (Decision.FORBIDDEN, reason, None)


@pytest.mark.parametrize("value", ["Digest abc", "nonsense", "token a:b", "Bearer xyz", "Basic !", "Basic YTpi"])
def test_a_foreign_credential_makes_a_guest_where_a_rule_says_so(house: House, gate: Gate, value: str) -> None:
    """There it is no guess, leaves no row, and gives the room for one back; elsewhere it is refused as ever."""
    passed = gate.admit_protected(_for("/app/1", _sent(value)))
    refused = gate.admit_protected(_for("/open/1", _sent(value)))
    gate.record(passed, 200, 0.1)

    assert (passed.decision, passed.who, passed.credential_presented) == (Decision.ALLOWED, Anonymous(), False)
    assert refused.decision is Decision.UNAUTHENTICATED
    assert house.log.entries == []


def test_foreign_credentials_are_no_guesses(house: House, gate: Gate) -> None:
    """However many there were, a wrong credential elsewhere is answered as the first."""
    for number in range(100):
        gate.admit_protected(_for("/app/1", _sent(f"token {number}:b")))

    refused = gate.admit_protected(_for("/open/1", _sent("token a:b")))

    assert refused.reason is Reason.UNKNOWN_KEY


def test_the_row_tells_which_host_it_was_for(house: House, gate: Gate) -> None:
    """As rules name it, refused or not; a request for the server itself, or for what is no host, has none."""
    house.add_user()
    key = house.add_key()
    pair = present_pair(key.key.key_id, key.secret.text, Scheme.TOKEN)
    for host in ("App.Example.com:443", "app.example.com/", "other.example.com"):
        gate.record(gate.admit_protected(_for("/open/1", pair, host=host)), 204, 0.1)
    gate.record(gate.admit_protected(_for("/nowhere", pair)), 403, 0.1)
    gate.record(gate.admit(pair, SIGNED_IN), 200, 0.1)

    assert [(row.host, row.reason) for row in house.log.entries] == [
        ("app.example.com", None),
        (None, Reason.UNUSUAL_HOST.value),
        ("other.example.com", None),
        ("app.example.com", Reason.NO_RULE.value),
        (None, None),
    ]


def test_a_prepared_row_tells_the_host_too(house: House, gate: Gate) -> None:
    """Rows of different hosts are told apart also where path, program and caller are the same."""
    house.add_user()
    key = house.add_key()
    presented = present_pair(key.key.key_id, key.secret.text, Scheme.TOKEN)
    who = gate.admit(presented, SIGNED_IN).principal
    assert who is not None

    for host in ("a.example.com", "B.example.com", ""):
        gate.record_recalled(gate.prepare_row(who, _for("/open/1", presented, host=host), 204), 0.1)

    assert [row.host for row in house.log.entries] == ["a.example.com", "b.example.com", None]


def test_what_is_ours_and_has_ended_stays_refused(house: House, gate: Gate) -> None:
    """An expired key is no foreign credential, and neither are two credentials at once."""
    house.add_user()
    key = house.add_key(limits=Limits(frozenset({"all"}), expires_at=house.clock.now() + 10))
    house.clock.advance(11)
    expired = present_pair(key.key.key_id, key.secret.text, Scheme.TOKEN)
    twice = replace(NOTHING_PRESENTED, authorization=(b"Digest a", b"Digest b"))

    outcomes = [gate.admit_protected(_for("/app/1", sent)).who for sent in (expired, twice)]

    assert [who.reason for who in outcomes if isinstance(who, Rejected)] == [
        Reason.EXPIRED,
        Reason.TWO_AUTHORIZATIONS,
    ]


def test_a_good_credential_is_its_user_on_an_open_rule(house: House, gate: Gate) -> None:
    """Who sends a credential of ours is told apart from guests, also where those are let in."""
    house.add_user()
    key = house.add_key()

    admission = gate.admit_protected(_for("/app/1", present_pair(key.key.key_id, key.secret.text, Scheme.TOKEN)))

    assert admission.principal is not None
    assert admission.credential_presented


def test_rules_that_cannot_be_read_let_nobody_in(gate: Gate, book: FakeBook) -> None:
    """A store that does not answer refuses, also what an open rule would have let in."""
    book.broken = True

    admission = gate.admit_protected(_for("/open/1"))

    assert admission.reason is Reason.STORAGE
    assert admission.failure is not None
    assert gate.recall_rules() is None


def test_without_a_book_everything_is_refused(house: House) -> None:
    """A gate that was given no rules refuses every request for a protected application, and says so at once."""
    whole = house.gate
    gate = Gate(whole.authenticator, whole.throttles, whole.request_log, whole.clock, whole.request_ids, whole.peppers)

    assert gate.admit_protected(_for("/")).reason is Reason.NO_RULE
    assert gate.recall_rules() == NO_RULES
