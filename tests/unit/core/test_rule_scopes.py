"""What an access rule asks of the scopes of a credential: what is limited opens only what names its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.access_rules import ANY_SCOPES, AccessRule
from latchgate.core.credentials import USER_SOURCE, Scheme
from latchgate.core.policy import Decision, Judgement, decide
from latchgate.core.principals import Anonymous, Principal, Reason
from latchgate.core.rule_explanations import credentials_of, who_of
from latchgate.core.rule_fields import settle_rule
from latchgate.core.users import UserType
from support.rule_books import rule_of

_SCOPES = ["all", "read", "openid", "orders.read", "orders.write", "User:read", "*"]
_some = st.frozensets(st.sampled_from(_SCOPES), max_size=3)


def _who(scopes: frozenset[str], scheme: Scheme = Scheme.BEARER) -> Principal:
    return Principal("ann@example.com", 1, UserType.SYSTEM, "Ann", frozenset({"All"}), scheme, USER_SOURCE, "c", scopes)


def _lets_in(rule: AccessRule, scopes: frozenset[str], scheme: Scheme = Scheme.BEARER) -> bool:
    judgement = decide(_who(scopes, scheme), rule.requirement)
    if judgement.decision is Decision.ALLOWED:
        return True
    assert judgement == Judgement(Decision.FORBIDDEN, Reason.SCOPE_MISSING)
    return False


@pytest.mark.parametrize("scheme", [Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER, Scheme.SESSION])
@pytest.mark.parametrize(
    ("asked", "let_in", "refused"),
    [
        ("", ["all", "all openid"], ["openid", "read", "orders.read", "User:read", "*", "openid profile email"]),
        ("orders.read", ["all", "orders.read", "orders.read openid"], ["openid", "read", "orders.write", "*"]),
        ("orders.read orders.write", ["all", "orders.read orders.write"], ["orders.read", "orders.write", "openid"]),
        ("User:read", ["all", "read", "User:read"], ["User:write", "openid"]),
        ("*", ["all", "openid", "read", "orders.read", "*"], []),
    ],
)
def test_a_rule_takes_credentials_by_their_scopes(
    scheme: Scheme, asked: str, let_in: list[str], refused: list[str]
) -> None:
    """None that is limited where the rule names no scope, whichever scheme carries it."""
    rule = rule_of(scopes=asked)

    assert [text for text in let_in if not _lets_in(rule, frozenset(text.split()), scheme)] == []
    assert [text for text in refused if _lets_in(rule, frozenset(text.split()), scheme)] == []


def test_an_open_rule_asks_for_no_scope() -> None:
    """Guests have none, and who sends a limited credential is not worse off than they are."""
    rule = rule_of(guest=True)

    assert _lets_in(rule, frozenset({"openid"}))
    assert decide(Anonymous(), rule.requirement).decision is Decision.ALLOWED
    assert decide(Anonymous(), rule_of(scopes="*").requirement).decision is Decision.FORBIDDEN


@given(_some, _some)
def test_a_limited_credential_never_opens_a_rule_that_names_none_of_its_limits(
    asked: frozenset[str], held: frozenset[str]
) -> None:
    """Unless the rule says that the application judges by itself."""
    rule = rule_of(scopes=" ".join(asked))
    named = asked != ANY_SCOPES and not (asked and any(one in held for one in (*asked, "read")))

    if "all" not in held and named:
        assert not _lets_in(rule, held)


@given(_some, _some, _some)
def test_another_scope_never_takes_a_rule_away(
    asked: frozenset[str], held: frozenset[str], more: frozenset[str]
) -> None:
    """Whoever is let in with some scopes is let in with more of them."""
    rule = rule_of(scopes=" ".join(asked))

    assert not _lets_in(rule, held) or _lets_in(rule, held | more)


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        ({"*", "orders.read"}, "stands alone"),
        ({""}, "a scope has a name"),
        ({"", "orders.read"}, "a scope has a name"),
        ({"a b"}, "no credential can have it"),
    ],
)
def test_what_scopes_cannot_be(scopes: set[str], told: str) -> None:
    """The sign for any stands alone, and an empty name is none."""
    settled = settle_rule(AccessRule(0, "", 0, scopes=frozenset(scopes)))

    assert isinstance(settled, dict)
    assert told in settled["scopes"]


@pytest.mark.parametrize(
    ("rule", "who", "credentials"),
    [
        (rule_of(guest=True), "everybody, also without a credential", ""),
        (
            rule_of(),
            "any user",
            "it names no scope: it takes credentials that are not limited (scope all) and sessions",
        ),
        (
            rule_of("/*", "Reader", scopes="*"),
            "anyone with role Reader, by credentials of any scopes",
            "it takes credentials of any scopes, which the application is to judge",
        ),
        (
            rule_of(scopes="a b"),
            "anyone with scopes a and b",
            "it takes credentials whose scopes cover a and b, and sessions",
        ),
    ],
)
def test_a_rule_says_which_credentials_it_takes(rule: AccessRule, who: str, credentials: str) -> None:
    """In words for whoever wrote it."""
    assert (who_of(rule), credentials_of(rule)) == (who, credentials)
