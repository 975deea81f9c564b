"""Pages with tabs: which is open, and how their forms come again, refused or with a dialog above them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from latchgate.server.desk.forms import Told
from latchgate.server.requests import Call

__all__ = ["ShownAgain", "Tabs", "chosen_tab", "values_of"]

Tabs = Sequence[tuple[str, str]]
"""By the address's word, each with its label; the first is open where none is chosen."""


class ShownAgain(TypedDict, total=False):
    """How a page is shown that is not simply asked for; what is left out is as if it were."""

    typed: Mapping[str, Any] | None
    """What was sent and refused, shown instead of what is stored."""
    told: Told | None
    """Why it was refused."""
    status: int
    """The answer's."""
    dialog: Mapping[str, Any] | None
    """What opens above the page: `kind` and what its template shows."""


def chosen_tab(call: Call, tabs: Tabs, tab: str = "") -> str:
    """Tell which tab is open: this one, or if it is empty that of the address, or else the first."""
    chosen = tab or call.request.query_params.get("tab", "")
    return chosen if chosen in dict(tabs) else tabs[0][0]


def values_of(tabs: Tabs, tab: str, again: ShownAgain) -> dict[str, Any]:
    """Give what every page with tabs hands to `Frame.show`, whatever it is about."""
    return {
        "tabs": tabs,
        "tab": tab,
        "status": again.get("status", 200),
        "told": again.get("told") or Told(),
        "dialog": again.get("dialog") or {"kind": ""},
    }
