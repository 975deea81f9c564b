"""The judge of the long run finds every kind of wrong answer in histories made by hand, and lets right ones pass."""

from dataclasses import replace

import pytest

from support.history import Asked, Change, Credential, History, find_unlogged

_KEY = Credential("key", "token k:s", "ann", ("key", "secret", "user"), "role")
_REVOKED = Change(100, 110, {"key": False})
_ROTATED = Change(100, 110, {"secret": False})
_DISABLED, _ENABLED = Change(100, 110, {"user": False}), Change(200, 210, {"user": True})
_TAKEN, _GIVEN = Change(100, 110, {"role": False}), Change(200, 210, {"role": True})
_UNTOLD = Change(100, None, {"user": False})


def _asked(begun: int, ended: int, status: int, *, needs: str = "") -> Asked:
    user = "ann" if status == 204 or (status == 200 and not needs) else ""
    return Asked(begun, ended, "key", needs, status, user, f"id-{begun}-{ended}")


def _violations(changes: list[Change], *asked: Asked) -> list[str]:
    return [line.partition(":")[0] for line in History([_KEY], changes).find_violations(asked)]


@pytest.mark.parametrize("change", [_REVOKED, _ROTATED, _DISABLED], ids=["revoked", "rotated", "disabled"])
def test_what_is_let_in_after_the_acknowledgement_is_found(change: Change) -> None:
    """A request that began after a change was acknowledged, and was let in all the same, is found."""
    assert _violations([change], _asked(111, 120, 200)) == ["let in against an acknowledged change"]
    assert _violations([change], _asked(10_000, 10_001, 200)) == ["let in against an acknowledged change"]


@pytest.mark.parametrize("change", [_REVOKED, _ROTATED, _DISABLED], ids=["revoked", "rotated", "disabled"])
def test_what_is_refused_before_the_change_is_found(change: Change) -> None:
    """A request that was over before a change began, and was refused, is found."""
    assert _violations([change], _asked(90, 99, 401)) == ["refused although valid throughout"]


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize(
    ("begun", "ended"), [(90, 105), (90, 120), (101, 105), (105, 120), (110, 130), (90, 100)], ids=str
)
def test_whatever_meets_a_change_may_go_either_way(begun: int, ended: int, status: int) -> None:
    """A request that was under way at any moment of a change may be answered either way."""
    assert _violations([_REVOKED], _asked(begun, ended, status)) == []


def test_right_answers_pass() -> None:
    """Let in before, refused after: nothing to tell of."""
    assert _violations([_REVOKED], _asked(1, 99, 200), _asked(111, 120, 401), _asked(500, 600, 401)) == []


def test_what_is_turned_on_again_counts_again() -> None:
    """Between disabling and enabling refused, after it let in; and both are held to it."""
    changes = [_DISABLED, _ENABLED]

    assert _violations(changes, _asked(120, 190, 401), _asked(211, 220, 200)) == []
    assert _violations(changes, _asked(120, 190, 200)) == ["let in against an acknowledged change"]
    assert _violations(changes, _asked(211, 220, 401)) == ["refused although valid throughout"]
    assert _violations(changes, _asked(120, 201, 200)) == []


def test_a_role_is_needed_only_where_it_is() -> None:
    """Without the role what needs it is a 403, and what does not is answered as before."""
    role = {"needs": "role"}

    assert _violations([_TAKEN, _GIVEN], _asked(120, 130, 403, **role), _asked(120, 130, 200)) == []
    assert _violations([_TAKEN, _GIVEN], _asked(220, 230, 200, **role)) == []
    assert _violations([_TAKEN, _GIVEN], _asked(120, 130, 200, **role)) == ["let in against an acknowledged change"]
    assert _violations([_TAKEN, _GIVEN], _asked(220, 230, 403, **role)) == ["refused although valid throughout"]
    assert _violations([_TAKEN], _asked(120, 130, 403)) == ["refused although valid throughout"]
    assert _violations([_TAKEN], _asked(120, 130, 401, **role)) == ["refused although valid throughout"]
    assert _violations([_REVOKED], _asked(120, 130, 403, **role)) == ["refused although valid throughout"]


def test_a_rule_is_a_switch_like_any_other() -> None:
    """What a proxy is told after a rule's change was acknowledged is told by the changed rule, of the right user."""
    closed, opened = Change(100, 110, {"rule": False}), Change(200, 210, {"rule": True})
    rule = {"needs": "rule"}

    assert _violations([closed, opened], _asked(120, 130, 403, **rule), _asked(220, 230, 204, **rule)) == []
    assert _violations([closed], _asked(105, 130, 204, **rule), _asked(105, 130, 403, **rule)) == []
    assert _violations([closed], _asked(120, 130, 204, **rule)) == ["let in against an acknowledged change"]
    assert _violations([closed, opened], _asked(220, 230, 403, **rule)) == ["refused although valid throughout"]
    assert _violations([_REVOKED], _asked(120, 130, 204, **rule)) == ["let in against an acknowledged change"]
    named = replace(_asked(90, 95, 204, **rule), user="bob")
    assert _violations([closed], named) == ["answered as somebody else"]


def test_a_change_without_an_answer_may_have_happened() -> None:
    """Until the next one is acknowledged either is right; from then on only what that one said."""
    later = replace(_ENABLED, begun=300, acknowledged=310)

    assert _violations([_UNTOLD], _asked(500, 600, 200), _asked(500, 600, 401)) == []
    assert _violations([_UNTOLD], _asked(50, 60, 401)) == ["refused although valid throughout"]
    assert _violations([_UNTOLD, later], _asked(311, 320, 401)) == ["refused although valid throughout"]
    assert _violations([_UNTOLD, later], _asked(250, 320, 401), _asked(311, 320, 200)) == []


def test_one_moment_must_explain_it_all() -> None:
    """Two changes of which the one undid what the other needed leave no moment at which both were on."""
    changes = [Change(1, 2, {"key": False}), Change(100, 101, {"key": True, "user": False})]

    assert _violations(changes, _asked(50, 60, 200)) == ["let in against an acknowledged change"]
    assert _violations(changes, _asked(150, 160, 200)) == ["let in against an acknowledged change"]


def test_another_users_answer_is_found() -> None:
    """Whoever is let in is answered as themselves."""
    wrong = replace(_asked(1, 2, 200), user="bob")

    assert _violations([], wrong) == ["answered as somebody else"]


@pytest.mark.parametrize("status", [429, 500, 503, 404])
def test_an_answer_that_is_no_verdict_is_found(status: int) -> None:
    """A credential is let in or refused, whatever else goes on."""
    assert _violations([_REVOKED], _asked(105, 106, status)) == ["neither let in nor refused"]


def test_two_changes_of_one_switch_at_once_are_no_history() -> None:
    """What nobody could judge is not judged."""
    with pytest.raises(ValueError, match="user was turned by two at once"):
        History([_KEY], [_DISABLED, replace(_ENABLED, begun=105)])


def test_every_answer_is_in_the_log_once() -> None:
    """Missing, doubled and differing rows are told apart; rows that nobody was answered are none of these."""
    first, second, third, fourth = (_asked(number, number + 1, 200) for number in range(4))
    rows = [(first.request_id, 200), (second.request_id, 401), *[(third.request_id, 200)] * 2, ("unanswered", 200)]

    found = list(find_unlogged([first, second, third, fourth, first], rows))

    assert found == [
        f"in the log with status 401: {second}",
        f"answered, and not in the log: {fourth}",
        f"in the log 2 times: {third.request_id}",
        f"answered 2 times under one id: {first.request_id}",
    ]
