"""Change one's own password, and the one-time links by which an administrator lets somebody set a new one."""

from dataclasses import dataclass, field

from latchgate.core.credentials import Scheme
from latchgate.core.passwords import password_problem
from latchgate.core.permissions import Action
from latchgate.core.tokens import Peppers, Purpose, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.core.users import GUEST, StoredUser
from latchgate.errors import Invalid, NotFound, SignInFailed
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, require_within, write_as
from latchgate.services.port_values import UserChanges
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.rights import judge_early
from latchgate.services.sign_in import SignIn, SignInAttempt
from latchgate.services.user_rights import get_user_to, require_not_own
from latchgate.services.users import UserService

__all__ = ["RESET_LINK_SECONDS", "PasswordService"]

RESET_LINK_SECONDS = 3600
_RESET = "reset"
_ENDED = "This link was used or has expired"


@dataclass(frozen=True, slots=True)
class PasswordService:
    """Passwords that people set for themselves. Each call that takes one does Argon2's work."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    users: UserService
    sign_in: SignIn

    def change_own(self, actor: Actor, current: Secret, new: Secret) -> None:
        """Replace one's own password by another, and end all of one's sessions but the one that asks.

        Raises:
            NotPermitted: The credential used is limited.
            Invalid: With `current_password`, it is not the present one; with `password`, a weak one.
            RateLimited: Too many attempts.
        """
        attempt = SignInAttempt(actor.user, current, actor.ip_address, "")
        try:
            self.sign_in.check_password(attempt)
        except SignInFailed:
            raise Invalid({"current_password": "is not your present password"}) from None
        self.sign_in.throttles.forget_sign_ins(actor.user, actor.ip_address)
        password_hash = self.users.hash_password(actor, new, actor.user)
        principal = actor.principal
        kept = principal.credential if principal and principal.scheme is Scheme.SESSION else None
        with write_as(self.store, actor) as tx:
            user = tx.users.find(actor.user)
            if user is None:
                raise NotFound(f"User {actor.user} not found")
            changes = UserChanges(password_hash=password_hash, modified_by=actor.user)
            tx.users.change(user.id, changes, self.clock.now_us())
            tx.links.end_all(user.id)
            ended = tx.sessions.revoke_all(user.id, self.clock.now(), but=kept)
            note(tx, self.clock, actor, "user.password_set", user.name, detail=f"by oneself, {ended} sessions ended")

    def make_reset_link(self, actor: Actor, name: str) -> Secret:
        """Make the link by which a user sets a new password, once and within an hour; one made before ends.

        Raises:
            NotFound: There is no such user.
            NotPermitted: The actor may not set that user's password, or uses a credential that is limited.
            Invalid: Guest's.
        """
        judge_early(self.store, actor, lambda tx: _get_user(tx, actor, name))
        link = Secret(issue_token(TokenKind.LINK, self.entropy.random_bytes(entropy_bytes(TokenKind.LINK))))
        digest = self.peppers.digest(Purpose.LINK, _RESET, link.text)
        with write_as(self.store, actor) as tx:
            user = _get_user(tx, actor, name)
            tx.links.add(digest.value, _RESET, user.id, self.clock.now() + RESET_LINK_SECONDS)
            note(tx, self.clock, actor, "user.reset_link_made", user.name)
        return link

    def find_reset_user(self, link: Secret) -> str | None:
        """Tell whose password a link sets; None if it was used or has expired. Looking does not use it up."""
        with self.store.read() as tx:
            user_id = tx.links.find(self._digests(link), _RESET, self.clock.now())
            user = tx.users.find_id(user_id) if user_id is not None else None
            return user.name if user else None

    def reset(self, link: Secret, password: Secret, ip_address: str) -> str:
        """Set the password of the link's user, end its sessions and use the link up; tell the user.

        Raises:
            NotFound: The link was used, has expired or never was.
            Invalid: The password is not accepted; the link lives on.
        """
        name = self.find_reset_user(link)
        if name is None:
            raise NotFound(_ENDED)
        problem = password_problem(password, name)
        if problem:
            raise Invalid({"password": problem})
        actor = Actor(name, ip_address, None)
        password_hash = self.users.hash_password(actor, password, name)
        with self.store.write() as tx:
            user_id = tx.links.use(self._digests(link), _RESET, self.clock.now())
            if user_id is None:
                raise NotFound(_ENDED)
            tx.users.change(user_id, UserChanges(password_hash=password_hash), self.clock.now_us())
            ended = tx.sessions.revoke_all(user_id, self.clock.now())
            note(tx, self.clock, actor, "user.password_set", name, detail=f"by reset link, {ended} sessions ended")
        return name

    def _digests(self, link: Secret) -> list[bytes]:
        return self.peppers.candidates(Purpose.LINK, _RESET, link.text)


def _get_user(tx: Transaction, actor: Actor, name: str) -> StoredUser:
    # Whoever holds the link sets the password: it needs the right to do so.
    user = get_user_to(tx, actor, name, Action.WRITE)
    require_not_own(actor, user)
    require_within(actor, UNLIMITED)
    if user.name == GUEST:
        raise Invalid({"user": "Guest cannot sign in"})
    return user
