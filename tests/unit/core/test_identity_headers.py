"""The identity headers: no name in them, whatever it is, ends a header or becomes another name."""

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latchgate.core.credentials import Scheme
from latchgate.core.identity_headers import IDENTITY_HEADERS, identity_values, write_value
from latchgate.core.principals import Principal
from latchgate.core.users import UserType

_names = st.text(min_size=1)


def _principal(user: str, roles: frozenset[str] = frozenset(), scopes: frozenset[str] = frozenset()) -> Principal:
    return Principal(user, 1, UserType.SYSTEM, "", roles, Scheme.TOKEN, "User", "lgk_1", scopes)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ann@example.com", "ann@example.com"),
        ("System Manager", "System Manager"),
        ("API Key:read", "API Key:read"),
        ("Sales, Admin", "Sales%2C Admin"),
        ("Sales\r\nX-Auth-Request-User: root", "Sales%0D%0AX-Auth-Request-User: root"),
        ("Käufer", "K%C3%A4ufer"),
        ("100%2C", "100%252C"),
        (" edge ", "%20edge%20"),
        ("  ", "%20%20"),
        ("{env.SECRET}", "%7Benv.SECRET%7D"),
        ("\x00\x7f", "%00%7F"),
        ("\u202eadmin", "%E2%80%AEadmin"),
    ],
)
def test_what_is_not_plain_is_written_in_digits(name: str, written: str) -> None:
    """Names that people use stay as they are."""
    assert write_value(name) == written


@given(st.frozensets(_names, min_size=1), _names)
@example(frozenset({"a,b", "a", "b"}), "a")
def test_lists_are_read_as_they_were(names: frozenset[str], user: str) -> None:
    """Split at the commas, then decoded: the very names, of no other count; all of it printable ASCII."""
    values = identity_values(_principal(user, names, names), "t.o.k")

    for value in values:
        assert value.isascii()
        assert value.isprintable() or not value
        assert value == value.strip()
    for joined in values[2:4]:
        parts = [unquote(part, errors="surrogatepass") for part in joined.split(",")]
        assert frozenset(parts) == names
        assert len(parts) == len(names)
    assert unquote(values[0], errors="surrogatepass") == user


def test_nobody_has_every_header_empty() -> None:
    """So that each of a caller's own is overwritten."""
    assert identity_values(None, "") == ("",) * len(IDENTITY_HEADERS)


def test_only_an_address_is_an_email() -> None:
    """Administrator has none."""
    assert identity_values(_principal("Administrator"), "")[:2] == ("Administrator", "")
    assert identity_values(_principal("ann@example.com"), "")[:2] == ("ann@example.com", "ann@example.com")
