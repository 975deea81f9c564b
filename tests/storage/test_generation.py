"""The generation file: who makes it, who agrees on it, and how it tells that something changed."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.errors import Conflict, StorageError
from latchgate.services.clock import boottime
from latchgate.storage.acknowledgements import find_generation_name
from latchgate.storage.backups import backup_sqlite, restore_sqlite
from latchgate.storage.database import Database, open_database
from latchgate.storage.file_systems import shares_mapped_files
from latchgate.storage.generation import (
    SETTLED_SECONDS,
    TRUST_SECONDS,
    Generation,
    file_identity,
    make_generation,
    map_generation,
)
from latchgate.storage.revisions import upgrade
from latchgate.storage.store import SqlStore
from support.new_rows import new_user


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """A database that nobody has written to."""
    return sqlite_database


@pytest.fixture
def path(database: Database) -> Path:
    """Where its generation file is."""
    assert database.acknowledgements is not None
    return database.acknowledgements.path


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long writers waited; they do not really wait, and time stands still, so that a new file stays new."""
    slept: list[float] = []
    now = boottime()
    monkeypatch.setattr("latchgate.storage.acknowledgements.boottime", lambda: now)
    monkeypatch.setattr("latchgate.storage.generation.boottime", lambda: now)
    monkeypatch.setattr("latchgate.storage.acknowledgements.time.sleep", slept.append)
    return slept


def mapped(path: Path) -> Generation:
    """Map the file as another process does."""
    generation = map_generation(path)
    assert generation is not None
    return generation


def named(database: Database) -> str | None:
    """Tell which file the database names."""
    with database.read() as connection:
        name: str | None = connection.exec_driver_sql("SELECT generation FROM change_head").scalar_one()
        return name


def write(database: Database, name: str = "ann@example.com") -> None:
    """Change something."""
    with SqlStore(database).write() as tx:
        tx.users.add(new_user(name), 1)


class TestFile:
    def test_form(self, path: Path) -> None:
        """A page for its owner alone, beside the database."""
        assert path.name == "latchgate.db-generation"
        assert path.stat().st_size == 4096
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_two_raises_from_the_same_word(self, path: Path) -> None:
        """Two that raise at the same time never come to the same word, whatever each of them saw."""
        first, second = mapped(path), mapped(path)
        before = first.nonce
        first.raise_nonce()
        after_first = second.nonce
        first._words[0] = before
        second.raise_nonce()

        assert len({before, after_first, first.nonce}) == 3

    def test_seen_by_others(self, path: Path) -> None:
        """What one process stores, another reads from its memory."""
        generation = mapped(path)
        before = generation.nonce
        told = "from pathlib import Path; from latchgate.storage.generation import *; map_generation(Path({0!r})).{1}"

        subprocess.run([sys.executable, "-c", told.format(str(path), "raise_nonce()")], check=True)

        assert generation.nonce != before

    @pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\0" * 4095, b"LGgener1" * 513])
    def test_what_is_none(self, tmp_path: Path, content: bytes) -> None:
        """A file of another size, or without the mark, is not mapped."""
        path = tmp_path / "file"
        path.write_bytes(content)

        assert map_generation(path) is None
        assert map_generation(tmp_path / "missing") is None

    def test_link(self, path: Path, tmp_path: Path) -> None:
        """A link is not followed: it could lead to a file that others write to."""
        link = tmp_path / "link"
        link.symlink_to(path)

        with pytest.raises(StorageError, match="cannot be opened"):
            map_generation(link)

    @pytest.mark.parametrize("error", [OSError("no memory"), ValueError("mmap length is greater than file size")])
    def test_cannot_be_mapped(self, path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        """Whatever keeps it from being mapped is told as a failure of the database."""

        def fail(*_arguments: object) -> None:
            raise error

        monkeypatch.setattr("latchgate.storage.generation.mmap.mmap", fail)

        with pytest.raises(StorageError, match="cannot be mapped"):
            map_generation(path)

    def test_cannot_be_made(self, tmp_path: Path) -> None:
        """Without a folder there is no file, and no reason to go on."""
        with pytest.raises(StorageError, match="cannot be made"):
            make_generation(tmp_path / "nowhere" / "file", 0.0)

    def test_replaced_while_it_is_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What cannot be mapped after it was made was somebody else's."""
        monkeypatch.setattr("latchgate.storage.generation.map_generation", lambda _path: None)

        with pytest.raises(StorageError, match="was replaced"):
            make_generation(tmp_path / "file", 0.0)

    def test_left_over(self, tmp_path: Path) -> None:
        """What an interrupted making left is in nobody's way."""
        (tmp_path / "file.new").write_bytes(b"half")

        made = make_generation(tmp_path / "file", 12.5)

        assert made.born == 12.5
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_made_by_root(self, tmp_path: Path) -> None:
        """What root makes in the folder of the service's user is that user's."""
        os.chown(tmp_path, 12_345, 12_346)

        make_generation(tmp_path / "file", 0.0)

        status = (tmp_path / "file").stat()
        assert (status.st_uid, status.st_gid) == (12_345, 12_346)

    @pytest.mark.parametrize("word", [2, 4, 5])
    def test_overwritten(self, path: Path, word: int) -> None:
        """A file that says something else of itself than it did is not the same one."""
        generation = mapped(path)
        assert generation.is_intact()

        generation._words[word] ^= 1

        assert not generation.is_intact()

    def test_settled(self, tmp_path: Path) -> None:
        """A file is new until nobody can trust the one before; one of before the machine's start is not new."""
        now = boottime()

        assert make_generation(tmp_path / "old", now - SETTLED_SECONDS - 1).is_settled()
        assert make_generation(tmp_path / "earlier", now + 3_600).is_settled()
        assert make_generation(tmp_path / "first", 0.0).is_settled()
        assert SETTLED_SECONDS > TRUST_SECONDS


class TestAgreement:
    def test_named_by_the_database(self, database: Database, path: Path) -> None:
        """The database names the file by device, inode and identity."""
        generation = mapped(path)

        assert named(database) == generation.name
        assert generation.name.startswith("{}:{}:".format(*file_identity(path) or ()))

    def test_new_database_waits_for_nobody(self, database: Database, slept: list[float]) -> None:
        """Nobody can have cached a verdict of a database that nobody has written to."""
        write(database)

        assert slept == []

    def test_copied_folder(self, database: Database, path: Path, tmp_path: Path, slept: list[float]) -> None:
        """A copy of database and file takes up a file of its own, and leaves the first one its own."""
        database.close()
        copy = tmp_path / "copy"
        copy.mkdir()
        for file in (path.with_name("latchgate.db"), path):
            (copy / file.name).write_bytes(file.read_bytes())
        first, word = mapped(path), mapped(path).nonce

        second = open_database(f"sqlite:///{copy / 'latchgate.db'}")
        write(second)

        assert named(second) == mapped(copy / path.name).name != first.name
        assert first.nonce == word
        assert slept == [SETTLED_SECONDS]
        second.close()

    @pytest.mark.parametrize("how", ["deleted", "replaced", "truncated", "overwritten"])
    def test_file_that_is_gone(self, database: Database, path: Path, how: str, slept: list[float]) -> None:
        """A writer makes a new file, raises there, and waits until nobody trusts the one before."""
        before = named(database)
        match how:
            case "deleted":
                path.unlink()
            case "replaced":
                make_generation(path, 0.0)
            case "truncated":
                # A new file: whoever has mapped this one would die.
                path.unlink()
                path.touch(0o600)
            case _:
                mapped(path)._words[4] ^= 1

        write(database)

        assert named(database) == mapped(path).name != before
        assert slept == [SETTLED_SECONDS]
        write(database, "bob@example.com")
        assert slept == [SETTLED_SECONDS] * 2, "the file is new to whoever writes next, too"

    def test_database_that_names_another_file(self, database: Database, path: Path, slept: list[float]) -> None:
        """Where the two do not agree, whoever is right, a new file is made."""
        write(database)
        before = mapped(path).name
        with database.writing.connect() as connection:
            connection.exec_driver_sql("UPDATE change_head SET generation = 'another'")

        write(database, "bob@example.com")

        assert named(database) == mapped(path).name != before
        assert slept == [SETTLED_SECONDS]

    def test_database_that_cannot_be_asked(self, database: Database) -> None:
        """A busy or damaged database is not taken for one of an earlier revision."""
        assert database.sqlite_path is not None
        with closing(sqlite3.connect(database.sqlite_path)) as connection:
            # Interrupted at its first step.
            connection.set_progress_handler(lambda: 1, 1)
            with pytest.raises(sqlite3.OperationalError):
                find_generation_name(connection)

    def test_file_that_is_lost_meanwhile(self, database: Database, path: Path, slept: list[float]) -> None:
        """If it was replaced between the beginning and the commit, the writer raises in the new one too, and waits."""
        other = open_database(f"sqlite:///{database.sqlite_path}")
        write(database)
        with SqlStore(database).write() as tx:
            tx.users.add(new_user("bob@example.com"), 1)
            path.unlink()
        assert slept == [SETTLED_SECONDS]

        assert named(other) == mapped(path).name
        other.close()

    def test_file_that_was_new_a_moment_ago(
        self, database: Database, path: Path, slept: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever writes while others may still trust the file before waits as long; later nobody does."""
        now = boottime()
        monkeypatch.setattr("latchgate.storage.acknowledgements.boottime", lambda: now)
        monkeypatch.setattr("latchgate.storage.generation.boottime", lambda: now + SETTLED_SECONDS - 0.01)
        other = open_database(f"sqlite:///{database.sqlite_path}")
        path.unlink()
        assert other.attach() is not None
        write(database)
        assert slept == [SETTLED_SECONDS]

        monkeypatch.setattr("latchgate.storage.generation.boottime", lambda: now + SETTLED_SECONDS)
        write(database, "bob@example.com")
        assert slept == [SETTLED_SECONDS]
        other.close()

    def test_cannot_be_made(self, database: Database, path: Path) -> None:
        """A writer that cannot tell others does not write."""
        write(database)
        path.unlink()
        path.mkdir()

        with pytest.raises(StorageError, match="db-generation"):
            write(database, "bob@example.com")

        path.rmdir()
        with SqlStore(database).read() as tx:
            assert tx.users.find("bob@example.com") is None

    def test_new_file_stays_agreed_on_though_the_work_fails(self, database: Database, path: Path) -> None:
        """Else each failure would make another one, and end every verdict."""
        write(database)
        path.unlink()

        with pytest.raises(Conflict):
            write(database)

        assert named(database) == mapped(path).name


class TestRaise:
    def test_each_commit(self, database: Database, path: Path) -> None:
        """Once a writer has returned, the word is another one; while it writes, it is not yet."""
        generation = mapped(path)
        before = generation.nonce
        with SqlStore(database).write() as tx:
            tx.users.add(new_user(), 1)
            assert generation.nonce == before

        assert generation.nonce != before

    def test_after_the_commit(self, database: Database, path: Path) -> None:
        """When the word changes, whoever reads sees the change already."""
        generation = mapped(path)
        seen: list[int] = []
        raise_nonce = Generation.raise_nonce

        def look(self: Generation) -> None:
            with database.read() as connection:
                seen.append(connection.exec_driver_sql("SELECT count(*) FROM change WHERE kind = 'user'").scalar_one())
            raise_nonce(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Generation, "raise_nonce", look)
            write(database)

        assert seen[-1] == 1
        assert generation.nonce

    def test_failure(self, database: Database, path: Path) -> None:
        """What failed may have been committed all the same: the word is another one in any case."""
        write(database)
        generation = mapped(path)
        before = generation.nonce

        with pytest.raises(Conflict):
            write(database)

        assert generation.nonce != before

    def test_migrations_and_restores(self, database: Database, path: Path, tmp_path: Path) -> None:
        """They are told of as any other change, in the file that everybody has mapped, and that stays named."""
        generation = mapped(path)
        words = [generation.nonce]
        with database.change_tables() as connection:
            connection.exec_driver_sql("SELECT 1")
        words.append(generation.nonce)
        backup_sqlite(database, tmp_path / "backup.db")
        restore_sqlite(database, tmp_path / "backup.db")
        words.append(generation.nonce)

        assert len(set(words)) == 3
        assert named(database) == generation.name
        assert generation.is_intact()

    def test_restored_copy_of_another_instance(self, database: Database, path: Path, tmp_path: Path) -> None:
        """A backup that names another instance's file does not bring that name along."""
        folder = tmp_path / "other"
        other = open_database(f"sqlite:///{folder / 'latchgate.db'}", create=True)
        upgrade(other)
        backup_sqlite(other, tmp_path / "backup.db")
        other.close()

        restore_sqlite(database, tmp_path / "backup.db")

        assert named(database) == mapped(path).name

    def test_by_other_programs(self, database: Database, path: Path) -> None:
        """They raise nothing: who follows the changes finds theirs by SQLite's own count."""
        generation = mapped(path)
        before = generation.nonce
        assert database.sqlite_path is not None
        with closing(sqlite3.connect(database.sqlite_path)) as other, other:
            other.execute("UPDATE user SET enabled = 0")

        assert generation.nonce == before


class TestReplacedDatabase:
    def test_connections_to_the_former_file(self, database: Database, tmp_path: Path) -> None:
        """Once another file lies at the path, whoever reads or writes uses that one."""
        write(database)
        backup_sqlite(database, tmp_path / "backup.db")
        write(database, "bob@example.com")
        assert database.sqlite_path is not None
        for companion in ("-wal", "-shm"):
            Path(f"{database.sqlite_path}{companion}").unlink(missing_ok=True)
        (tmp_path / "backup.db").replace(database.sqlite_path)

        with SqlStore(database).read() as tx:
            assert tx.users.find("bob@example.com") is None
        write(database, "cem@example.com")
        with closing(sqlite3.connect(database.sqlite_path)) as other:
            names = {name for (name,) in other.execute("SELECT name FROM user")}
        assert {"ann@example.com", "cem@example.com"} <= names


class TestFileSystems:
    def test_this_one(self, tmp_path: Path) -> None:
        """Tests run where files can be shared."""
        assert shares_mapped_files(tmp_path)

    @pytest.mark.parametrize("folder", ["/proc", "/nowhere"])
    def test_others(self, folder: str) -> None:
        """What is unknown, or not there, is not relied on."""
        assert not shares_mapped_files(Path(folder))

    def test_other_systems(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor is any on a system where nobody has tried."""
        monkeypatch.setattr(sys, "platform", "darwin")

        assert not shares_mapped_files(tmp_path)

    def test_without_a_generation(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """There a database works without the file, and nobody waits."""
        monkeypatch.setattr("latchgate.storage.database.shares_mapped_files", lambda _folder: False)
        database = open_database(f"sqlite:///{tmp_path / 'latchgate.db'}", create=True)
        upgrade(database)
        write(database)

        assert database.attach() is None
        assert not (tmp_path / "latchgate.db-generation").exists()
        database.close()
