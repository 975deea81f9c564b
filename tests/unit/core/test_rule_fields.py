"""What the fields of a rule may hold, whoever made it."""

from latchgate.core.access_rules import AccessRule
from latchgate.core.rule_fields import PATH_LENGTH_MAX, rule_from, settle_rule


def test_a_path_is_so_long_at_most() -> None:
    """Also in a rule that was read from no record, where fields have a length of their own."""
    longest = "/" + "x" * (PATH_LENGTH_MAX - 1)

    assert isinstance(settle_rule(rule_from({"path": longest})), AccessRule)
    assert settle_rule(rule_from({"path": longest + "x"})) == {
        "path": f"must be a text of at most {PATH_LENGTH_MAX} characters"
    }
