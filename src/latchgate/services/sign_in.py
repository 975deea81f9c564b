"""Sign users in and out by password, and the one-time links that let the first administrator in."""

from dataclasses import dataclass, field, replace
from typing import NoReturn

from argon2 import Parameters

from latchgate.core.log_entries import USER_AGENT_LENGTH_MAX, blank_texts, escape
from latchgate.core.passwords import (
    PASSWORD_LENGTH_MAX,
    SALT_BYTES,
    hash_password,
    needs_rehash,
    password_problem,
    password_verifies,
)
from latchgate.core.principals import Principal, Reason, judge_user
from latchgate.core.second_factors import needs_second_factor
from latchgate.core.sessions import SESSION_ENTROPY_BYTES
from latchgate.core.tokens import Peppers, Purpose, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.core.users import ADMINISTRATOR, GUEST, StoredUser, parse_user_name
from latchgate.errors import Invalid, NotFound, RateLimited, SignInFailed
from latchgate.services.activity import note
from latchgate.services.actors import Actor
from latchgate.services.authentication import Rules
from latchgate.services.port_values import NewSession, UserChanges
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.second_factor_ports import NewSignInStep
from latchgate.services.throttles import Throttles

__all__ = ["SETUP_LINK_SECONDS", "STEP_SECONDS", "Browser", "CodeAsked", "SignIn", "SignInAttempt", "SignedIn"]

SETUP_LINK_SECONDS = 3600
STEP_SECONDS = 300
"""How long a sign-in waits for its code: a phone must be found, and an app set up."""
_SETUP = "setup"
_PUBLIC_ID_BYTES = 8
_INVALID = "Invalid login credentials"
_UNKNOWN_USER = "unknown user"
"""What the activity log says of a name that is nobody's: whoever mistypes may have typed a password."""


@dataclass(frozen=True, slots=True)
class Browser:
    """From where somebody signs in, and by what."""

    ip_address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """What a caller sent to sign in, and from where."""

    user: str
    password: Secret
    ip_address: str
    user_agent: str

    @property
    def browser(self) -> Browser:
        """From where it came, and by what."""
        return Browser(self.ip_address, self.user_agent)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; `sid` is for the cookie and nothing else."""

    user: StoredUser
    sid: Secret
    lasts_seconds: int
    """At most, as it is decided now."""


@dataclass(frozen=True, slots=True)
class CodeAsked:
    """The password was right, and opens nothing alone: `step` and a code do, see services/sign_in_steps.py."""

    step: Secret
    enrolled: bool
    """Whether the user has a second factor; one who must have one and has none sets it up first."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Sessions by password. Each call does Argon2's work: the caller bounds how many run at once."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    throttles: Throttles
    rules: Rules
    profile: Parameters = field(repr=False)
    decoy_hash: str = field(repr=False)
    """What the password of an unknown user is compared with, so that it costs the same work."""

    def sign_in(self, attempt: SignInAttempt) -> SignedIn | CodeAsked:
        """Open a session, or ask for the code without which the password opens none.

        Raises:
            SignInFailed: In one wording for a wrong password, an unknown user and a disabled one; the address and the
                hours are named only to whoever knows the password.
            RateLimited: Too many attempts for this user from this address (before any work), or too many wrong
                passwords from this address (instead of SignInFailed).
        """
        user = self.check_password(attempt)
        self.require_place_and_time(user, attempt.ip_address)
        opened = self._open(user, attempt)
        if isinstance(opened, SignedIn):
            # Else whoever knows the password could try codes for ever: it is the code that ends the count.
            self.throttles.forget_sign_ins(user.name, attempt.ip_address)
        return opened

    def check_password(self, attempt: SignInAttempt) -> StoredUser:
        """Give the enabled user whose password it is; opens nothing. Raises SignInFailed, RateLimited."""
        name = parse_user_name(attempt.user) or ""
        wait = self.throttles.count_sign_in(name, attempt.ip_address)
        if wait:
            raise RateLimited("Too many attempts to sign in. Try again later.", retry_after_seconds=wait)
        with self.store.read() as tx:
            user = tx.users.find(name) if name else None
        if not self._password_opens(user, attempt.password) or user is None or not user.enabled:
            self._fail(user, attempt)
        return user

    def require_place_and_time(self, user: StoredUser, ip_address: str) -> None:
        """Let nobody pass who may not act now or from there. Raises SignInFailed, which says so."""
        match judge_user(user, self.clock.now(), ip_address, self.rules.zone):
            case Reason.USER_ADDRESS_NOT_ALLOWED:
                raise SignInFailed(f"Access not allowed from this IP Address: {ip_address}", revealed=True)
            case Reason.OUTSIDE_HOURS:
                raise SignInFailed("Login not allowed at this time", revealed=True)
            case _:
                return

    def make_sid(self) -> Secret:
        """Make what a session's cookie holds."""
        return Secret(self.entropy.random_bytes(SESSION_ENTROPY_BYTES).hex())

    def open_session_in(
        self, tx: Transaction, user: StoredUser, browser: Browser, sid: Secret, *, proved_by: str = ""
    ) -> SignedIn:
        """Open a session for whom nothing else is asked of.

        Args:
            tx: In which all that was proved holds.
            user: Who.
            browser: From where.
            sid: From `make_sid`.
            proved_by: The second factor that was given, as the log says it; empty if none was.
        """
        session = NewSession(
            digest=self.peppers.digest(Purpose.SESSION, sid.text).value,
            public_id="session-" + self.entropy.random_bytes(_PUBLIC_ID_BYTES).hex(),
            user_id=user.id,
            ip_address=browser.ip_address,
            user_agent=escape(blank_texts(browser.user_agent), USER_AGENT_LENGTH_MAX),
            second_factor=bool(proved_by),
        )
        tx.sessions.add(session, self.clock.now())
        actor = Actor(user.name, browser.ip_address, None)
        note(tx, self.clock, actor, "session.started", session.public_id, detail=proved_by)
        return SignedIn(user, sid, self.rules.lifetime(tx).absolute_seconds)

    def sign_out(self, principal: Principal, sid: Secret, ip_address: str) -> None:
        """End the session that a request came with."""
        with self.store.write() as tx:
            session = tx.sessions.find(self.peppers.candidates(Purpose.SESSION, sid.text))
            if session is not None and session.revoked_at is None:
                tx.sessions.revoke(session.id, self.clock.now())
                actor = Actor.of(principal, ip_address)
                note(tx, self.clock, actor, "session.ended", session.public_id)

    def touch_session(self, session_id: int) -> None:
        """Note that a session is being used."""
        with self.store.write() as tx:
            tx.sessions.touch(session_id, self.clock.now())

    def make_setup_link(self) -> Secret | None:
        """Make the one-time link that sets Administrator's first password; None once it has one."""
        with self.store.write() as tx:
            administrator = _awaits_password(tx)
            if administrator is None:
                return None
            link = Secret(issue_token(TokenKind.LINK, self.entropy.random_bytes(entropy_bytes(TokenKind.LINK))))
            expires_at = self.clock.now() + SETUP_LINK_SECONDS
            digest = self.peppers.digest(Purpose.LINK, _SETUP, link.text)
            tx.links.add(digest.value, _SETUP, administrator.id, expires_at)
            return link

    def setup_link_opens(self, link: Secret) -> bool:
        """Whether a set-up link would be accepted; looking does not use it up."""
        with self.store.read() as tx:
            user_id = tx.links.find(self._link_digests(link), _SETUP, self.clock.now())
            return user_id is not None and _awaits_password(tx) is not None

    def use_setup_link(self, link: Secret, password: Secret, ip_address: str) -> None:
        """Set Administrator's first password and use the link up.

        Raises:
            NotFound: The link was used, has expired or never was.
            Invalid: The password is not accepted; the link lives on.
        """
        problem = password_problem(password, ADMINISTRATOR)
        if problem:
            raise Invalid({"password": problem})
        if not self.setup_link_opens(link):
            raise NotFound("This set-up link was used or has expired")
        password_hash = hash_password(password, self.entropy.random_bytes(SALT_BYTES), self.profile)
        with self.store.write() as tx:
            user_id = tx.links.use(self._link_digests(link), _SETUP, self.clock.now())
            # A password set meanwhile in another way must not be replaced by an old link.
            if user_id is None or _awaits_password(tx) is None:
                raise NotFound("This set-up link was used or has expired")
            tx.users.change(user_id, UserChanges(password_hash=password_hash), self.clock.now_us())
            actor = Actor(ADMINISTRATOR, ip_address, None)
            note(tx, self.clock, actor, "user.password_set", ADMINISTRATOR, detail="by set-up link")

    def _link_digests(self, link: Secret) -> list[bytes]:
        return self.peppers.candidates(Purpose.LINK, _SETUP, link.text)

    def _password_opens(self, user: StoredUser | None, password: Secret) -> bool:
        stored = user.password_hash if user and user.password_hash else None
        if len(password.text) > PASSWORD_LENGTH_MAX:
            return False
        return password_verifies(stored or self.decoy_hash, password) and stored is not None

    def _fail(self, user: StoredUser | None, attempt: SignInAttempt) -> NoReturn:
        wait = self.throttles.count_wrong_password(attempt.ip_address)
        if wait:
            raise RateLimited("Too many attempts to sign in. Try again later.", retry_after_seconds=wait)
        # A row for a user that does not exist too: the time that writing takes must not tell who does.
        actor = Actor(user.name if user else GUEST, attempt.ip_address, None)
        with self.store.write() as tx:
            subject = user.name if user else _UNKNOWN_USER
            note(tx, self.clock, actor, "session.refused", subject, detail="wrong password or disabled")
        raise SignInFailed(_INVALID)

    def _open(self, user: StoredUser, attempt: SignInAttempt) -> SignedIn | CodeAsked:
        rehashed = None
        if user.password_hash and needs_rehash(user.password_hash, self.profile):
            salt = self.entropy.random_bytes(SALT_BYTES)
            rehashed = hash_password(attempt.password, salt, self.profile)
        sid = self.make_sid()
        with self.store.write() as tx:
            present = tx.users.find(user.name)
            if present is None or present.id != user.id or present.password_hash != user.password_hash:
                # The password was changed while it was being checked.
                raise SignInFailed(_INVALID)
            if rehashed:
                tx.users.change(user.id, UserChanges(password_hash=rehashed), self.clock.now_us())
                present = replace(present, password_hash=rehashed)
            enrolled = tx.second_factors.find(user.id) is not None
            if needs_second_factor(present, tx.second_factors.list_requiring(), enrolled=enrolled):
                return self._ask_code(tx, present, attempt, enrolled=enrolled)
            return self.open_session_in(tx, present, attempt.browser, sid)

    def _ask_code(self, tx: Transaction, user: StoredUser, attempt: SignInAttempt, *, enrolled: bool) -> CodeAsked:
        kind = TokenKind.SIGN_IN_STEP
        step = Secret(issue_token(kind, self.entropy.random_bytes(entropy_bytes(kind))))
        now = self.clock.now()
        new = NewSignInStep(
            digest=self.peppers.digest(Purpose.SIGN_IN_STEP, step.text).value,
            user_id=user.id,
            password_mark=self.peppers.digest(Purpose.PASSWORD_MARK, user.password_hash or "").value,
            expires_at=now + STEP_SECONDS,
        )
        tx.sign_in_steps.add(new, now)
        told = "" if enrolled else "a second factor has to be set up first"
        note(tx, self.clock, Actor(user.name, attempt.ip_address, None), "session.code_asked", user.name, detail=told)
        return CodeAsked(step, enrolled)


def _awaits_password(tx: Transaction) -> StoredUser | None:
    """Give Administrator as long as it has no password."""
    administrator = tx.users.find(ADMINISTRATOR)
    return administrator if administrator and administrator.password_hash is None else None
