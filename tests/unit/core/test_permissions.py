import pytest

from latchgate.core.permissions import DEFAULT_GRANTS, Action, Grant, Reach, reach_of

_ALL = Grant("Clerk", "User", if_owner=False, actions=frozenset({Action.READ}))
_OWN = Grant("All", "User", if_owner=True, actions=frozenset({Action.READ, Action.WRITE}))


@pytest.mark.parametrize(
    ("roles", "doctype", "action", "reach"),
    [
        ({"All"}, "User", Action.READ, Reach.OWN),
        ({"All", "Clerk"}, "User", Action.READ, Reach.ALL),
        ({"Clerk"}, "User", Action.WRITE, Reach.NONE),
        ({"All", "Clerk"}, "User", Action.WRITE, Reach.OWN),
        ({"All", "Clerk"}, "Role", Action.READ, Reach.NONE),
        (set(), "User", Action.READ, Reach.NONE),
        ({"clerk"}, "User", Action.READ, Reach.NONE),
    ],
)
def test_reach(roles: set[str], doctype: str, action: Action, reach: Reach) -> None:
    """The furthest of what the roles grant on just that type and action."""
    assert reach_of(frozenset(roles), [_ALL, _OWN], doctype, action) is reach


def test_the_default_matrix_gives_guests_nothing() -> None:
    """Whoever carries no credential reaches no record, and no permission stands there twice."""
    assert "Guest" not in {grant.role for grant in DEFAULT_GRANTS}
    assert len({(grant.role, grant.doctype, grant.if_owner) for grant in DEFAULT_GRANTS}) == len(DEFAULT_GRANTS)
