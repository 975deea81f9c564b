"""What codes, refresh tokens and consents are worth."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.scopes import scopes_within
from latchgate.core.token_families import (
    Approval,
    Redeemed,
    StoredCode,
    StoredConsent,
    StoredFamily,
    StoredRefreshToken,
    consent_covers,
    digest_refresh_token,
    judge_code,
    judge_refresh_token,
    refresh_token_matches,
    widen_consent,
)
from latchgate.core.tokens import Secret
from unit.core.examples import CLIENT, NOW, PEPPERS, USER

_API = "https://api.example.com"
_APPROVAL = Approval(frozenset({"all"}), frozenset(), NOW)
_TOKEN = Secret("refresh-token")
_CODE = StoredCode(1, CLIENT.id, USER, "https://app.example.com/", True, "", _APPROVAL, NOW, NOW + 60, None, None)
_FAMILY = StoredFamily(4, "f-4", CLIENT.id, CLIENT.client_id, USER, _APPROVAL, NOW, None)
_REFRESH = StoredRefreshToken(2, _FAMILY, digest_refresh_token(PEPPERS, 2, 4, _TOKEN), NOW, NOW + 3_600, None)
_CONSENT = StoredConsent(
    1, "c-1", USER.name, USER.id, CLIENT.id, CLIENT.client_id, "Calendar", frozenset(), frozenset(), 1, 1
)

_SCOPES = st.frozensets(st.sampled_from(["all", "read", "openid", "User:read", "User:write", "API Key:read"]))
_AUDIENCES = st.frozensets(st.sampled_from([_API, "https://other.example.com", "https://auth.example.com"]))
_APPROVALS = st.builds(Approval, _SCOPES, _AUDIENCES, st.just(NOW))


@pytest.mark.parametrize(
    ("code", "now", "worth"),
    [
        (_CODE, NOW, Redeemed.GOOD),
        (_CODE, NOW + 59, Redeemed.GOOD),
        (_CODE, NOW + 60, Redeemed.DEAD),
        (replace(_CODE, used_at=NOW), NOW, Redeemed.REUSED),
        (replace(_CODE, used_at=NOW), NOW + 60, Redeemed.REUSED),
    ],
)
def test_what_a_code_is_worth(code: StoredCode, now: int, worth: Redeemed) -> None:
    """One use within its time; a second is noticed whenever it comes."""
    assert judge_code(code, now) is worth


@pytest.mark.parametrize(
    ("token", "now", "worth"),
    [
        (_REFRESH, NOW, Redeemed.GOOD),
        (_REFRESH, NOW + 3_599, Redeemed.GOOD),
        (_REFRESH, NOW + 3_600, Redeemed.DEAD),
        (replace(_REFRESH, used_at=NOW), NOW + 10, Redeemed.AGAIN),
        (replace(_REFRESH, used_at=NOW), NOW + 11, Redeemed.REUSED),
        (replace(_REFRESH, used_at=NOW), NOW + 9_999, Redeemed.REUSED),
        (replace(_REFRESH, family=replace(_FAMILY, revoked_at=NOW)), NOW, Redeemed.DEAD),
        (replace(_REFRESH, family=replace(_FAMILY, revoked_at=NOW), used_at=NOW), NOW, Redeemed.DEAD),
    ],
)
def test_what_a_refresh_token_is_worth(token: StoredRefreshToken, now: int, worth: Redeemed) -> None:
    """One use within its time, once more for ten seconds; of a family that ended nothing."""
    assert judge_refresh_token(token, now, 10) is worth


@pytest.mark.parametrize(
    ("stored", "text", "fits"),
    [
        (_REFRESH, _TOKEN, True),
        (_REFRESH, Secret("refresh-token "), False),
        (replace(_REFRESH, id=3), _TOKEN, False),
        (replace(_REFRESH, family=replace(_FAMILY, id=5)), _TOKEN, False),
    ],
)
def test_a_refresh_token_is_its_row_s_and_its_family_s(stored: StoredRefreshToken, text: Secret, *, fits: bool) -> None:
    """Copied into another it matches nothing."""
    assert refresh_token_matches(PEPPERS, stored, text) is fits


@pytest.mark.parametrize(
    ("allowed", "asked", "covered"),
    [
        ((), (), True),
        ((_API,), (_API,), True),
        ((_API, "https://b.example.com"), (_API,), True),
        ((_API,), (_API, "https://b.example.com"), False),
        ((_API,), (), False),
        ((), (_API,), False),
    ],
)
def test_for_which_resources_a_user_is_not_asked_again(
    allowed: tuple[str, ...], asked: tuple[str, ...], *, covered: bool
) -> None:
    """For those that were allowed; to name none is to name this service, which is another one."""
    consent = replace(_CONSENT, scopes=frozenset({"all"}), audience=frozenset(allowed))

    assert consent_covers(consent, frozenset({"all"}), frozenset(asked)) is covered


@given(history=st.lists(_APPROVALS, min_size=1, max_size=4), asked=_APPROVALS)
def test_nothing_is_covered_that_was_not_allowed(history: list[Approval], asked: Approval) -> None:
    """Whatever a user allowed one after the other: each scope was allowed for each resource that it is covered for."""
    consent: StoredConsent | None = None
    for approval in history:
        whole = widen_consent(consent, approval)
        consent = replace(_CONSENT, scopes=whole.scopes, audience=whole.audience)
    assert consent is not None

    # What was allowed last is covered always.
    assert consent_covers(consent, history[-1].scopes, history[-1].audience)
    if consent_covers(consent, asked.scopes, asked.audience):
        for resource in asked.audience or {""}:
            for_it = [given.scopes for given in history if resource in (given.audience or {""})]
            assert scopes_within(asked.scopes, frozenset().union(*for_it))
