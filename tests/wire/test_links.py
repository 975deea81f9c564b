"""What a master and its processes tell each other."""

import socket
import threading
from collections.abc import Iterator

import pytest

from latchgate.errors import LatchgateError, SettingsError, StorageError
from latchgate.server.links import Order, UpLink, find_report, give_order, make_link

_PATIENCE_SECONDS = 30.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The master's end and the process's."""
    ours, theirs = make_link()
    with ours, theirs:
        yield ours, theirs


def test_the_strongest_order_counts(ends: tuple[socket.socket, socket.socket]) -> None:
    """Whatever was ordered after it; before any order there is nothing to do."""
    link = UpLink(ends[1])
    assert (link.order(), link.is_set(), link(), link.wait(0)) == (Order.NONE, False, False, False)

    give_order(ends[0], Order.MAKE_ROOM)
    assert (link.order(), link.is_set()) == (Order.MAKE_ROOM, False)
    give_order(ends[0], Order.HURRY)
    give_order(ends[0], Order.STOP)

    assert (link.order(), link.is_set(), link(), link.wait()) == (Order.HURRY, True, True, True)
    assert link.has_master


def test_a_master_that_is_gone_is_an_order_to_stop(ends: tuple[socket.socket, socket.socket]) -> None:
    """However it went, and also for whoever still has to say something."""
    link = UpLink(ends[1])
    ends[0].close()

    link.report_ready()

    assert (link.order(), link.order(), link.has_master) == (Order.STOP, Order.STOP, False)


def test_a_master_that_goes_with_something_unread_is_gone_all_the_same(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """The system says it otherwise then."""
    link = UpLink(ends[1])
    link.report_ready()
    ends[0].close()

    assert link.order() is Order.STOP


def test_who_waits_is_woken(ends: tuple[socket.socket, socket.socket]) -> None:
    """An order to stop does not wait for the end of a pause."""
    timer = threading.Timer(0.05, give_order, (ends[0], Order.STOP))
    timer.start()

    assert UpLink(ends[1]).wait(_PATIENCE_SECONDS)
    timer.join()


def _noted(error: LatchgateError) -> LatchgateError:
    error.add_note("do this")
    return error


@pytest.mark.parametrize(
    "error", [SettingsError("one", "two"), _noted(SettingsError("one")), StorageError("unreachable", detail="refused")]
)
def test_why_a_process_cannot_serve_is_told_whole(
    ends: tuple[socket.socket, socket.socket], error: LatchgateError
) -> None:
    """As the command line prints it: every problem, the detail, and the hint."""
    assert find_report(ends[0]) is None
    UpLink(ends[1]).report_failure(error)

    report = find_report(ends[0])

    assert report
    failure = report.failure
    assert failure is not None
    assert (type(failure), str(failure), failure.detail) == (type(error), str(error), error.detail)
    assert getattr(failure, "problems", None) == getattr(error, "problems", None)
    assert getattr(failure, "__notes__", []) == getattr(error, "__notes__", [])


def test_a_process_that_is_gone_reports_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    """And whoever orders it about does not fail by it."""
    ends[1].close()

    give_order(ends[0], Order.STOP)

    assert find_report(ends[0]) is None
