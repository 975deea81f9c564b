"""Each rule by which the cache of verdicts stays true; the model in tests/models shows why each is needed."""

import threading
from collections.abc import Callable

import pytest

from latchgate.core.principals import Reason, Rejected
from latchgate.errors import StorageError
from latchgate.services.verdict_ports import Feed
from latchgate.services.verdicts import Refusal
from latchgate.services.verified_cache import TRUST_SECONDS, Found, VerifiedCache
from support.fake_feed import FakeBoottime, FakeDatabase
from support.house import NOW, CountingEntropy, FakeClock
from support.verdict_office import EVER, KEY, KEY_ID, OTHER, OTHER_ID, Office, verdict


@pytest.fixture
def office() -> Office:
    """A cache that was just opened."""
    return Office()


class TestHit:
    def test_what_was_kept_is_found(self, office: Office) -> None:
        """As long as nothing changes, by both ways of asking."""
        kept = office.keep()

        assert office.cache.recall(KEY) is office.cache.find(KEY) is kept
        assert office.cache.recall(OTHER) is office.cache.find(OTHER) is None

    def test_acknowledged_change(self, office: Office) -> None:
        """From the raise of the nonce on, what stood on the changed record is not found; what did not, still is."""
        office.keep()
        other = office.keep(OTHER, OTHER_ID)

        office.database.write("api_key", KEY_ID)

        assert office.cache.recall(KEY) is None
        assert office.cache.recall(OTHER) is None
        assert office.cache.find(KEY) is None
        assert office.cache.find(OTHER) is office.cache.recall(OTHER) is other

    def test_until(self, office: Office) -> None:
        """A verdict that is bound to a time is not found from that time on."""
        kept = office.keep(until=NOW + 10)

        office.clock.advance(9)
        assert office.cache.find(KEY) is office.cache.recall(KEY) is kept
        office.clock.advance(1)
        assert office.cache.find(KEY) is office.cache.recall(KEY) is None

    def test_trust_ends(self, office: Office) -> None:
        """Without a look at the files for so long nothing is believed, whatever the nonce says."""
        kept = office.keep()

        office.boottime.seconds += TRUST_SECONDS
        assert office.cache.find(KEY) is office.cache.recall(KEY) is kept
        office.boottime.seconds += 0.001
        assert office.cache.find(KEY) is office.cache.recall(KEY) is None
        office.cache.beat()
        assert office.cache.find(KEY) is office.cache.recall(KEY) is kept

    def test_trust_counts_from_before_the_look(self, office: Office) -> None:
        """A file that is replaced while a beat is slow is not trusted for longer than the beat began before."""
        office.keep()
        office.database.commit("role", 1)

        def dawdle() -> None:
            office.boottime.seconds += 0.2

        office.database.meanwhile = dawdle
        office.cache.beat()

        office.boottime.seconds += TRUST_SECONDS - 0.1
        assert office.cache.find(KEY) is office.cache.recall(KEY) is None

    def test_before_the_first_beat(self) -> None:
        """Nothing is believed, and nothing can be asked."""
        database = FakeDatabase()
        cache = VerifiedCache(database.open, FakeClock(), FakeBoottime(), CountingEntropy(), 1_000_000)

        assert (cache.find(KEY), cache.recall(KEY), cache.look_up(KEY, lambda _feed: 1)) == (None, None, None)


class TestCatchUp:
    def test_nonce_is_the_one_read_before_the_rows(self, office: Office) -> None:
        """A change that is acknowledged while rows are read is followed at the next request, not passed over."""
        office.keep()
        office.keep(OTHER, OTHER_ID)
        office.database.write("api_key", OTHER_ID)
        # Its row is read already, by a snapshot of before; its nonce stands there when the catch-up ends.
        feed = office.database.feeds[-1]
        read = feed.read_changes

        def read_then_change(after: int) -> object:
            changes = read(after)
            if office.database.rows[-1] == ("api_key", OTHER_ID):
                office.database.write("api_key", KEY_ID)
            return changes

        feed.read_changes = read_then_change  # type: ignore[method-assign,assignment]  # what another process does

        assert office.cache.find(OTHER) is None
        assert office.cache.find(KEY) is None

    def test_change_between_nonce_and_rows(self, office: Office) -> None:
        """What is committed after the nonce was read is dropped with the rest, and followed once more in vain."""
        office.keep()
        office.database.raise_nonce()
        office.database.meanwhile = lambda: office.database.write("api_key", KEY_ID)

        assert office.cache.find(KEY) is None

    def test_failure_changes_nothing(self, office: Office) -> None:
        """A database that does not answer makes a miss; what was kept is judged when it answers again."""
        other = office.keep(OTHER, OTHER_ID)
        office.keep()
        office.database.write("api_key", KEY_ID)
        office.database.broken = True

        assert office.cache.find(KEY) is office.cache.find(OTHER) is None
        office.database.broken = False
        assert office.cache.find(KEY) is None
        assert office.cache.find(OTHER) is other

    @pytest.mark.parametrize(
        "happen",
        [
            pytest.param(lambda database: setattr(database, "epoch", "second"), id="another epoch"),
            pytest.param(lambda database: setattr(database, "floor", 3), id="rows that are gone"),
            pytest.param(lambda database: database.commit("node", 1), id="an unknown kind"),
            pytest.param(lambda database: database.rows.extend([("permission", 1)] * 11), id="too many rows"),
            pytest.param(lambda database: database.rows.clear(), id="numbers that went back"),
        ],
    )
    def test_what_cannot_be_followed(self, office: Office, happen: Callable[[FakeDatabase], object]) -> None:
        """Whatever the rows cannot tell ends every verdict."""
        office.database.write("permission", 1)
        office.cache.beat()
        office.keep()
        assert office.cache.find(KEY) is not None

        happen(office.database)
        office.database.raise_nonce()

        assert office.cache.find(KEY) is None
        office.keep()
        assert office.cache.find(KEY) is not None

    def test_floor_at_the_last_followed_row(self, office: Office) -> None:
        """Rows that were followed may go."""
        office.database.write("permission", 1)
        office.cache.beat()
        kept = office.keep()

        office.database.floor = 1
        office.database.raise_nonce()

        assert office.cache.find(KEY) is kept


class TestMiss:
    def test_read_before_changes_that_were_followed(self, office: Office) -> None:
        """What was read before a change and arrives after that was followed is not kept: nothing would drop it."""
        found = office.look_up()
        office.database.write("api_key", KEY_ID)
        assert office.cache.find(KEY) is None

        office.cache.keep(KEY, verdict(), found, found.value)

        assert office.cache.find(KEY) is None

    def test_read_before_changes_that_were_not_followed(self, office: Office) -> None:
        """It is kept, and dropped when the change is followed, before it is found."""
        found = office.look_up()
        office.database.write("api_key", KEY_ID)

        office.cache.keep(KEY, verdict(), found, found.value)

        assert office.cache.recall(KEY) is office.cache.find(KEY) is None

    def test_read_in_another_epoch(self, office: Office) -> None:
        """The numbers of another epoch say nothing, however high."""
        for _ in range(3):
            office.database.write("permission", 1)
        found = office.look_up()
        office.database.epoch = "second"
        office.database.rows.clear()
        office.database.raise_nonce()
        assert office.cache.find(KEY) is None

        office.cache.keep(KEY, verdict(), found, found.value)

        assert office.cache.find(KEY) is None

    def test_read_by_another_feed(self, office: Office) -> None:
        """What was read from a file that has been replaced since is not kept, whatever its numbers."""
        found = office.look_up()
        office.database.whole = False
        office.cache.beat()

        office.cache.keep(KEY, verdict(), found, found.value)

        assert office.cache.find(KEY) is None

    def test_failure(self, office: Office) -> None:
        """Where the feed cannot tell, somebody else is asked; the next look-up begins anew."""

        def fail(_feed: Feed) -> int:
            raise StorageError("The database cannot be reached")

        assert office.cache.look_up(KEY, fail) is None
        assert office.look_up().value == office.database.head

    def test_unforeseen_failure(self, office: Office) -> None:
        """An error that nobody foresaw is told to whom it happened, and blocks nobody."""
        with pytest.raises(ZeroDivisionError):
            office.cache.look_up(KEY, lambda _feed: 1 // 0)
        assert office.look_up().value == office.database.head

    def test_refusals(self, office: Office) -> None:
        """They are kept like verdicts, and fall at whatever change."""
        refusal, found = Refusal(Rejected(Reason.UNKNOWN_KEY), EVER), office.look_up()
        office.cache.keep(KEY, refusal, found, found.value)
        assert office.cache.find(KEY) is refusal
        assert office.cache.recall(KEY) is None

        office.database.write("permission", 1)

        assert office.cache.find(KEY) is None


class TestFlights:
    """Look-ups in threads: one leads, and waits in the middle for the test to go on."""

    def _lead(self, office: Office) -> tuple[threading.Thread, threading.Event, list[object]]:
        reads, goes_on, found = threading.Event(), threading.Event(), list[object]()

        def ask(_feed: Feed) -> str:
            reads.set()
            assert goes_on.wait(60)
            return "led"

        thread = threading.Thread(target=lambda: found.append(office.cache.look_up(KEY, ask)))
        thread.start()
        assert reads.wait(60)
        return thread, goes_on, found

    def test_joined_while_nothing_changed(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of many that want the same at once, one asks."""
        leader, goes_on, found = self._lead(office)
        join, joined, answers = office.cache._join, threading.Semaphore(0), list[object]()

        def tell(key: bytes, feed: Feed, nonce: int) -> object:
            flight = join(key, feed, nonce)
            joined.release()
            return flight

        monkeypatch.setattr(office.cache, "_join", tell)
        followers = [
            threading.Thread(target=lambda: answers.append(office.cache.look_up(KEY, lambda _feed: "asked")))
            for _ in range(3)
        ]
        for follower in followers:
            follower.start()
            assert joined.acquire(timeout=60)
        goes_on.set()
        for thread in (leader, *followers):
            thread.join(60)

        assert [one.value for one in (*found, *answers) if isinstance(one, Found)] == ["led"] * 4
        assert office.cache.misses == 1

    def _assert_not_joined(self, office: Office, leader: threading.Thread, goes_on: threading.Event) -> None:
        own = list[object]()
        follower = threading.Thread(
            target=lambda: own.append(office.cache.look_up(KEY, lambda _feed: "own")), daemon=True
        )
        follower.start()
        follower.join(10)

        goes_on.set()
        leader.join(60)
        follower.join(60)
        assert [one.value for one in own if isinstance(one, Found)] == ["own"]

    def test_not_joined_after_a_change(self, office: Office) -> None:
        """A look-up that began before a change was acknowledged may have read what is over: nobody joins it."""
        leader, goes_on, _found = self._lead(office)
        office.database.write("api_key", KEY_ID)

        self._assert_not_joined(office, leader, goes_on)

    def test_not_joined_across_feeds(self, office: Office) -> None:
        """Nor is one that asks a file which has been replaced."""
        leader, goes_on, _found = self._lead(office)
        office.database.whole = False
        office.cache.beat()

        self._assert_not_joined(office, leader, goes_on)


class TestLeft:
    def test_what_another_thread_leaves_meanwhile_is_not_taken(self) -> None:
        """Between the look whose it is and the taking, somebody else's outcome may come in its place."""
        meanwhile: list[Callable[[], object]] = []

        def boottime() -> float:
            if meanwhile:
                meanwhile.pop()()
            return 1_000.0

        cache = VerifiedCache(FakeDatabase().open, FakeClock(), boottime, CountingEntropy(), 1_000)
        cache.beat()
        mine, others = Rejected(Reason.WRONG_SECRET), verdict(OTHER_ID).who
        cache.leave(KEY, "192.0.2.1", mine, cache.nonce)
        meanwhile.append(lambda: cache.leave(OTHER, "192.0.2.1", others, cache.nonce))

        assert cache.take(KEY, "192.0.2.1") is mine
        assert not meanwhile


class TestKeys:
    def test_absent_is_not_empty(self, office: Office) -> None:
        """No source header, an empty one, and one that completes another header's value are told apart."""
        cache = office.cache
        names = {
            cache.key(b"token a:b", None),
            cache.key(b"token a:b", b""),
            cache.key(b"token a:b", b"User"),
            cache.key(b"token a:bUser", None),
            cache.key(b"token a:b\x00\x00\x00\x04User", None),
        }

        assert len(names) == 5
        assert cache.key(b"token a:b", b"User") in names

    def test_salt(self) -> None:
        """Nobody who knows a credential can tell where it is kept in another process."""
        entropy = CountingEntropy()
        first, second = (
            VerifiedCache(FakeDatabase().open, FakeClock(), FakeBoottime(), entropy, 1_000) for _ in range(2)
        )

        assert first.key(b"token a:b", None) != second.key(b"token a:b", None)
