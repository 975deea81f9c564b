"""Second factors of who is signed in: set up, replaced, turned off; ended by a System Manager where one is lost."""

from dataclasses import dataclass

from latchgate.core.credentials import Scheme
from latchgate.core.principals import Principal, Reason
from latchgate.core.second_factors import needs_second_factor
from latchgate.core.tokens import Purpose, Secret
from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER, StoredUser, effective_roles
from latchgate.errors import Invalid, NotPermitted, RateLimited, SignInFailed
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, read_as, require_system_manager, require_within, write_as
from latchgate.services.codes import CodeOutcome
from latchgate.services.enrolments import Enrolments, ShownKey
from latchgate.services.ports import Store, Transaction
from latchgate.services.rights import is_self, judge_early
from latchgate.services.sign_in import SignIn, SignInAttempt
from latchgate.services.user_rights import get_user

__all__ = ["SecondFactorService", "SecondFactorState", "count_managers_without_second_factor"]

_WRONG = "is not right: wait for the next one, and check the clock of the device that shows it"


@dataclass(frozen=True, slots=True)
class SecondFactorState:
    """How somebody stands."""

    since: int | None
    """When it was set up, in Unix seconds; None if there is none."""
    recovery_codes: int
    """How many were not used."""
    required_by: tuple[str, ...]
    """The roles of the user that require one."""


@dataclass(frozen=True, slots=True)
class SecondFactorService:
    """Second factors. One's own are the business of a session alone, and each change asks for the password again.

    Each call that takes a password does Argon2's work: the caller bounds how many run at once.
    """

    sign_in: SignIn
    enrolments: Enrolments

    def get_own(self, actor: Actor) -> SecondFactorState:
        """Tell how one's own stands. Raises NotPermitted for what is no session."""
        own = _require_session(actor)
        with read_as(self._store, actor) as tx:
            factor, user = tx.second_factors.find(own.user_id), get_user(tx, own.user)
            count = tx.second_factors.count_recovery_codes(own.user_id)
            requiring = effective_roles(user) & tx.second_factors.list_requiring()
        return SecondFactorState(factor.created_at if factor else None, count, tuple(sorted(requiring)))

    def begin(self, actor: Actor, password: Secret, typed: str) -> ShownKey:
        """Show a new key, which counts once `confirm` got a code of it.

        Args:
            actor: By session.
            password: Theirs.
            typed: A code of the present second factor, or a recovery code; nothing is asked where there is none.

        Raises:
            NotPermitted: The actor did not come by a session.
            Invalid: With `current_password` or `code`, what is not right.
            RateLimited: Too many attempts.
        """
        own = _require_session(actor)
        self._require_password(actor, password)
        with write_as(self._store, actor) as tx:
            user = get_user(tx, own.user)
            outcome, place = self._check(tx, actor, user, typed), self._place_of(tx, own, user)
        self._require_right(actor, outcome)
        return self.enrolments.begin(user, place)

    def show_again(self, actor: Actor, proof: str) -> ShownKey | None:
        """Give a key that `begin` showed to the same session; None if its time is over."""
        own = _require_session(actor)
        with read_as(self._store, actor) as tx:
            user = get_user(tx, own.user)
            place = self._place_of(tx, own, user)
        return self.enrolments.show_again(user, place, proof)

    def confirm(self, actor: Actor, proof: str, typed: str) -> list[Secret]:
        """Let a key count that `begin` showed to the same session, in the place of one before; give recovery codes.

        All other sessions end: what was begun with the password alone is worth nothing now.

        Raises:
            NotPermitted: The actor did not come by a session.
            Invalid: With `code`, it is not right, the key was shown too long ago, or the password or the second factor
                is another by now than was asked for then.
        """
        own, recovery_codes = _require_session(actor), self.enrolments.make_codes()
        self._count(actor)
        with write_as(self._store, actor) as tx:
            user = get_user(tx, own.user)
            confirmed = self.enrolments.confirm(user, self._place_of(tx, own, user), proof, typed)
            if confirmed is None:
                raise Invalid({"code": _WRONG})
            before = tx.second_factors.find(user.id)
            self.enrolments.store_in(tx, user, confirmed, recovery_codes)
            ended = self._end_others(tx, user, own.credential)
            operation = "second_factor.replaced" if before else "second_factor.enrolled"
            note(tx, self.sign_in.clock, actor, operation, user.name, detail=f"{ended} other sessions ended")
        self.sign_in.throttles.forget_sign_ins(actor.user, actor.ip_address)
        return recovery_codes

    def renew_codes(self, actor: Actor, password: Secret, typed: str) -> list[Secret]:
        """Give new recovery codes; those before open nothing any more. Raises as `begin`."""
        own, recovery_codes = _require_session(actor), self.enrolments.make_codes()
        self._require_password(actor, password)
        with write_as(self._store, actor) as tx:
            user = get_user(tx, own.user)
            _require_enrolled(tx, user)
            outcome = self._check(tx, actor, user, typed)
            if outcome is None or outcome.is_right:
                self.enrolments.store_codes_in(tx, user, recovery_codes)
                note(tx, self.sign_in.clock, actor, "second_factor.codes_renewed", user.name)
        self._require_right(actor, outcome)
        return recovery_codes

    def turn_off(self, actor: Actor, password: Secret, typed: str) -> None:
        """End one's own second factor. Raises as `begin`, and Invalid where a role requires one."""
        own = _require_session(actor)
        self._require_password(actor, password)
        with write_as(self._store, actor) as tx:
            user = get_user(tx, own.user)
            _require_enrolled(tx, user)
            if needs_second_factor(user, tx.second_factors.list_requiring(), enrolled=False):
                raise Invalid({"second_factor": "a role of yours requires one; set up another instead"})
            outcome = self._check(tx, actor, user, typed)
            if outcome is None or outcome.is_right:
                tx.second_factors.delete(user.id)
                note(tx, self.sign_in.clock, actor, "second_factor.turned_off", user.name)
        self._require_right(actor, outcome)

    def find_for(self, actor: Actor, name: str) -> SecondFactorState | None:
        """Tell a System Manager how another user stands; None for whoever may not end it. Raises NotFound."""
        with read_as(self._store, actor) as tx:
            try:
                user = _get_endable(tx, actor, name)
            except NotPermitted:
                return None
            factor, count = tx.second_factors.find(user.id), tx.second_factors.count_recovery_codes(user.id)
            requiring = effective_roles(user) & tx.second_factors.list_requiring()
        return SecondFactorState(factor.created_at if factor else None, count, tuple(sorted(requiring)))

    def end_for(self, actor: Actor, name: str) -> bool:
        """End another user's second factor, which they lost, with all their sessions; False if there was none.

        Raises:
            NotFound: There is no such user.
            NotPermitted: The actor is no System Manager, it is their own, or Administrator's, which the command line
                alone ends; or the credential used is limited.
        """
        judge_early(self._store, actor, lambda tx: _get_endable(tx, actor, name))
        with write_as(self._store, actor) as tx:
            user = _get_endable(tx, actor, name)
            if not tx.second_factors.delete(user.id):
                return False
            now = self.sign_in.clock.now()
            tx.sign_in_steps.end_all(user.id, now)
            ended = tx.sessions.revoke_all(user.id, now)
            note(tx, self.sign_in.clock, actor, "second_factor.ended", user.name, detail=f"{ended} sessions ended")
        return True

    @property
    def _store(self) -> Store:
        return self.sign_in.store

    def _check(self, tx: Transaction, actor: Actor, user: StoredUser, typed: str) -> CodeOutcome | None:
        if tx.second_factors.find(user.id) is None:
            return None
        return self.enrolments.codes.check_in(tx, actor, user, typed)

    def _place_of(self, tx: Transaction, own: Principal, user: StoredUser) -> str:
        """Name where a key is shown: the session, with the password and the second factor that were asked for there."""
        factor = tx.second_factors.find(user.id)
        mark = self.enrolments.peppers.digest(Purpose.PASSWORD_MARK, user.password_hash or "").value.hex()
        return f"{own.credential}, by {mark}, after {factor.sealed.value.hex() if factor else 'none'}"

    def _require_password(self, actor: Actor, password: Secret) -> None:
        try:
            self.sign_in.check_password(SignInAttempt(actor.user, password, actor.ip_address, ""))
        except SignInFailed:
            raise Invalid({"current_password": "is not your present password"}) from None

    def _require_right(self, actor: Actor, outcome: CodeOutcome | None) -> None:
        """Refuse what is not right, once the attempt is stored. Raises Invalid."""
        if outcome is CodeOutcome.WRONG:
            raise Invalid({"code": _WRONG})
        if outcome is CodeOutcome.TOO_MANY:
            raise Invalid({"code": "cannot be looked at after too many wrong ones; use a recovery code"})
        self.sign_in.throttles.forget_sign_ins(actor.user, actor.ip_address)

    def _count(self, actor: Actor) -> None:
        wait = self.sign_in.throttles.count_sign_in(actor.user, actor.ip_address)
        if wait:
            raise RateLimited("Too many attempts. Try again later.", retry_after_seconds=wait)

    def _end_others(self, tx: Transaction, user: StoredUser, kept: str) -> int:
        now = self.sign_in.clock.now()
        ended = tx.sessions.revoke_all(user.id, now, but=kept)
        tx.sign_in_steps.end_all(user.id, now)
        tx.sessions.set_second_factor(kept)
        return ended


def count_managers_without_second_factor(store: Store) -> int:
    """Count the enabled System Managers, Administrator among them, who sign in by their password alone.

    Who has no password cannot sign in, and needs no second factor.
    """
    with store.read() as tx:
        return len(tx.second_factors.list_without(SYSTEM_MANAGER))


def _require_session(actor: Actor) -> Principal:
    if actor.principal is None or actor.principal.scheme is not Scheme.SESSION:
        raise NotPermitted("Sign in to manage your second factor", reason=Reason.SCHEME_NOT_ACCEPTED.value, told=True)
    return actor.principal


def _require_enrolled(tx: Transaction, user: StoredUser) -> None:
    if tx.second_factors.find(user.id) is None:
        raise Invalid({"second_factor": "there is none; set one up first"})


def _get_endable(tx: Transaction, actor: Actor, name: str) -> StoredUser:
    """Give a user whose second factor the actor may end. Raises NotPermitted, NotFound."""
    # Before the user is looked up: whoever may end none is not told who there is.
    require_system_manager(actor)
    require_within(actor, UNLIMITED)
    user = get_user(tx, name)
    if is_self(actor, user):
        raise NotPermitted("Your own second factor you turn off on your account's page", told=True)
    if user.name in {ADMINISTRATOR, GUEST} and actor.principal is not None:
        told = f"The second factor of {user.name} is ended by the command line alone"
        raise NotPermitted(told, told=True)
    return user
