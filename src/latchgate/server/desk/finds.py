"""What a search shows of a record that it found: what it is called, where it is, and in which state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.core.credentials import USER_SOURCE
from latchgate.server.desk.account import ACCOUNT
from latchgate.server.desk.client_pages import address_of as client_address
from latchgate.server.desk.key_owners import key_address
from latchgate.server.desk.user_form import address_of as user_address

__all__ = ["Find", "client_find", "key_find", "user_find"]


@dataclass(frozen=True, slots=True)
class Find:
    """A record that was found."""

    label: str
    address: str
    """Where it is shown; empty if the caller may see it on no page."""
    about: str
    """What it is told from others by."""
    state: tuple[str, str]
    """Its word, and the kind of its sign."""
    exact: bool
    """Whether its name is the very text that was searched."""
    id: str = ""
    """What programs know it by, where that is not how it is called."""


def user_find(row: Mapping[str, Any], *, exact: bool, sees_all: bool) -> Find:
    """Show a user; oneself, to who sees nobody else, on one's own page."""
    address = user_address(row["name"]) if sees_all else ACCOUNT
    state = ("Enabled", "good") if row["enabled"] else ("Disabled", "bad")
    return Find(row["full_name"] or row["name"], address, row["name"], state, exact)


def client_find(row: Mapping[str, Any], *, exact: bool) -> Find:
    """Show an OAuth client."""
    state = ("Revoked", "bad") if row["revoked"] else ("Active", "good")
    return Find(row["app_name"], client_address(row["name"]), "", state, exact, row["name"])


def key_find(row: Mapping[str, Any], *, exact: bool) -> Find:
    """Show a key, on its own page: whoever finds it may see that."""
    state = (str(row["status"]).capitalize(), "good" if row["status"] == "active" else "bad")
    owner = row["record"] if row["source"] == USER_SOURCE else f"{row['source']} {row['record']}"
    address = key_address(row["source"], row["name"])
    return Find(row["label"] or "Without a label", address, owner, state, exact, row["name"])
