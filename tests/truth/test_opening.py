"""Who remembers verdicts: only who serves, and as long as it is open."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.bootstrap import open_latchgate
from latchgate.services.actors import COMMAND_LINE
from latchgate.settings import Settings


def _watchers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "latchgate-watcher"]


@pytest.mark.parametrize(
    ("cached", "cache_bytes", "remembers"), [(True, 1_000, True), (True, 0, False), (False, 1_000, False)]
)
def test_who_remembers(tmp_path: Path, cached: bool, cache_bytes: int, remembers: bool) -> None:
    """Commands do not, nor does a server that is told not to; what watches the files ends with the instance."""
    settings = Settings(home=tmp_path / "data", password_profile="cheapest", cache_bytes=cache_bytes)

    with closing(open_latchgate(settings, cached=cached)) as latchgate:
        assert (latchgate.cache is not None) is (latchgate.gate.cached is not None) is remembers
        assert len(_watchers()) == remembers

    assert _watchers() == []


def test_not_where_files_are_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system a server works, and remembers nothing."""
    monkeypatch.setattr("latchgate.storage.database.shares_mapped_files", lambda _folder: False)
    settings = Settings(home=tmp_path / "data", password_profile="cheapest")

    with closing(open_latchgate(settings, cached=True)) as latchgate:
        assert latchgate.cache is None
        latchgate.roles.create(COMMAND_LINE, "Editor")

    assert not (tmp_path / "data" / "latchgate.db-generation").exists()
