import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.scopes import ACTIONS, ALL, asks_within
from latchgate.oauth.scopes import parse_scope_parameter, within_openid, write_scopes

_OURS = st.builds("{}:{}".format, st.sampled_from(["User", "API Key", "My-Type X_1"]), st.sampled_from(ACTIONS))
_FREE = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"\\,%:'), min_size=1, max_size=20
)
_PARAMETERS = st.lists(st.sampled_from(["openid", "%20", "API%20Key:read", " ", "%", "20", "all", "%%2020", "\t", "x"]))


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("", set()),
        ("   ", set()),
        ("openid", {"openid"}),
        (" openid  profile openid ", {"openid", "profile"}),
        ("API%20Key:read", {"API Key:read"}),
        ("all User:write", {"all", "User:write"}),
        ("https://example.com/orders.read", {"https://example.com/orders.read"}),
    ],
)
def test_parse_scope_parameter(text: str, scopes: set[str]) -> None:
    """Scopes are joined by spaces, and one that holds a space has `%20` there; none at all are none."""
    assert parse_scope_parameter(text) == frozenset(scopes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("%20", "begins or ends with a space"),
        ("openid %20", "begins or ends with a space"),
        ("%20openid", "begins or ends with a space"),
        ("openid\tprofile", "printable ASCII"),
        ("openid\nall", "printable ASCII"),
        ("openid\u00a0all", "printable ASCII"),
        ('"all"', "printable ASCII"),
        ("\\", "printable ASCII"),
        ("\ud800", "printable ASCII"),
        ("openid,profile", "is not a scope"),
        ("a%20b", "is not a scope"),
        ("User:reads", "no action"),
        ("x" * 148, "longer than 147"),
        ("x " * 2_001, "longer than 4000"),
    ],
)
def test_what_is_no_scope_parameter(text: str, told: str) -> None:
    """What is wrong is said; nothing that is left out on the way could turn nothing into `all`."""
    problem = parse_scope_parameter(text)

    assert isinstance(problem, str)
    assert told in problem


@given(st.frozensets(_OURS | _FREE, max_size=6))
def test_scopes_come_back_as_written(scopes: frozenset[str]) -> None:
    """Whatever scopes are written are read again."""
    assert parse_scope_parameter(write_scopes(scopes)) == scopes


@given(_PARAMETERS.map(" ".join) | _PARAMETERS.map("".join) | st.text(st.characters()))
def test_what_was_read_is_read_again(text: str) -> None:
    """Any text can be read; what was read survives the wire, and `all` is given only to who writes it."""
    scopes = parse_scope_parameter(text)

    if isinstance(scopes, frozenset):
        assert parse_scope_parameter(write_scopes(scopes)) == scopes
        assert ALL not in scopes or ALL in text


def test_scopes_are_written_in_order() -> None:
    """The same scopes are always the same text."""
    assert write_scopes({"profile", "API Key:read", "email"}) == "API%20Key:read email profile"


@pytest.mark.parametrize(
    ("wanted", "allowed", "within"),
    [
        ("", "all", True),
        ("all openid", "all", True),
        ("User:read API%20Key:write read", "all", True),
        ("User:read", "read", True),
        ("User:write", "read", False),
        ("files", "all", False),
        ("files:read", "all openid", False),
        ("files:read", "read", False),
        ("files all", "all files", True),
        ("openid", "read", False),
        ("READ", "read", False),
    ],
)
def test_what_is_asked_for_is_within_what_was_allowed(wanted: str, allowed: str, within: bool) -> None:
    """`all` and `read` cover what is ours; a name of somebody else's must have been allowed itself."""
    asked, given = parse_scope_parameter(wanted), parse_scope_parameter(allowed)

    assert isinstance(asked, frozenset)
    assert isinstance(given, frozenset)
    assert asks_within(asked, given) == within


@pytest.mark.parametrize(
    ("asked", "allowed", "kept"),
    [
        ("openid profile email", "openid", "openid"),
        ("openid offline_access address phone roles read", "openid", "openid read"),
        ("openid profile email", "openid email", "openid email"),
        ("openid profile", "all", "openid profile"),
        ("profile email", "openid", "profile email"),
        ("", "openid", ""),
    ],
)
def test_what_goes_with_openid_is_left_out(asked: str, allowed: str, kept: str) -> None:
    """What a client may not ask for by name is left out beside `openid`, which tells it; the rest is judged."""
    left = within_openid(frozenset(asked.split()), frozenset(allowed.split()))

    assert left == frozenset(kept.split())
