"""Memory that processes share: a word has one writer, the sum is everybody's, and nothing is lost with a process."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from latchgate.errors import StorageError
from latchgate.services.measures import Outcome, bucket_word, request_word, sum_word
from latchgate.storage.shared_slots import SharedSlots
from latchgate.storage.slot_files import make_shared_slots
from support.forks import run_in_forks

_NAMES = ("requests", "refused")


def _made(folder: Path, slots: int = 4, salt: bytes = b"s" * 32) -> SharedSlots:
    return make_shared_slots(folder / "run", slots=slots, salt=salt, names=_NAMES)


def test_the_file_is_its_owner_s_alone_and_all_of_it_is_on_the_disk(tmp_path: Path) -> None:
    """Folder 0700, file 0600, and no page that a full disk could refuse later."""
    shared = _made(tmp_path)

    status = shared.path.stat()
    assert stat.S_IMODE(shared.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size == shared.words.nbytes
    assert status.st_blocks * 512 >= status.st_size


def test_counters_are_summed_over_processes(tmp_path: Path) -> None:
    """What four processes count at the same time, each in its slot, is all there."""
    shared = _made(tmp_path)

    def count(number: int) -> None:
        add = shared.slot(number).counter("requests")
        for _ in range(5_000):
            add(1)

    run_in_forks([lambda number=number: count(number) for number in range(4)])  # type: ignore[misc]

    assert shared.read_totals() == {"requests": 20_000, "refused": 0}


def test_a_slot_s_next_owner_goes_on_from_where_it_stands(tmp_path: Path) -> None:
    """A worker that died takes nothing out of a total, and its successor begins at no zero."""
    shared = _made(tmp_path)
    run_in_forks([lambda: shared.slot(1).counter("refused")(7)])

    shared.slot(1).counter("refused")(2)

    assert shared.read_totals() == {"requests": 0, "refused": 9}


def test_a_slot_that_is_none_is_refused(tmp_path: Path) -> None:
    """Writing beyond the slots would write in another's words."""
    shared = _made(tmp_path)

    for number in (-1, 4):
        with pytest.raises(AssertionError, match="no slot"):
            shared.slot(number)


def test_files_that_nobody_uses_are_removed_and_others_are_not(tmp_path: Path) -> None:
    """What a killed server left goes at the next start; what one that serves beside this one has stays."""
    kept: list[SharedSlots] = []
    run_in_forks([lambda: kept.append(_made(tmp_path, salt=b"a" * 32))])
    beside = _made(tmp_path, salt=b"b" * 32)

    third = _made(tmp_path, salt=b"c" * 32)

    assert {path.name for path in (tmp_path / "run").iterdir()} == {beside.path.name, third.path.name}
    third.remove()
    third.remove()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {beside.path.name}


def test_a_file_that_somebody_cut_gets_its_size_again(tmp_path: Path) -> None:
    """Or each new worker would die where the last one did."""
    shared = _made(tmp_path)
    add = shared.slot(0).counter("requests")
    add(3)
    os.truncate(shared.path, 0)

    shared.mend()
    shared.mend()
    add(1)

    assert shared.read_totals()["requests"] == 1


def test_a_master_survives_a_file_that_somebody_cut(tmp_path: Path) -> None:
    """What it counts is written, not stored to memory; and the others read it."""
    shared = _made(tmp_path)
    add = shared.slot(0).lasting_counter("refused")
    add(2)
    assert shared.read_totals()["refused"] == 2
    os.truncate(shared.path, 0)

    add(1)
    shared.mend()

    assert shared.read_totals()["refused"] == 3


def test_with_many_slots_the_file_stays_small(tmp_path: Path) -> None:
    """A machine with 256 processors does not pay for every counter 256 times over."""
    assert _made(tmp_path, slots=1026).words.nbytes <= 34 * 1024 * 1024


@pytest.mark.parametrize("spoil", [lambda folder: (folder / "run").write_text(""), lambda folder: folder.rmdir()])
def test_where_it_cannot_be_made_one_line_says_why(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """With the folder's name and what the system said."""
    folder = tmp_path / "home"
    folder.mkdir()
    spoil(folder)

    with pytest.raises(StorageError, match="counters cannot be kept in"):
        _made(folder)


def test_a_process_counts_by_its_slot_and_reads_everybody_s(tmp_path: Path) -> None:
    """What it counted goes on with its successor; what it had is taken back once it is dead."""
    shared = make_shared_slots(tmp_path / "run", slots=3, salt=b"s" * 32)

    def work(number: int) -> None:
        measures = shared.slot(number).measures()
        measures.counter("cache_misses")(number)
        measures.gauge("cache_entries")(10 * number)
        measures.observer("token", Outcome.ALLOWED)(100)

    run_in_forks([lambda: work(1), lambda: work(2)])
    shared.clear_gauges(2)
    shared.slot(2).measures().counter("cache_misses")(4)

    totals = shared.slot(0).measures().read_totals()
    assert {name: value for name, value in totals.items() if value} == {
        "cache_misses": 7,
        "cache_entries": 10,
        request_word("token", Outcome.ALLOWED): 2,
        bucket_word(Outcome.ALLOWED, 7): 2,
        sum_word(Outcome.ALLOWED): 200,
    }


def test_the_master_s_words_are_there_for_all_and_outlive_a_cut(tmp_path: Path) -> None:
    """Written by way of the file: a file that somebody has cut neither kills the master nor keeps what was in it."""
    shared = make_shared_slots(tmp_path / "run", slots=2, salt=b"s" * 32)
    own = shared.slot(0)

    own.write("workers", 2)
    assert shared.read_totals()["workers"] == 2
    os.truncate(shared.path, 0)
    own.write("workers", 1)
    shared.clear_gauges(1)
    shared.mend()

    assert shared.read_totals()["workers"] == 1
