"""Access rules are kept in their order, whole, and alike on each engine."""

from dataclasses import replace

import pytest

from latchgate.core.access_rules import AccessRule
from latchgate.errors import NotFound
from latchgate.services.ports import Store
from latchgate.services.rule_books import StoredRules
from support.rule_books import rule_of

_BY = "Administrator"
_WHOLE = rule_of(
    "/caf%C3%A9/*/" + "x" * 900,
    "Süd, 100%",
    "Reader",
    host="*.example.com",
    methods="GET X-PURGE!",
    every=True,
    scopes="orders.read * User:read",
    unusual=True,
)
_OPEN = rule_of("/*", guest=True, foreign=True)


def _add(store: Store, *rules: AccessRule) -> list[int]:
    with store.write() as tx:
        order = [rule.id for rule in tx.access_rules.list_all()]
        order += [tx.access_rules.add(rule, _BY, 1) for rule in rules]
        tx.access_rules.arrange(order, _BY, 1)
    return order


def _said(rule: AccessRule) -> AccessRule:
    return replace(rule, id=0, name="", position=0)


def _listed(store: Store) -> list[tuple[str, int, AccessRule]]:
    with store.read() as tx:
        return [(rule.name, rule.position, _said(rule)) for rule in tx.access_rules.list_all()]


def test_a_rule_is_kept_whole(store: Store) -> None:
    """Every field comes back as it was, whatever letters are in it."""
    first, second = _add(store, _WHOLE, _OPEN)

    assert _listed(store) == [(f"RULE-{first}", 1, _said(_WHOLE)), (f"RULE-{second}", 2, _said(_OPEN))]
    with store.read() as tx:
        assert tx.access_rules.find(f"rule-{first}") == replace(_WHOLE, id=first, name=f"RULE-{first}", position=1)
        assert tx.access_rules.count() == 2


@pytest.mark.parametrize(
    "name", ["RULE-9", "RULE-0", "RULE-01", "RULE--1", "RULE-1\x00", "RULE-" + "9" * 30, "", "\ud800"]
)
def test_what_names_no_rule(store: Store, name: str) -> None:
    """Whatever is asked for, none is found, and nothing fails."""
    with store.read() as tx:
        assert tx.access_rules.find(name) is None


def test_an_order_is_as_it_was_put(store: Store) -> None:
    """Places are counted from 1 without gaps after each change, and a name is never given again."""
    one, two, three = _add(store, *(rule_of(path) for path in ("/1", "/2", "/3")))

    with store.write() as tx:
        tx.access_rules.arrange([three, one, two], _BY, 2)
    with store.write() as tx:
        tx.access_rules.delete(three)
        tx.access_rules.arrange([one, two], _BY, 3)
    four = _add(store, rule_of("/4"))[-1]

    assert [(name, place) for name, place, _ in _listed(store)] == [
        (f"RULE-{one}", 1),
        (f"RULE-{two}", 2),
        (f"RULE-{four}", 3),
    ]
    assert four not in {one, two, three}


def test_an_order_of_other_rules_is_none(store: Store) -> None:
    """It would leave one without its place."""
    one, two = _add(store, rule_of("/1"), rule_of("/2"))

    for order in ([one], [one, two, two + 1], []):
        with pytest.raises(AssertionError), store.write() as tx:
            tx.access_rules.arrange(order, _BY, 2)

    assert [place for _, place, _ in _listed(store)] == [1, 2]


def test_a_change_is_of_one_rule(store: Store) -> None:
    """What it says is replaced, where it stands is not; of one that is gone nothing is."""
    one, two = _add(store, rule_of("/1"), rule_of("/2"))

    with store.write() as tx:
        tx.access_rules.change(replace(_WHOLE, id=two, position=7), _BY, 2)

    assert _listed(store) == [(f"RULE-{one}", 1, _said(rule_of("/1"))), (f"RULE-{two}", 2, _said(_WHOLE))]
    for gone in (0, two + 1):
        with pytest.raises(NotFound), store.write() as tx:
            tx.access_rules.change(replace(_OPEN, id=gone), _BY, 3)
        with pytest.raises(NotFound), store.write() as tx:
            tx.access_rules.delete(gone)


def test_what_was_refused_leaves_nothing(store: Store) -> None:
    """A transaction that fails in its middle has added no rule."""
    _add(store, rule_of("/1"))

    def fail() -> None:
        with store.write() as tx:
            tx.access_rules.add(rule_of("/2"), _BY, 2)
            tx.access_rules.delete(1_000_000)

    with pytest.raises(NotFound):
        fail()

    assert len(_listed(store)) == 1


def test_the_book_reads_what_counts_now(store: Store) -> None:
    """Each time anew: without the cache of verdicts there is no other memory."""
    book = StoredRules(store)
    empty = book.read()
    _add(store, rule_of("/1", "Reader"), _OPEN)

    rules = book.read()

    assert empty.rules == ()
    assert [rules.find("GET", "h", path).rule for path in ("/1", "/2")] == list(rules.rules)
    assert book.recall() is None


def test_ten_thousand_rules_are_listed_in_their_order(store: Store) -> None:
    """As many as there may be."""
    _add(store, *(rule_of(f"/{number}") for number in range(10_000)))

    assert [rule.path for _, _, rule in _listed(store)] == [f"/{number}" for number in range(10_000)]
