"""The data folder: its owner's alone, and never replaced while somebody uses it."""

import os
import stat
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from latchgate.errors import SettingsError
from latchgate.storage.data_folder import DataFolder, give_to_owner, prepare_folder


def test_a_new_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """Its mode is 0700, and one that is there already stays as it is."""
    path = tmp_path / "a" / "b"

    prepare_folder(path)
    first = stat.S_IMODE(path.stat().st_mode)
    path.chmod(0o750)
    prepare_folder(path)

    assert first == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    """Whether it bears the folder's name or a parent's."""
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="is not a folder"):
        prepare_folder(tmp_path / "file")
    with pytest.raises(SettingsError, match="cannot be made: Not a directory"):
        prepare_folder(tmp_path / "file" / "below")
    with pytest.raises(SettingsError, match="cannot be opened: Not a directory"):
        DataFolder(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """Before anything is tried in it."""
    tmp_path.chmod(0o500)

    with pytest.raises(SettingsError, match="is not writable"):
        prepare_folder(tmp_path)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o777])
def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever can write to it could put a database of their own in its place."""
    tmp_path.chmod(mode)

    with pytest.raises(SettingsError, match="Others may write to the data folder"):
        DataFolder(tmp_path)


def test_a_link_in_the_folder_is_refused(tmp_path: Path) -> None:
    """A file behind a link could be anybody's, with anybody's mode."""
    (tmp_path / "log.db").symlink_to(tmp_path.parent / "elsewhere.db")

    with pytest.raises(SettingsError, match="is a link"):
        DataFolder(tmp_path)
    assert not (tmp_path.parent / "elsewhere.db").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another")
def test_a_folder_of_another_user_is_refused() -> None:
    """Whoever owns it may change everything in it; root alone looks after others' folders."""
    # Not below pytest's own folder, which nobody but root may enter.
    with TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        os.chown(path, 12_345, 12_345)
        with closing(DataFolder(path)):
            pass

        os.seteuid(54_321)
        try:
            with pytest.raises(SettingsError, match="belongs to another user"):
                DataFolder(path)
        finally:
            os.seteuid(0)


def test_a_link_to_something_else_is_nobodys_business(tmp_path: Path) -> None:
    """Only what Latchgate opens must lie there itself."""
    (tmp_path / "backups").symlink_to(tmp_path.parent)

    with closing(DataFolder(tmp_path)) as folder:
        assert folder.path == tmp_path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another")
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    """Or the service, which owns the folder, could not open it afterwards."""
    for name in ("latchgate.db", "latchgate.key", "notes.txt"):
        (tmp_path / name).write_text("")
    os.chown(tmp_path, 12_345, 12_345)

    give_to_owner(tmp_path)

    owners = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
    assert owners == {"latchgate.db": 12_345, "latchgate.key": 12_345, "notes.txt": 0}


def test_many_share_it(tmp_path: Path) -> None:
    """Two holds at once are no conflict."""
    with closing(DataFolder(tmp_path)), closing(DataFolder(tmp_path)) as second:
        assert second.path == tmp_path


def test_nobody_has_it_alone_while_another_uses_it(tmp_path: Path) -> None:
    """It is refused in one clear line, and given once the other has let go."""
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)

    with closing(second):
        with pytest.raises(SettingsError, match="in use by another process"), second.alone(patience_seconds=0):
            pass
        first.close()
        with second.alone(patience_seconds=0):
            pass


def test_nobody_comes_in_while_another_has_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer waits, and gives up in the end."""
    monkeypatch.setattr("latchgate.storage.data_folder._PATIENCE_SECONDS", 0.1)

    with closing(DataFolder(tmp_path)) as first, first.alone():  # noqa: SIM117  # the second fails within the first
        with pytest.raises(SettingsError, match="in use by another process"):
            DataFolder(tmp_path)
