"""How a command reaches the instance: opened when it is needed, closed when the command ends."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from latchgate.errors import Conflict, LatchgateError, NotFound

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate

__all__ = ["next_step", "open_instance"]


@contextmanager
def open_instance(lists: str = "", *, makes: bool = False) -> Iterator["Latchgate"]:
    """Open the instance that the settings name, which a server may be serving at the same time.

    Args:
        lists: The commands that list what there is, to be tried where something is not found or exists already.
        makes: Whether to make an instance where there is none, in a data folder that somebody named.

    Raises:
        SettingsError: There is none, or it cannot be opened.
    """
    from latchgate.bootstrap import open_latchgate
    from latchgate.settings import load_settings

    settings = load_settings()
    opened = open_latchgate(settings, create=makes and settings.home_is_named)
    with closing(opened) as latchgate, next_step(lists, NotFound, Conflict):
        yield latchgate


@contextmanager
def next_step(hint: str, *kinds: type[LatchgateError]) -> Iterator[None]:
    """Attach what to try next to an error of these kinds that passes by, unless it has a hint already."""
    try:
        yield
    except kinds as error:
        if hint and not getattr(error, "__notes__", None):
            error.add_note(hint)
        raise
