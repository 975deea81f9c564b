"""The rules that the gate goes by are those that were acknowledged last, whichever process changed them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from latchgate.core.access_rules import RuleSet
from latchgate.errors import StorageError
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.rule_books import CachedRules, StoredRules
from latchgate.services.verdict_ports import FoundRules
from latchgate.services.verified_cache import VerifiedCache
from support.cached_house import CachedHouse, cached
from support.fake_feed import FakeBoottime, FakeDatabase, FakeFeed
from support.house import NOTHING_PRESENTED, CountingEntropy, FakeClock, House
from support.rule_books import FakeBook, rule_of

_TYPE = "Access Rule"


@pytest.fixture
def remembering(house: House) -> Iterator[CachedHouse]:
    """A house with two books: one remembers, the other writes."""
    with cached(house) as found:
        yield found


@pytest.fixture
def book(remembering: CachedHouse) -> CachedRules:
    """The book that remembers."""
    return CachedRules(StoredRules(remembering.house.store), remembering.cache)


def _paths(rules: RuleSet | None) -> list[str] | None:
    return None if rules is None else [rule.path for rule in rules.rules]


def test_rules_are_remembered_as_one_value(remembering: CachedHouse, book: CachedRules) -> None:
    """Read once; from then on memory alone tells, and the same object as long as nothing changed."""
    assert book.recall() is None
    first = book.read()
    before = remembering.cache.misses
    remembering.house.add_user()

    assert book.read() is first
    assert book.recall() is first
    assert remembering.cache.misses == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda house: house.documents.create(COMMAND_LINE, _TYPE, {"path": "/b"}), id="create"),
        pytest.param(lambda house: house.documents.update(COMMAND_LINE, _TYPE, "RULE-1", {"path": "/b"}), id="change"),
        pytest.param(lambda house: house.documents.delete(COMMAND_LINE, _TYPE, "RULE-1"), id="delete"),
        pytest.param(lambda house: house.access_rules.move(COMMAND_LINE, "RULE-1", 2), id="move"),
        pytest.param(lambda house: house.access_rules.load(COMMAND_LINE, [], origin="f"), id="load"),
    ],
)
def test_no_acknowledged_change_is_missed(
    remembering: CachedHouse, book: CachedRules, change: Callable[[House], object]
) -> None:
    """After any change the old rules are not recalled, and are read anew as they are now."""
    for path in ("/a", "/z"):
        remembering.house.documents.create(COMMAND_LINE, _TYPE, {"path": path})
    old = book.read()

    change(remembering.house)

    assert book.recall() is None
    new = book.read()
    assert new is not old
    assert _paths(new) == _paths(StoredRules(remembering.house.store).read()) != ["/a", "/z"]
    assert book.recall() is new


def test_a_change_by_other_programs_counts_at_the_next_beat(remembering: CachedHouse, book: CachedRules) -> None:
    """Whoever writes without raising a nonce cannot forget the rules' row among the changes."""
    remembering.house.documents.create(COMMAND_LINE, _TYPE, {"path": "/a"})
    book.read()

    remembering.house.execute("UPDATE access_rule SET allow_guest = true")
    remembering.cache.beat()

    assert [rule.allow_guest for rule in book.read().rules] == [True]


def test_without_trust_the_database_is_asked(remembering: CachedHouse, book: CachedRules) -> None:
    """A cache that may not trust its files knows no rules."""
    book.read()
    remembering.boottime.seconds += 1

    assert book.recall() is None
    assert _paths(book.read()) == []
    remembering.cache.close()
    assert _paths(book.read()) == []


def test_a_gate_that_remembers_decides_by_the_new_rules(remembering: CachedHouse, book: CachedRules) -> None:
    """A rule that is taken away counts for the next request."""
    gate = replace(remembering.gate, rule_book=book)
    name = remembering.house.documents.create(COMMAND_LINE, _TYPE, {"allow_guest": 1})["name"]
    asked = replace(NOTHING_PRESENTED, path="/x", host="h")
    before = gate.admit_protected(asked)

    remembering.house.documents.delete(COMMAND_LINE, _TYPE, name)

    assert before.rule is not None
    assert before.rule.name == name
    assert gate.admit_protected(asked).rule is None


class TestSteps:
    """The order of the steps, over a database in memory that changes between them."""

    @pytest.fixture
    def database(self) -> FakeDatabase:
        """What many processes would share."""
        return FakeDatabase()

    @pytest.fixture
    def cache(self, database: FakeDatabase) -> VerifiedCache:
        """A cache over it that trusts it."""
        cache = VerifiedCache(database.open, FakeClock(), FakeBoottime(), CountingEntropy(), 1_000_000)
        cache.beat()
        return cache

    @pytest.fixture
    def book(self, database: FakeDatabase, cache: VerifiedCache, monkeypatch: pytest.MonkeyPatch) -> CachedRules:
        """A book whose look-ups tell how many changes there were."""

        def find_rules(feed: FakeFeed) -> FoundRules:
            found = FoundRules(database.head, RuleSet([rule_of(f"/{len(database.rows)}")]))
            meanwhile, database.meanwhile = database.meanwhile, None
            if meanwhile is not None:
                meanwhile()
            if database.broken:
                raise StorageError("The database cannot be reached")
            return found

        monkeypatch.setattr(FakeFeed, "find_rules", find_rules)
        return CachedRules(FakeBook(RuleSet([rule_of("/stored")])), cache)

    def test_a_look_up_that_a_change_overtakes_is_not_kept(
        self, database: FakeDatabase, cache: VerifiedCache, book: CachedRules
    ) -> None:
        """What was read before a change that was followed meanwhile answers once, and is forgotten."""

        def overtake() -> None:
            database.write("access_rule", 1)
            cache.find_rules()

        database.meanwhile = overtake

        assert _paths(book.read()) == ["/0"]
        assert book.recall() is None
        assert _paths(book.read()) == ["/1"]

    def test_another_epoch_drops_the_rules(self, database: FakeDatabase, book: CachedRules) -> None:
        """After a restore nothing that was known is known."""
        book.read()
        database.epoch = "second"
        database.raise_nonce()

        assert book.recall() is None

    @pytest.mark.parametrize("kind", ["user", "permission", "role"])
    def test_changes_of_other_records_leave_them(
        self, database: FakeDatabase, cache: VerifiedCache, book: CachedRules, kind: str
    ) -> None:
        """Keys come and go more often than rules."""
        rules = book.read()
        database.write(kind, 1)

        assert book.recall() is None
        assert cache.find_rules() is rules

    def test_an_unknown_kind_drops_them(self, database: FakeDatabase, cache: VerifiedCache, book: CachedRules) -> None:
        """A later release may change what this one does not know."""
        book.read()
        database.write("something", 1)

        assert cache.find_rules() is None

    def test_a_look_up_that_fails_leaves_it_to_the_other_book(self, database: FakeDatabase, book: CachedRules) -> None:
        """Which tells, or raises."""
        database.broken = True

        assert _paths(book.read()) == ["/stored"]
