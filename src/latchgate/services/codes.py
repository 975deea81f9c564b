"""Look at a code that somebody typed: the app's, or a recovery code, each good once."""

from dataclasses import dataclass, field
from enum import StrEnum

from latchgate.core.second_factors import (
    RecoveryCode,
    StoredSecondFactor,
    TimeCode,
    count_wrong,
    find_step,
    parse_code,
    wait_seconds,
)
from latchgate.core.tokens import Peppers, Purpose
from latchgate.core.users import StoredUser
from latchgate.services.activity import note
from latchgate.services.actors import Actor
from latchgate.services.ports import Clock, Transaction

__all__ = ["CodeChecker", "CodeOutcome", "context_of"]


class CodeOutcome(StrEnum):
    """What came of a code; the words are the activity log's."""

    BY_APP = "with a code of the app"
    BY_RECOVERY_CODE = "with a recovery code"
    WRONG = "wrong code"
    TOO_MANY = "too many wrong codes"

    @property
    def is_right(self) -> bool:
        """Whether it counts."""
        return self in {CodeOutcome.BY_APP, CodeOutcome.BY_RECOVERY_CODE}


def context_of(user_id: int) -> str:
    """Tell what a sealed key belongs to: copied to another user's row, it does not open."""
    return f"user {user_id}"


@dataclass(frozen=True, slots=True)
class CodeChecker:
    """Judges codes in a caller's transaction, to be committed whatever comes of it: wrong ones are counted."""

    peppers: Peppers = field(repr=False)
    clock: Clock

    def check_in(self, tx: Transaction, actor: Actor, user: StoredUser, typed: str) -> CodeOutcome:
        """Tell whether a code is the user's; a right one is used up, a wrong one counted and noted.

        A recovery code is looked at too where the app's are not any more: nobody guesses one, and whoever has one must
        not be shut out by who guesses.
        """
        factor, code = tx.second_factors.find(user.id), parse_code(typed)
        if factor is None:
            return CodeOutcome.WRONG
        if isinstance(code, RecoveryCode):
            digests = self.peppers.candidates(Purpose.RECOVERY_CODE, str(user.id), code.secret.text)
            if tx.second_factors.use_recovery_code(user.id, digests):
                return CodeOutcome.BY_RECOVERY_CODE
        elif wait_seconds(factor, self.clock.now()):
            return self._refuse(tx, actor, user, CodeOutcome.TOO_MANY)
        elif code is not None and self._take(tx, factor, code):
            return CodeOutcome.BY_APP
        tx.second_factors.set_wrong(user.id, *count_wrong(factor, self.clock.now()))
        return self._refuse(tx, actor, user, CodeOutcome.WRONG)

    def wait_seconds_in(self, tx: Transaction, user: StoredUser) -> int:
        """Tell for how long no code of a user's app is looked at, in seconds; 0 if they are."""
        factor = tx.second_factors.find(user.id)
        return wait_seconds(factor, self.clock.now()) if factor else 0

    def digest_recovery_code(self, user_id: int, code: str) -> bytes:
        """Give what is stored of a recovery code."""
        return self.peppers.digest(Purpose.RECOVERY_CODE, str(user_id), code.replace("-", "")).value

    def _take(self, tx: Transaction, factor: StoredSecondFactor, code: TimeCode) -> bool:
        key = self.peppers.unseal(Purpose.SECOND_FACTOR, factor.sealed, context_of(factor.user_id))
        step = find_step(key, code, self.clock.now(), factor.last_step) if key else None
        return step is not None and tx.second_factors.take_step(factor.user_id, step)

    def _refuse(self, tx: Transaction, actor: Actor, user: StoredUser, outcome: CodeOutcome) -> CodeOutcome:
        note(tx, self.clock, actor, "second_factor.refused", user.name, detail=outcome.value)
        return outcome
