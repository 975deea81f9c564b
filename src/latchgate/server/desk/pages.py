"""All pages for people, by address."""

from collections.abc import Mapping

from latchgate.server.desk.api_docs import ApiDocs
from latchgate.server.desk.components import ComponentPages
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.home import HomePages
from latchgate.server.desk.sign_in import SignInPages
from latchgate.server.routes import Page
from latchgate.server.sign_in import Door

__all__ = ["build_pages"]


def build_pages(frame: Frame, door: Door, *, development: bool) -> Mapping[str, Page]:
    """Build the pages, and let the frame know which there are.

    Args:
        frame: Around them all.
        door: Where passwords are checked.
        development: Whether there is also the page of all components.
    """
    pages = {
        **HomePages(frame).table(),
        **SignInPages(frame, door).table(),
        **ApiDocs(frame).table(),
        **frame.static_files.table(),
        **(ComponentPages(frame).table() if development else {}),
    }
    frame.navigation.addresses.update(pages)
    return pages
