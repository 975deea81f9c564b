import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.scopes import ACTIONS, parse_scopes, scope_covers, scopes_within

_SCOPES = st.sampled_from(
    ["all", "read", "write", "User:read", "User:write", "API Key:read", "API Key:delete", "orders:read", "openid", "x"]
)
_HELD = st.frozensets(_SCOPES)


@pytest.mark.parametrize(
    ("held", "needed", "covered"),
    [
        ({"all"}, "read", True),
        ({"all"}, "User:delete", True),
        ({"all"}, "openid", True),
        ({"all"}, "all", True),
        ({"read"}, "all", False),
        ({"read"}, "read", True),
        ({"read"}, "User:read", True),
        ({"read"}, "API Key:read", True),
        ({"read"}, "User:write", False),
        ({"read"}, "User:create", False),
        ({"read"}, "openid", False),
        ({"User:read"}, "User:read", True),
        ({"User:read"}, "user:read", False),
        ({"User:read"}, "Role:read", False),
        ({"User:read"}, "read", False),
        ({"User:write"}, "User:read", False),
        ({"openid"}, "openid", True),
        ({"openid"}, "openid2", False),
        ({"All"}, "read", False),
        ({"User:read", "Role:write"}, "Role:write", True),
        (set(), "read", False),
        (set(), "", False),
    ],
)
def test_scope_covers(held: set[str], needed: str, covered: bool) -> None:
    """A scope allows what it names; `all` everything, `read` every read."""
    assert scope_covers(frozenset(held), needed) == covered


@pytest.mark.parametrize(
    ("wanted", "held", "is_within"),
    [
        ({"all"}, {"all"}, True),
        ({"read"}, {"all"}, True),
        ({"all"}, {"read"}, False),
        ({"all", "read"}, {"read"}, False),
        ({"User:read", "API Key:read"}, {"read"}, True),
        ({"User:read", "User:write"}, {"read"}, False),
        ({"read"}, {"User:read"}, False),
        ({"openid"}, {"openid", "profile"}, True),
        ({"openid", "profile"}, {"openid"}, False),
        (set(), {"openid"}, True),
        ({"openid"}, set(), False),
    ],
)
def test_scopes_within(wanted: set[str], held: set[str], is_within: bool) -> None:
    """Scopes lie within others if each of them does."""
    assert scopes_within(frozenset(wanted), frozenset(held)) == is_within


@given(_HELD, _HELD, _SCOPES)
def test_narrowing_never_widens(wanted: frozenset[str], held: frozenset[str], needed: str) -> None:
    """Whatever scopes within others allow, those others allow too."""
    if scopes_within(wanted, held) and scope_covers(wanted, needed):
        assert scope_covers(held, needed)


@given(_HELD, _HELD, _HELD)
def test_narrowing_goes_on(first: frozenset[str], second: frozenset[str], third: frozenset[str]) -> None:
    """What was narrowed from what was narrowed lies within the first, and everything within itself."""
    assert scopes_within(first, first)
    if scopes_within(third, second) and scopes_within(second, first):
        assert scopes_within(third, first)


@given(_HELD, _SCOPES, _SCOPES)
def test_a_scope_more_never_takes_away(held: frozenset[str], more: str, needed: str) -> None:
    """A credential with one more scope may do all that it could before."""
    if scope_covers(held, needed):
        assert scope_covers(held | {more}, needed)


@pytest.mark.parametrize(
    ("values", "scopes"),
    [
        ([], {"all"}),
        (["", " "], {"all"}),
        (["all"], {"all"}),
        ([" read ", "read"], {"read"}),
        (["API Key:read", "My-Type X_1:delete"], {"API Key:read", "My-Type X_1:delete"}),
        (["openid", "profile"], {"openid", "profile"}),
        (["https://example.com/orders.read"], {"https://example.com/orders.read"}),
        (["orders:submit"], {"orders:submit"}),
        (["D" * 140 + ":create"], {"D" * 140 + ":create"}),
    ],
)
def test_parse_scopes(values: list[str], scopes: set[str]) -> None:
    """Scopes are read one value each; none at all means `all`."""
    assert parse_scopes(values) == frozenset(scopes)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_makes_a_scope(action: str) -> None:
    """Each of the four actions can stand after a DocType."""
    assert parse_scopes([f"User:{action}"]) == frozenset({f"User:{action}"})


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("User:Read", "no action"),
        ("User:submit", "no action"),
        ("api key:reads", "no action"),
        ("read write", "not a scope"),
        ("read,write", "not a scope"),
        ("User: read", "not a scope"),
        ("API Key :read", "not a scope"),
        ("API  Key:read", "not a scope"),
        ("API Key:read\n2", "not a scope"),
        ('"', "not a scope"),
        ("\\", "not a scope"),
        ("größe", "not a scope"),
        ("a\x00", "not a scope"),
        ("x" * 148, "longer than 147"),
        ("D" * 141 + ":create", "longer than 147"),
    ],
)
def test_what_is_no_scope(value: str, told: str) -> None:
    """A mistyped scope is named, not kept as one that allows nothing."""
    problem = parse_scopes(["openid", value])

    assert isinstance(problem, str)
    assert told in problem
    assert value[:60] in problem


@given(st.lists(st.text(st.characters())))
def test_parsed_scopes_are_stable(values: list[str]) -> None:
    """Any texts can be read; what was read is read again as itself, also from a list joined by commas."""
    scopes = parse_scopes(values)

    if isinstance(scopes, frozenset):
        assert parse_scopes(scopes) == scopes
        assert parse_scopes(",".join(scopes).split(",")) == scopes


@pytest.mark.parametrize("values", [["*"], [" * "], ["all", "*"]])
def test_the_sign_for_any_scopes_is_no_scope(values: list[str]) -> None:
    """An access rule that says `*` asks for nothing: no credential may be limited to what looks the same."""
    assert "use all" in str(parse_scopes(values))
