"""How a command reaches the instance: opened when it is needed, closed when the command ends."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from latchgate.errors import LatchgateError

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate

__all__ = ["next_step", "open_instance"]


@contextmanager
def open_instance(hint: str = "") -> Iterator["Latchgate"]:
    """Open the instance that the settings name, which a server may be serving at the same time.

    Args:
        hint: What to try next where the command is refused.

    Raises:
        SettingsError: There is none, or it cannot be opened.
    """
    from latchgate.bootstrap import open_latchgate
    from latchgate.settings import load_settings

    settings = load_settings()
    with closing(open_latchgate(settings, create=settings.home_is_named)) as latchgate, next_step(hint):
        yield latchgate


@contextmanager
def next_step(hint: str) -> Iterator[None]:
    """Attach what to try next to an error that passes by, unless it has a hint already."""
    try:
        yield
    except LatchgateError as error:
        if hint and not getattr(error, "__notes__", None):
            error.add_note(hint)
        raise
