"""Data folders as the first start leaves them: made once a process, and copied, since the revisions take their time."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from latchgate.bootstrap import open_latchgate
from latchgate.settings import Settings
from support.databases import forget_generation

__all__ = ["copy_fresh_home", "remove_fresh_home"]


def copy_fresh_home(home: Path) -> None:
    """Make a data folder where there is none; all have the same key file."""
    shutil.copytree(_fresh_home(), home)


def remove_fresh_home() -> None:
    """Remove what is copied, if it was made."""
    if _fresh_home.cache_info().currsize:
        shutil.rmtree(_fresh_home().parent)
        _fresh_home.cache_clear()


@cache
def _fresh_home() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="latchgate-fresh-"))
    atexit.register(remove_fresh_home)
    home = folder / "data"
    open_latchgate(Settings(home=home)).close()
    forget_generation(home / "latchgate.db")
    return home
