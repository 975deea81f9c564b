"""The beats of the cache of verdicts: whether its files are those that everybody uses, and what nobody raised for."""

import pytest

from latchgate.services.verified_cache import TRUST_SECONDS
from support.verdict_office import KEY, KEY_ID, Office


@pytest.fixture
def office() -> Office:
    """A cache that was just opened."""
    return Office()


class TestBeat:
    def test_change_that_nobody_raised_for(self, office: Office) -> None:
        """What a program of others commits, or a writer that died before it raised, is followed by the next beat."""
        office.keep()

        office.database.commit("api_key", KEY_ID)

        assert office.cache.find(KEY) is not None
        office.cache.beat()
        assert office.cache.find(KEY) is None

    def test_failure_to_follow_is_tried_again(self, office: Office) -> None:
        """Trust is not renewed by a beat that could not follow, and the change is followed later."""
        office.keep()
        office.database.commit("api_key", KEY_ID)
        office.database.broken = True
        office.boottime.seconds += 0.1
        office.cache.beat()
        office.boottime.seconds += TRUST_SECONDS
        assert office.cache.find(KEY) is None

        office.database.broken = False
        office.cache.beat()
        office.cache.beat()

        assert office.cache.find(KEY) is None
        office.keep()
        assert office.cache.find(KEY) is not None

    def test_rows_that_cannot_be_read(self, office: Office) -> None:
        """Nor by one that saw that something changed but not what."""
        office.keep()
        office.database.commit("api_key", KEY_ID)

        def fail() -> None:
            office.database.broken = True

        office.database.meanwhile = fail
        office.cache.beat()
        office.database.broken = False
        office.cache.beat()

        assert office.cache.find(KEY) is None

    def test_replaced_file(self, office: Office) -> None:
        """Whatever was kept of a file that was replaced is forgotten, and the new one is taken up at once."""
        office.keep()
        office.database.whole = False

        office.cache.beat()

        assert office.cache.find(KEY) is None
        assert office.database.feeds[0].closed
        office.keep()
        assert office.cache.find(KEY) is not None

    def test_file_that_cannot_be_opened(self, office: Office) -> None:
        """Until it can be, nothing is believed."""
        office.database.whole, office.database.broken = False, True
        office.cache.beat()
        assert office.cache.look_up(KEY, lambda _feed: 1) is None

        office.database.broken = False
        office.cache.beat()

        assert office.look_up().value == office.database.head

    def test_file_that_breaks_while_it_is_taken_up(self, office: Office) -> None:
        """It is let go, and taken up at a later beat."""
        office.database.whole = False

        def fail() -> None:
            office.database.broken = True

        office.database.meanwhile = fail
        office.cache.beat()
        assert office.database.feeds[-1].closed
        assert office.cache.look_up(KEY, lambda _feed: 1) is None

        office.database.broken = False
        office.cache.beat()
        office.keep()
        assert office.cache.find(KEY) is not None

    def test_change_while_it_is_taken_up(self) -> None:
        """Whatever is acknowledged between nonce and head of a new feed is followed, or was read already."""
        office = Office()
        office.database.whole = False
        office.database.meanwhile = lambda: office.database.write("api_key", KEY_ID)

        office.cache.beat()
        kept = office.keep()

        assert office.cache.recall(KEY) is None
        assert office.cache.find(KEY) is kept

    def test_feed_that_stays_broken(self, office: Office) -> None:
        """Once trust has ended, a connection that tells nothing is let go, and another one taken up."""
        office.keep()
        office.database.broken = True
        office.boottime.seconds += TRUST_SECONDS + 1
        office.cache.beat()
        assert office.database.feeds[0].closed

        office.database.broken = False
        office.cache.beat()

        assert len(office.database.feeds) == 2
        office.keep()
        assert office.cache.find(KEY) is not None

    def test_close(self, office: Office) -> None:
        """A closed cache knows nothing and holds nothing."""
        office.keep()

        office.cache.close()
        office.cache.close()

        assert office.cache.find(KEY) is office.cache.recall(KEY) is None
        assert office.database.feeds[-1].closed
        assert len(office.cache.store) == 0

    def test_catch_up_of_a_feed_that_was_let_go(self, office: Office) -> None:
        """A request that began before the files were replaced follows nothing in the new feed's name."""
        office.keep()
        office.database.raise_nonce()
        former = office.database.feeds[-1]
        office.cache.close()

        assert not office.cache._catch_up(former)

    def test_catch_up_that_another_thread_has_done(self, office: Office) -> None:
        """Who waited for it reads nothing once more."""
        kept = office.keep()
        office.database.broken = True

        assert office.cache._catch_up(office.database.feeds[-1])
        assert office.cache.find(KEY) is kept
