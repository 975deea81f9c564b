"""Sessions: which there are, and their end; one's own, and for System Managers everybody's."""

from dataclasses import dataclass

from latchgate.core.api_keys import beyond
from latchgate.core.principals import Principal
from latchgate.core.sessions import StoredSession, is_alive
from latchgate.core.users import StoredUser
from latchgate.errors import NotFound, NotPermitted
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, read_as, require_system_manager, write_as
from latchgate.services.authentication import Rules
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import judge_early
from latchgate.services.user_rights import get_user

__all__ = ["Ended", "SessionService"]


@dataclass(frozen=True, slots=True)
class Ended:
    """What was ended at once."""

    sessions: int
    sign_ins: int
    """Those that waited for a code of the second factor."""

    def __bool__(self) -> bool:
        return bool(self.sessions or self.sign_ins)

    def __str__(self) -> str:
        counts = (self.sessions, "session"), (self.sign_ins, "waiting sign-in")
        told = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts if count]
        return " and ".join(told) or "0 sessions"


@dataclass(frozen=True, slots=True)
class SessionService:
    """One's own sessions; another's are seen and ended by System Managers alone."""

    store: Store
    clock: Clock
    rules: Rules

    def list_own(self, actor: Actor) -> list[StoredSession]:
        """List one's sessions that still open something, the one used last first.

        Raises NotPermitted for a credential that is limited: from where somebody signs in is none of its business.
        """
        now, own = self.clock.now(), _require_unlimited(actor)
        with read_as(self.store, actor) as tx:
            found, lifetime = tx.sessions.list_unrevoked(own.user_id), self.rules.lifetime(tx)
        return [session for session in found if is_alive(session, lifetime, now)]

    def list_of(self, actor: Actor, name: str) -> list[StoredSession]:
        """List the sessions of a user that still open something, the one used last first.

        Raises:
            NotFound: There is no such user.
            NotPermitted: The actor is no System Manager, or uses a credential that is limited.
        """
        now = self.clock.now()
        with read_as(self.store, actor) as tx:
            found, lifetime = tx.sessions.list_unrevoked(_get_user(tx, actor, name).id), self.rules.lifetime(tx)
        return [session for session in found if is_alive(session, lifetime, now)]

    def end_of(self, actor: Actor, name: str, public_id: str) -> None:
        """End one of a user's sessions. Raises as `list_of`, and NotFound if there is none of that id."""
        judge_early(self.store, actor, lambda tx: _get_user(tx, actor, name))
        with write_as(self.store, actor) as tx:
            user, session = _get_user(tx, actor, name), tx.sessions.find_public(public_id)
            if session is None or session.user.id != user.id:
                raise NotFound("There is no such session")
            if session.revoked_at is None:
                tx.sessions.revoke(session.id, self.clock.now())
                note(tx, self.clock, actor, "session.ended", session.public_id, detail=f"of {user.name}")

    def end_all_of(self, actor: Actor, name: str) -> Ended:
        """End a user's sessions, but the one that asks, and sign-ins that wait for a code; tell how many.

        Raises as `list_of`.
        """
        judge_early(self.store, actor, lambda tx: _get_user(tx, actor, name))
        with write_as(self.store, actor) as tx:
            user = _get_user(tx, actor, name)
            return self._end_all(tx, actor, user.id, user.name)

    def end_own(self, actor: Actor, public_id: str) -> None:
        """End one of one's sessions. Raises NotFound, also for another's, and NotPermitted as `list_own`."""
        own = _require_unlimited(actor)
        with write_as(self.store, actor) as tx:
            session = tx.sessions.find_public(public_id)
            if session is None or session.user.id != own.user_id:
                raise NotFound("There is no such session")
            if session.revoked_at is None:
                tx.sessions.revoke(session.id, self.clock.now())
                note(tx, self.clock, actor, "session.ended", session.public_id)

    def end_others(self, actor: Actor) -> Ended:
        """End all of one's sessions but the one that asks, and sign-ins that wait for a code; tell how many.

        Raises NotPermitted as `list_own`.
        """
        own = _require_unlimited(actor)
        with write_as(self.store, actor) as tx:
            return self._end_all(tx, actor, own.user_id, own.user)

    def _end_all(self, tx: Transaction, actor: Actor, user_id: int, name: str) -> Ended:
        now = self.clock.now()
        # A key's own id is no session's.
        kept = actor.principal.credential if actor.principal else None
        # Whoever knows the password has come half-way elsewhere, and would be in by a code a moment later.
        sign_ins = tx.sign_in_steps.end_all(user_id, now)
        ended = Ended(tx.sessions.revoke_all(user_id, now, but=kept), sign_ins)
        if ended:
            note(tx, self.clock, actor, "session.others_ended", name, detail=f"{ended} ended")
        return ended


def _get_user(tx: Transaction, actor: Actor, name: str) -> StoredUser:
    require_system_manager(actor)
    if actor.principal is not None:
        _require_unlimited(actor)
    return get_user(tx, name)


def _require_unlimited(actor: Actor) -> Principal:
    if actor.principal is None:
        raise NotFound("The command line has no sessions")
    if beyond(actor.principal, UNLIMITED):
        told = "A credential that is limited neither shows nor ends sessions"
        raise NotPermitted(told, reason="beyond", told=True)
    return actor.principal
