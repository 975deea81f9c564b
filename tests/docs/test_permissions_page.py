"""docs/permissions.md shows the matrix that a new instance has."""

import re

from latchgate.core.permissions import DEFAULT_GRANTS, Action
from support.documents import ROOT

_ROW = re.compile(r"^\| ([A-Z][A-Za-z ]+) \| (All|System Manager) \| (.+) \|$", re.MULTILINE)


def test_the_page_shows_the_default_matrix() -> None:
    """Row for row, action for action."""
    page = (ROOT / "docs" / "permissions.md").read_text()
    shown = {(doctype, role): tuple(cells.split(" | ")) for doctype, role, cells in _ROW.findall(page)}
    expected = {
        (grant.doctype, grant.role): tuple(
            ("own" if grant.if_owner else "all") if action in grant.actions else "-" for action in Action
        )
        for grant in DEFAULT_GRANTS
    }

    assert shown == expected
