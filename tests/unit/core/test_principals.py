from dataclasses import replace
from datetime import UTC
from ipaddress import ip_network
from itertools import product

import pytest

from latchgate.core.credentials import Fault
from latchgate.core.principals import Reason, judge_user
from latchgate.core.users import StoredUser
from unit.core.examples import NOW, USER

_DISABLED = replace(USER, enabled=False)
_ELSEWHERE = replace(USER, restrict_ip=(ip_network("10.1.1.1"),))
_NEVER = replace(USER, login_after=24)


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_a_reason(fault: Fault) -> None:
    """Whatever keeps a header from being read has its reason in the log."""
    assert Reason(fault.value).name == fault.name


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (USER, None),
        (_DISABLED, Reason.USER_DISABLED),
        (_ELSEWHERE, Reason.USER_ADDRESS_NOT_ALLOWED),
        (_NEVER, Reason.OUTSIDE_HOURS),
    ],
)
def test_judge_user(user: StoredUser, reason: Reason | None) -> None:
    """A disabled user, one at another address and one outside its hours are refused, each for its reason."""
    assert judge_user(user, NOW, "192.0.2.1", UTC) == reason


@pytest.mark.parametrize(("disabled", "elsewhere", "never"), list(product([False, True], repeat=3)))
def test_one_cause_is_enough(disabled: bool, elsewhere: bool, never: bool) -> None:
    """However many of the causes hold, the user is refused as soon as one does."""
    user = replace(
        USER,
        enabled=not disabled,
        restrict_ip=_ELSEWHERE.restrict_ip if elsewhere else (),
        login_after=24 if never else 0,
    )

    assert (judge_user(user, NOW, "192.0.2.1", UTC) is None) == (not (disabled or elsewhere or never))
