"""The second step of a sign-in: the password was right, and a code is still to come.

What waits is stored by a digest, for a few minutes and a few tries, and opens nothing by itself: no session exists
before the code was right, or the second factor that must be is set up.
"""

from dataclasses import dataclass
from hmac import compare_digest

from latchgate.core.tokens import Purpose, Secret
from latchgate.core.users import StoredUser
from latchgate.errors import Invalid, RateLimited, SignInFailed
from latchgate.services.activity import note
from latchgate.services.actors import Actor
from latchgate.services.codes import CodeOutcome
from latchgate.services.enrolments import Enrolments, ShownKey
from latchgate.services.ports import Transaction
from latchgate.services.second_factor_ports import StoredSignInStep
from latchgate.services.sign_in import Browser, SignedIn, SignIn

__all__ = ["ATTEMPTS_MAX", "Enrolled", "SignInStepService", "WaitingSignIn"]

ATTEMPTS_MAX = 5
"""How many codes may be tried before the password is asked for again."""
_ENDED = "This sign-in took too long or was tried too often. Sign in again."
_WRONG = "That code is not right. Wait for the next one, and check the clock of the device that shows it."
_TOO_MANY = "Too many wrong codes. Try again later, or use a recovery code."


@dataclass(frozen=True, slots=True)
class WaitingSignIn:
    """A sign-in that waits for its code."""

    user: StoredUser
    enrolled: bool
    """Whether there is a second factor to give a code of; else it is to be set up."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A second factor was set up, and the session it was set up for is open."""

    signed_in: SignedIn
    recovery_codes: tuple[Secret, ...]
    """Shown this once."""


@dataclass(frozen=True, slots=True)
class SignInStepService:
    """Sign-ins between password and session."""

    sign_in: SignIn
    enrolments: Enrolments

    def find(self, step: Secret) -> WaitingSignIn | None:
        """Look a waiting sign-in up; None if it has ended. Looking uses nothing up."""
        with self.sign_in.store.read() as tx:
            stored = self._find(tx, step)
            if stored is None:
                return None
            return WaitingSignIn(stored.user, tx.second_factors.find(stored.user.id) is not None)

    def finish(self, step: Secret, typed: str, browser: Browser) -> SignedIn:
        """Open the session of a waiting sign-in by a code.

        Raises:
            SignInFailed: It has ended, the code is not right, or the user may not act now or from there.
            RateLimited: Too many attempts for this user from this address, from this address, or wrong codes at all.
        """
        waiting = self._get(step)
        self._count(waiting.user, browser)
        sid = self.sign_in.make_sid()
        with self.sign_in.store.write() as tx:
            stored = self._count_attempt(tx, step)
            actor = Actor(stored.user.name, browser.ip_address, None)
            # Before the code is looked at: from elsewhere nobody is told whether it is right.
            self.sign_in.require_place_and_time(stored.user, browser.ip_address)
            outcome = self.enrolments.codes.check_in(tx, actor, stored.user, typed)
            if outcome.is_right:
                tx.sign_in_steps.end(stored.id)
                told = _told(tx, stored.user, outcome)
                signed_in = self.sign_in.open_session_in(tx, stored.user, browser, sid, proved_by=told)
            else:
                wait = self.enrolments.codes.wait_seconds_in(tx, stored.user)
        # Raised once the attempt is stored.
        if not outcome.is_right:
            raise self._refusal(browser, wait)
        self.sign_in.throttles.forget_sign_ins(waiting.user.name, browser.ip_address)
        return signed_in

    def begin_enrolment(self, step: Secret) -> ShownKey:
        """Show a new key to a waiting sign-in whose user must set a second factor up. Raises SignInFailed."""
        waiting = self._get(step)
        if waiting.enrolled:
            raise SignInFailed(_ENDED)
        return self.enrolments.begin(waiting.user, self._name(step))

    def show_again(self, step: Secret, proof: str) -> ShownKey:
        """Show a key again, or another one where the time of that is over. Raises SignInFailed."""
        waiting = self._get(step)
        return self.enrolments.show_again(waiting.user, self._name(step), proof) or self.begin_enrolment(step)

    def enrol(self, step: Secret, proof: str, typed: str, browser: Browser) -> Enrolled:
        """Set the second factor up by a code of the key that was shown, and open the session.

        Raises:
            SignInFailed: The sign-in has ended, or the user may not act now or from there.
            Invalid: With `code`, it is not right.
            RateLimited: Too many attempts.
        """
        waiting = self._get(step)
        if waiting.enrolled:
            raise SignInFailed(_ENDED)
        self._count(waiting.user, browser)
        sid, recovery_codes = self.sign_in.make_sid(), self.enrolments.make_codes()
        signed_in = None
        with self.sign_in.store.write() as tx:
            stored = self._count_attempt(tx, step)
            user = stored.user
            self.sign_in.require_place_and_time(user, browser.ip_address)
            confirmed = self.enrolments.confirm(user, self._name(step), proof, typed)
            # Somebody else who knows the password may have been quicker: theirs counts, and its code is asked for.
            if confirmed is not None and tx.second_factors.find(user.id) is None:
                self.enrolments.store_in(tx, user, confirmed, recovery_codes)
                # What waits besides was begun before there was a second factor.
                tx.sign_in_steps.end_all(user.id, self.sign_in.clock.now())
                actor = Actor(user.name, browser.ip_address, None)
                note(tx, self.sign_in.clock, actor, "second_factor.enrolled", user.name, detail="at sign-in")
                signed_in = self.sign_in.open_session_in(tx, user, browser, sid, proved_by=CodeOutcome.BY_APP.value)
        if confirmed is None:
            raise Invalid({"code": _WRONG})
        if signed_in is None:
            raise SignInFailed(_ENDED)
        self.sign_in.throttles.forget_sign_ins(user.name, browser.ip_address)
        return Enrolled(signed_in, tuple(recovery_codes))

    def _get(self, step: Secret) -> WaitingSignIn:
        waiting = self.find(step)
        if waiting is None:
            raise SignInFailed(_ENDED)
        return waiting

    def _find(self, tx: Transaction, step: Secret) -> StoredSignInStep | None:
        now, peppers = self.sign_in.clock.now(), self.sign_in.peppers
        stored = tx.sign_in_steps.find(peppers.candidates(Purpose.SIGN_IN_STEP, step.text), now)
        if stored is None or stored.attempts >= ATTEMPTS_MAX or not stored.user.enabled:
            return None
        marks = peppers.candidates(Purpose.PASSWORD_MARK, stored.user.password_hash or "")
        same = [compare_digest(mark, stored.password_mark) for mark in marks]
        return stored if any(same) else None

    def _count_attempt(self, tx: Transaction, step: Secret) -> StoredSignInStep:
        stored = self._find(tx, step)
        if stored is None:
            raise SignInFailed(_ENDED)
        tx.sign_in_steps.count_attempt(stored.id)
        return stored

    def _count(self, user: StoredUser, browser: Browser) -> None:
        # Before any is looked at: of many at once no more get through than of many in turn.
        wait = self.sign_in.throttles.count_code(user.name, browser.ip_address)
        if wait:
            raise RateLimited("Too many attempts to sign in. Try again later.", retry_after_seconds=wait)

    def _refusal(self, browser: Browser, wait: int) -> SignInFailed | RateLimited:
        wait = self.sign_in.throttles.count_wrong_password(browser.ip_address) or wait
        if wait:
            return RateLimited(_TOO_MANY, retry_after_seconds=wait)
        return SignInFailed(_WRONG, revealed=True)

    def _name(self, step: Secret) -> str:
        # No secret: it stands in nothing but what is sealed.
        digest = self.sign_in.peppers.digest(Purpose.SIGN_IN_STEP, step.text)
        return f"step {digest.value.hex()}"


def _told(tx: Transaction, user: StoredUser, outcome: CodeOutcome) -> str:
    if outcome is CodeOutcome.BY_APP:
        return outcome.value
    return f"{outcome.value}, {tx.second_factors.count_recovery_codes(user.id)} left"
