"""A backup of a whole instance: database, request log and key file, each a file of its own in one folder."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from latchgate.errors import SettingsError
from latchgate.storage.backups import backup_sqlite, restore_sqlite
from latchgate.storage.data_folder import give_to_owner, prepare_folder, sync_folder
from latchgate.storage.database import Database, open_database
from latchgate.storage.key_file import copy_key_file, load_key_file

__all__ = ["InstanceFiles", "discard_staged", "put_in_place", "stage_backup", "staging_folder", "write_backup"]

# What SQLite and the generation keep beside a database.
_COMPANIONS = ("", "-wal", "-shm", "-journal", "-generation")


@dataclass(frozen=True, slots=True)
class InstanceFiles:
    """Where the three files of an instance, or of its backup, are."""

    database: Path
    log_database: Path
    key_file: Path

    @classmethod
    def within(cls, folder: Path) -> "InstanceFiles":
        """Name them as they are called in a backup, and by default in the data folder."""
        return cls(folder / "latchgate.db", folder / "log.db", folder / "latchgate.key")

    def __iter__(self) -> Iterator[Path]:
        """Give the key file last."""
        return iter((self.database, self.log_database, self.key_file))

    def present(self) -> list[Path]:
        """List those that are there, with what SQLite keeps beside them."""
        files = [Path(f"{path}{suffix}") for path in self for suffix in _COMPANIONS]
        return [path for path in files if path.exists()]


def write_backup(source: InstanceFiles, folder: Path, on_step: Callable[[Path], None]) -> InstanceFiles:
    """Copy an instance that may be in use into a folder, mode 0600 each; all of it is on the disk when this returns.

    Args:
        source: What to copy.
        folder: Made if it is not there; holds no backup yet.
        on_step: Told each file before it is copied.

    Raises:
        SettingsError: The folder holds a backup, or cannot be written.
        StorageError: A copy failed or is damaged.
    """
    prepare_folder(folder)
    target = InstanceFiles.within(folder)
    if target.present():
        raise SettingsError(f"{folder} holds a backup already; name another folder")
    for original, copy in ((source.database, target.database), (source.log_database, target.log_database)):
        on_step(copy)
        with closing(_open(original)) as database:
            backup_sqlite(database, copy)
    # The key file last: it only ever gains peppers, so that it knows all that the copied database was hashed under.
    on_step(target.key_file)
    copy_key_file(source.key_file, target.key_file)
    return target


def stage_backup(folder: Path, staging: Path) -> InstanceFiles:
    """Copy a backup into a new folder, as databases that are ready to be opened there.

    Raises:
        SettingsError: The folder holds no whole backup, or the staging folder cannot be made.
        StorageError: A file of the backup is damaged.
    """
    backup = InstanceFiles.within(folder)
    for needed in (backup.database, backup.key_file):
        if not needed.is_file():
            raise SettingsError(f"{folder} holds no backup: {needed.name} is missing")
    load_key_file(backup.key_file)
    discard_staged(staging)
    prepare_folder(staging)
    staged = InstanceFiles.within(staging)
    with closing(open_database(f"sqlite:///{staged.database}", create=True)) as database:
        restore_sqlite(database, backup.database)
    if backup.log_database.is_file():
        with closing(_open(backup.log_database)) as database:
            backup_sqlite(database, staged.log_database)
    copy_key_file(backup.key_file, staged.key_file)
    return staged


def staging_folder(home: Path) -> Path:
    """Name the folder where a restore prepares what it puts in place; it is there only while one is under way."""
    return home / ".restoring"


def discard_staged(staging: Path) -> None:
    """Remove a staging folder, if there is one."""
    with suppress(FileNotFoundError):
        shutil.rmtree(staging)


def put_in_place(staged: InstanceFiles, target: InstanceFiles, aside: Path) -> None:
    """Move staged files to where they belong; what stood there is kept in a folder aside. Nobody may use either.

    Interrupted, this leaves a database without a key file, or the staging folder: no start takes either for new.
    """
    replaced = target.present()
    if replaced:
        prepare_folder(aside)
    for path in reversed(replaced):
        shutil.move(path, aside / path.name)
    for source, destination in zip(staged, target, strict=True):
        destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in _COMPANIONS:
            if Path(f"{source}{suffix}").exists():
                shutil.move(f"{source}{suffix}", f"{destination}{suffix}")
        give_to_owner(destination.parent)
        sync_folder(destination.parent)


def _open(path: Path) -> Database:
    return open_database(f"sqlite:///{path.absolute()}")
