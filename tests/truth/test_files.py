"""With real files and processes: no process answers by what was true before a change that was acknowledged."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.bootstrap import open_latchgate
from latchgate.core.credentials import Presented
from latchgate.core.policy import SIGNED_IN
from latchgate.services.verdict_ports import FoundKey
from latchgate.storage.backups import backup_sqlite, restore_sqlite
from latchgate.storage.changes import SqliteFeed
from latchgate.storage.database import open_database
from support.truth_house import Reader, TruthHouse, kill_in_commit, open_truth_house, reading

# ruff: noqa: S608  # the names in the statements are our own

pytestmark = pytest.mark.crash


@pytest.fixture
def house(tmp_path: Path) -> Iterator[TruthHouse]:
    """An instance with a user."""
    with open_truth_house(tmp_path / "data") as house:
        yield house


@pytest.fixture
def readers(house: TruthHouse) -> Iterator[list[Reader]]:
    """Two processes that serve."""
    with reading(house) as readers:
        yield readers


def remember(readers: list[Reader], *headers: str) -> None:
    """Let every reader have verdicts in its memory."""
    for reader in readers:
        for header in headers:
            while not reader.ask(header).remembered:
                # Whoever was not scheduled for a quarter of a second trusts nothing for a moment.
                assert reader.ask(header).accepted


def test_acknowledged(house: TruthHouse, readers: list[Reader]) -> None:
    """A key is refused by every process from its revocation on, and another one goes on, from memory."""
    (other_id, other), keys = house.make_key(), [house.make_key() for _ in range(5)]
    for key_id, header in keys:
        remember(readers, header, other)

        house.revoke(key_id)

        for reader in readers:
            told = reader.ask(header)
            assert (told["reason"], told.remembered) == ("revoked", False)
            assert reader.ask(other).accepted, other_id


def test_writer_that_dies_before_it_tells(house: TruthHouse, readers: list[Reader]) -> None:
    """What was committed and never acknowledged is followed by the next beat."""
    key_id, header = house.make_key()
    remember(readers, header)

    assert kill_in_commit(house, key_id) == -signal.SIGKILL

    for reader in readers:
        reader.wait_for_beats(1)
        assert reader.ask(header)["reason"] == "revoked"


def _delete(house: TruthHouse) -> None:
    house.generation.unlink()


def _replace(house: TruthHouse) -> None:
    beside = house.generation.with_name("another")
    beside.write_bytes(house.generation.read_bytes())
    beside.replace(house.generation)


def _empty(house: TruthHouse) -> None:
    house.generation.unlink()
    house.generation.touch(0o600)


@pytest.mark.parametrize("lose", [_delete, _replace, _empty], ids=lambda lose: lose.__name__.strip("_"))
def test_generation_file_is_lost(house: TruthHouse, readers: list[Reader], lose: Callable[[TruthHouse], None]) -> None:
    """Whatever becomes of the file, what is acknowledged afterwards counts everywhere, and memory comes back."""
    key_id, header = house.make_key()
    _, other = house.make_key()
    remember(readers, header, other)

    lose(house)
    house.revoke(key_id)

    for reader in readers:
        assert reader.ask(header)["reason"] == "revoked"
    remember(readers, other)
    key_id, header = house.make_key()
    remember(readers, header)
    house.revoke(key_id)
    assert {reader.ask(header)["reason"] for reader in readers} == {"revoked"}


def test_truncated_generation_file(house: TruthHouse, readers: list[Reader]) -> None:
    """Who has mapped it dies, and so answers nothing that is not true; whoever starts afresh makes another."""
    key_id, header = house.make_key()
    remember(readers, header)

    # This process has it mapped, too: another one cuts it.
    house.latchgate.close()
    subprocess.run([sys.executable, "-c", f"open({str(house.generation)!r}, 'wb').close()"], check=True)

    for reader in readers:
        with pytest.raises((EOFError, BrokenPipeError)):
            reader.wait_for_beats(2)
        assert reader.process.wait() == -signal.SIGBUS
    with reading(house, 1) as [fresh]:
        remember([fresh], header)
        run = [sys.executable, "-m", "latchgate", "key", "revoke", key_id]
        subprocess.run(run, check=True, capture_output=True, env={**os.environ, "LATCHGATE_HOME": str(house.home)})
        assert fresh.ask(header)["reason"] == "revoked"


def _run_outside(house: TruthHouse, *statements: str) -> None:
    """Change the database as another program does: in another process, in one transaction."""
    program = (
        "import sqlite3, sys\n"
        "with sqlite3.connect(sys.argv[1]) as connection:\n"
        "    for statement in sys.argv[2:]: connection.execute(statement)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(house.database), *statements], check=True)


def test_change_from_outside(house: TruthHouse, readers: list[Reader]) -> None:
    """What another program changes in the database is followed by the next beat."""
    key_id, header = house.make_key()
    remember(readers, header)

    _run_outside(house, f"UPDATE api_key SET revoked_at = 1 WHERE key_id = '{key_id}'")

    for reader in readers:
        reader.wait_for_beats(1)
        assert reader.ask(header)["reason"] == "revoked"


def test_pruned_changes(house: TruthHouse, readers: list[Reader]) -> None:
    """A change whose row is gone already before it was followed counts all the same."""
    key_id, header = house.make_key()
    remember(readers, header)

    _run_outside(
        house,
        f"UPDATE api_key SET revoked_at = 1 WHERE key_id = '{key_id}'",
        "DELETE FROM change",
        "UPDATE change_head SET floor = seq",
    )

    for reader in readers:
        reader.wait_for_beats(1)
        assert reader.ask(header)["reason"] == "revoked"


def test_restore_under_running_readers(house: TruthHouse, readers: list[Reader], tmp_path: Path) -> None:
    """What the backup does not know is refused from the restore on; what has been revoked since works again."""
    revoked_id, revoked = house.make_key()
    with closing(open_database(f"sqlite:///{house.database}")) as database:
        backup_sqlite(database, tmp_path / "backup.db")
        house.revoke(revoked_id)
        _, later = house.make_key()
        remember(readers, later)
        assert not any(reader.ask(revoked).accepted for reader in readers)

        restore_sqlite(database, tmp_path / "backup.db")

    for reader in readers:
        assert reader.ask(later)["reason"] == "unknown_key"
        assert reader.ask(revoked).accepted


def test_database_file_is_replaced(house: TruthHouse, readers: list[Reader], tmp_path: Path) -> None:
    """Another database in its place is the one that counts, from the first change that is acknowledged in it."""
    key_id, header = house.make_key()
    with closing(open_database(f"sqlite:///{house.database}")) as database:
        backup_sqlite(database, tmp_path / "backup.db")
        _, later = house.make_key()
        remember(readers, header, later)
    house.latchgate.close()

    for companion in ("-wal", "-shm"):
        Path(f"{house.database}{companion}").unlink(missing_ok=True)
    (tmp_path / "backup.db").replace(house.database)
    run = [sys.executable, "-m", "latchgate", "key", "revoke", key_id]
    subprocess.run(run, check=True, capture_output=True, env={**os.environ, "LATCHGATE_HOME": str(house.home)})

    for reader in readers:
        assert reader.ask(header)["reason"] == "revoked"
        assert reader.ask(later)["reason"] == "unknown_key"


def test_the_fill_race(house: TruthHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that read before a revocation, and arrives after it was followed, leaves nothing behind."""
    key_id, header = house.make_key()
    _, other = house.make_key()
    with closing(open_latchgate(house.latchgate.settings, cached=True)) as server:
        find = SqliteFeed.find_key

        def is_let_in(authorization: str) -> bool:
            presented = Presented("GET", "/", "192.0.2.1", authorization=(authorization.encode(),))
            return server.gate.admit(presented, SIGNED_IN).principal is not None

        def find_then_wait(feed: SqliteFeed, source: str, wanted: str) -> FoundKey:
            found = find(feed, source, wanted)
            if wanted == key_id:
                monkeypatch.setattr(SqliteFeed, "find_key", find)
                house.revoke(key_id)
                # Another request of the same process follows the change meanwhile.
                assert is_let_in(other)
            return found

        monkeypatch.setattr(SqliteFeed, "find_key", find_then_wait)
        assert is_let_in(header), "it began before the revocation"

        assert not is_let_in(header)
