from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.clients import AuthMethod
from latchgate.core.credentials import Scheme
from latchgate.core.permissions import EVERY_ACTION, Action, Grant, Reach
from latchgate.core.policy import (
    CLIENT,
    PUBLIC,
    SIGNED_IN,
    Decision,
    Judgement,
    Requirement,
    decide,
    gives_beyond,
    judge_action,
    may_act_for,
    may_manage_keys,
)
from latchgate.core.principals import Anonymous, Client, Principal, Reason, Rejected, Who
from latchgate.core.scopes import scopes_within
from unit.core import examples
from unit.core.examples import PRINCIPAL

_ALLOWED = Judgement(Decision.ALLOWED)
_FORBIDDEN_GUEST = Judgement(Decision.FORBIDDEN)
_GUEST = Anonymous()
_CLIENT = Client(examples.CLIENT, AuthMethod.BASIC)
_READER = replace(PRINCIPAL, scopes=frozenset({"read"}))
_MANAGER = replace(PRINCIPAL, roles=PRINCIPAL.roles | {"System Manager"})
_BY_SESSION = replace(PRINCIPAL, scheme=Scheme.SESSION)

_MANAGERS_ONLY = Requirement(user=True, roles=frozenset({"System Manager", "Key Manager"}))
_WRITERS_ONLY = Requirement(user=True, scope="User:write")
_READERS_ONLY = Requirement(user=True, scope="User:read")
_SESSION_ONLY = Requirement(user=True, schemes=frozenset({Scheme.SESSION}))

_ROLES = st.frozensets(st.sampled_from(["All", "Guest", "System Manager", "Report Manager"]))
_SCOPE_NAMES = st.sampled_from(["all", "read", "User:read", "User:write", "openid", ""])
_PRINCIPALS = st.builds(
    replace,
    st.just(PRINCIPAL),
    roles=_ROLES,
    scopes=st.frozensets(_SCOPE_NAMES),
    scheme=st.sampled_from(Scheme),
)
_WHO: st.SearchStrategy[Who] = st.one_of(
    st.builds(Anonymous, st.booleans()), st.builds(Rejected, st.sampled_from(Reason)), _PRINCIPALS, st.just(_CLIENT)
)
_REQUIREMENTS = st.builds(
    Requirement,
    user=st.booleans(),
    scope=st.none() | _SCOPE_NAMES,
    roles=_ROLES,
    every_role=_ROLES,
    schemes=st.frozensets(st.sampled_from(Scheme)),
    client=st.booleans(),
)


@pytest.mark.parametrize(
    ("who", "requirement", "expected"),
    [
        (_GUEST, PUBLIC, _ALLOWED),
        (_GUEST, SIGNED_IN, _FORBIDDEN_GUEST),
        (_GUEST, _MANAGERS_ONLY, _FORBIDDEN_GUEST),
        (_GUEST, Requirement(user=False, roles=frozenset({"System Manager"})), _FORBIDDEN_GUEST),
        (_GUEST, Requirement(user=False, scope="read"), _FORBIDDEN_GUEST),
        (_GUEST, Requirement(user=False, scope=""), _FORBIDDEN_GUEST),
        (Anonymous(session_expired=True), PUBLIC, _ALLOWED),
        (Anonymous(session_expired=True), SIGNED_IN, _FORBIDDEN_GUEST),
        (_GUEST, CLIENT, _FORBIDDEN_GUEST),
        (_CLIENT, CLIENT, _ALLOWED),
        (_CLIENT, PUBLIC, Judgement(Decision.FORBIDDEN, Reason.SCHEME_NOT_ACCEPTED)),
        (_CLIENT, SIGNED_IN, Judgement(Decision.FORBIDDEN, Reason.SCHEME_NOT_ACCEPTED)),
        (PRINCIPAL, CLIENT, Judgement(Decision.FORBIDDEN, Reason.SCHEME_NOT_ACCEPTED)),
        (PRINCIPAL, PUBLIC, _ALLOWED),
        (PRINCIPAL, SIGNED_IN, _ALLOWED),
        (PRINCIPAL, _MANAGERS_ONLY, Judgement(Decision.FORBIDDEN, Reason.ROLE_MISSING)),
        (_MANAGER, _MANAGERS_ONLY, _ALLOWED),
        (PRINCIPAL, _WRITERS_ONLY, _ALLOWED),
        (_READER, _WRITERS_ONLY, Judgement(Decision.FORBIDDEN, Reason.SCOPE_MISSING)),
        (_READER, _READERS_ONLY, _ALLOWED),
        (_READER, SIGNED_IN, _ALLOWED),
        (_READER, Requirement(user=True, scope=""), Judgement(Decision.FORBIDDEN, Reason.SCOPE_MISSING)),
        (PRINCIPAL, _SESSION_ONLY, Judgement(Decision.FORBIDDEN, Reason.SCHEME_NOT_ACCEPTED)),
        (_BY_SESSION, _SESSION_ONLY, _ALLOWED),
        (
            PRINCIPAL,
            Requirement(user=True, schemes=frozenset()),
            Judgement(Decision.FORBIDDEN, Reason.SCHEME_NOT_ACCEPTED),
        ),
    ],
)
def test_decide(who: Who, requirement: Requirement, expected: Judgement) -> None:
    """A guest may do what is public; a user what its scheme, roles and scopes allow."""
    assert decide(who, requirement) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ("All", Judgement(Decision.FORBIDDEN, Reason.ROLE_MISSING)),
        ("All Clerk", Judgement(Decision.FORBIDDEN, Reason.ROLE_MISSING)),
        ("All Auditor", Judgement(Decision.FORBIDDEN, Reason.ROLE_MISSING)),
        ("All Clerk Auditor", _ALLOWED),
    ],
)
def test_where_every_role_is_asked_for_one_is_not_enough(held: str, expected: Judgement) -> None:
    """And a guest, who has none, is refused."""
    requirement = Requirement(user=False, every_role=frozenset({"Clerk", "Auditor"}))

    assert decide(replace(PRINCIPAL, roles=frozenset(held.split())), requirement) == expected
    assert decide(_GUEST, requirement) == _FORBIDDEN_GUEST


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("requirement", [PUBLIC, SIGNED_IN, _MANAGERS_ONLY])
def test_what_was_rejected_stays_rejected(reason: Reason, requirement: Requirement) -> None:
    """A bad credential never turns into Guest, on public routes either, and its reason is kept for the log."""
    assert decide(Rejected(reason), requirement) == Judgement(Decision.UNAUTHENTICATED, reason)


@given(_WHO, _REQUIREMENTS)
def test_decide_is_total(who: Who, requirement: Requirement) -> None:
    """Everybody gets an answer for everything, and a user that is refused a reason."""
    judgement = decide(who, requirement)

    assert isinstance(judgement.decision, Decision)
    assert (judgement.decision is Decision.UNAUTHENTICATED) == isinstance(who, Rejected)
    if judgement.decision is Decision.ALLOWED:
        assert judgement.reason is None
    elif not isinstance(who, Anonymous):
        assert judgement.reason is not None


@given(_PRINCIPALS, _REQUIREMENTS, _ROLES, st.frozensets(_SCOPE_NAMES))
def test_more_never_takes_away(
    principal: Principal, requirement: Requirement, roles: frozenset[str], scopes: frozenset[str]
) -> None:
    """No role and no scope that is added turns a yes into a no."""
    more = replace(principal, roles=principal.roles | roles, scopes=principal.scopes | scopes)

    if decide(principal, requirement) == _ALLOWED:
        assert decide(more, requirement) == _ALLOWED


@given(_PRINCIPALS, _REQUIREMENTS)
def test_guests_may_do_no_more_than_users(principal: Principal, requirement: Requirement) -> None:
    """What a guest may do, a user may do whose scheme is accepted."""
    if decide(_GUEST, requirement) == _ALLOWED and principal.scheme in requirement.schemes:
        assert decide(principal, requirement) == _ALLOWED


@pytest.mark.parametrize(
    ("owner", "reach", "own_keys", "reason"),
    [
        (PRINCIPAL.user, Reach.ALL, False, None),
        ("other@example.com", Reach.ALL, False, None),
        (None, Reach.ALL, False, None),
        (PRINCIPAL.user, Reach.OWN, True, None),
        (PRINCIPAL.user, Reach.OWN, False, Reason.ROLE_MISSING),
        ("other@example.com", Reach.OWN, True, Reason.ROLE_MISSING),
        (PRINCIPAL.user.upper(), Reach.OWN, True, Reason.ROLE_MISSING),
        (None, Reach.OWN, True, Reason.ROLE_MISSING),
        (PRINCIPAL.user, Reach.NONE, True, Reason.ROLE_MISSING),
    ],
)
def test_may_manage_keys(owner: str | None, reach: Reach, own_keys: bool, reason: Reason | None) -> None:
    """Whoever reaches all keys manages every one, others their own alone, where that is allowed."""
    assert may_manage_keys(PRINCIPAL, owner, reach, own_keys=own_keys) == reason


@pytest.mark.parametrize(
    ("held", "wanted", "allowed"),
    [
        ({"All"}, {"All"}, True),
        ({"All", "Clerk"}, {"All", "Clerk"}, True),
        ({"All"}, {"All", "Clerk"}, False),
        ({"All", "System Manager"}, {"All", "Clerk"}, True),
        ({"All"}, set(), True),
    ],
)
def test_may_act_for(held: set[str], wanted: set[str], allowed: bool) -> None:
    """Nobody but a System Manager touches an account that has a role which they lack."""
    assert may_act_for(replace(PRINCIPAL, roles=frozenset(held)), frozenset(wanted)) is allowed


_EVERYTHING = Grant("System Manager", "User", if_owner=False, actions=EVERY_ACTION)
_OWN_READ = Grant("All", "User", if_owner=True, actions=frozenset({Action.READ}))


@pytest.mark.parametrize(
    ("principal", "action", "judged"),
    [
        (PRINCIPAL, Action.READ, Reach.OWN),
        (PRINCIPAL, Action.WRITE, Reason.ROLE_MISSING),
        (_MANAGER, Action.READ, Reach.ALL),
        (_MANAGER, Action.DELETE, Reach.ALL),
        (replace(_MANAGER, scopes=frozenset({"read"})), Action.READ, Reach.ALL),
        (replace(_MANAGER, scopes=frozenset({"read"})), Action.WRITE, Reason.SCOPE_MISSING),
        (replace(_MANAGER, scopes=frozenset({"Role:write"})), Action.WRITE, Reason.SCOPE_MISSING),
        (replace(PRINCIPAL, scopes=frozenset({"User:write"})), Action.WRITE, Reason.ROLE_MISSING),
        (replace(PRINCIPAL, user="Administrator", roles=frozenset()), Action.DELETE, Reach.ALL),
        (replace(PRINCIPAL, user="Administrator", scopes=frozenset({"read"})), Action.DELETE, Reason.SCOPE_MISSING),
    ],
)
def test_judge_action(principal: Principal, action: Action, judged: Reach | Reason) -> None:
    """Scopes first, then roles; Administrator may do everything within the scopes of the credential."""
    assert judge_action(principal, [_EVERYTHING, _OWN_READ], "User", action) == judged


_DOCTYPES = ["User", "Role"]
_GRANTS = st.lists(
    st.builds(
        Grant,
        st.sampled_from(["All", "Guest", "System Manager", "Report Manager"]),
        st.sampled_from(_DOCTYPES),
        if_owner=st.booleans(),
        actions=st.frozensets(st.sampled_from(list(Action))),
    )
)
_SCOPE_SETS = st.frozensets(
    st.sampled_from(["all", "read", "User:read", "User:write", "Role:delete", "openid"]), min_size=1
)


def _reach(judged: Reach | Reason) -> Reach:
    return judged if isinstance(judged, Reach) else Reach.NONE


@given(_PRINCIPALS, _GRANTS, _GRANTS, _ROLES, st.sampled_from(_DOCTYPES), st.sampled_from(list(Action)))
def test_a_role_or_a_permission_more_never_removes_a_right(  # what is drawn
    principal: Principal,
    grants: list[Grant],
    more: list[Grant],
    roles: frozenset[str],
    doctype: str,
    action: Action,
) -> None:
    """Rights add up."""
    wider = replace(principal, roles=principal.roles | roles)

    before = _reach(judge_action(principal, grants, doctype, action))

    assert _reach(judge_action(wider, grants, doctype, action)) >= before
    assert _reach(judge_action(principal, grants + more, doctype, action)) >= before


@given(_PRINCIPALS, _GRANTS, _SCOPE_SETS, _SCOPE_SETS, st.sampled_from(_DOCTYPES), st.sampled_from(list(Action)))
def test_a_narrower_scope_never_adds_a_right(  # what is drawn
    principal: Principal,
    grants: list[Grant],
    wide: frozenset[str],
    narrow: frozenset[str],
    doctype: str,
    action: Action,
) -> None:
    """Whatever a credential within another one may do, that other one may do too."""
    if not scopes_within(narrow, wide):
        return
    allowed = _reach(judge_action(replace(principal, scopes=narrow), grants, doctype, action))

    assert _reach(judge_action(replace(principal, scopes=wide), grants, doctype, action)) >= allowed


@pytest.mark.parametrize(
    ("scopes", "roles", "beyond"),
    [
        ({"all"}, {"System Manager", "Auditor"}, False),
        ({"read"}, {"Auditor"}, False),
        ({"read"}, {"Clerk"}, True),
        ({"read", "User:write"}, {"Clerk"}, False),
        ({"User:read", "User:write"}, {"Clerk"}, False),
        ({"User:read", "User:write"}, {"Clerk", "Auditor"}, True),
        ({"User:write"}, {"Nobody's"}, False),
        ({"User:write"}, set(), False),
        (set(), {"Auditor"}, True),
        ({f"{doctype}:{action}" for doctype in ("User", "API Key") for action in Action}, {"System Manager"}, True),
    ],
)
def test_gives_beyond(scopes: set[str], roles: set[str], beyond: bool) -> None:
    """A credential covers roles all of whose rights its scopes name; System Manager only by `all`."""
    grants = [
        Grant("Auditor", "API Key", if_owner=False, actions=frozenset({Action.READ})),
        Grant("Clerk", "User", if_owner=True, actions=frozenset({Action.READ, Action.WRITE})),
        Grant("System Manager", "User", if_owner=False, actions=EVERY_ACTION),
    ]
    principal = replace(PRINCIPAL, scopes=frozenset(scopes))

    assert gives_beyond(principal, frozenset(roles), grants) is beyond


@given(_PRINCIPALS, _GRANTS, _ROLES, _ROLES, _SCOPE_SETS)
def test_fewer_scopes_never_give_more(  # what is drawn
    principal: Principal, grants: list[Grant], roles: frozenset[str], more: frozenset[str], scopes: frozenset[str]
) -> None:
    """Nor do more roles need less."""
    wide = replace(principal, scopes=principal.scopes | scopes)

    if gives_beyond(wide, roles, grants):
        assert gives_beyond(principal, roles, grants)
        assert gives_beyond(wide, roles | more, grants)
