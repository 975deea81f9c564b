"""When users were last heard of: told to whoever may read all requests, and withheld rather than in the way."""

from latchgate.services.actors import COMMAND_LINE
from latchgate.services.last_seen import LastSeen
from support.house import NOW, USER, House
from support.log_uses import FakeUses


def test_the_newest_request_of_each_is_told(house: House) -> None:
    """As records tell times; who sent none is left out."""
    last_seen = LastSeen(house.documents, FakeUses(seen={USER: NOW * 1_000_000}))

    assert last_seen.find(COMMAND_LINE, [USER, "other@example.com"]) == {USER: "2027-01-15 08:00:00.000000"}


def test_whoever_may_not_read_all_requests_is_told_nothing(house: House) -> None:
    """Not even of themselves, so that a page shows no column of gaps."""
    house.add_user()

    assert LastSeen(house.documents, FakeUses(seen={USER: 1})).find(house.actor(), [USER]) is None


def test_a_log_that_cannot_be_read_hides_no_users(house: House) -> None:
    """Their page is what an administrator needs then."""
    assert LastSeen(house.documents, FakeUses(broken=True)).find(COMMAND_LINE, [USER]) is None
