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

__all__ = ["SessionService"]


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

    def end_all_of(self, actor: Actor, name: str) -> int:
        """End a user's sessions, but the one that asks, and sign-ins that wait for a code; tell how many sessions.

        Raises as `list_of`.
        """
        judge_early(self.store, actor, lambda tx: _get_user(tx, actor, name))
        with write_as(self.store, actor) as tx:
            user = _get_user(tx, actor, name)
            kept = actor.principal.credential if actor.principal else None
            tx.sign_in_steps.end_all(user.id)
            ended = tx.sessions.revoke_all(user.id, self.clock.now(), but=kept)
            if ended:
                note(tx, self.clock, actor, "session.others_ended", user.name, detail=f"{ended} sessions ended")
        return ended

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

    def end_others(self, actor: Actor) -> int:
        """End all of one's sessions but the one that asks, and sign-ins that wait for a code; tell how many sessions.

        Raises NotPermitted as `list_own`.
        """
        own = _require_unlimited(actor)
        with write_as(self.store, actor) as tx:
            # Whoever knows the password has come half-way elsewhere, and would be in by a code a moment later.
            tx.sign_in_steps.end_all(own.user_id)
            # A key's own id is no session's.
            ended = tx.sessions.revoke_all(own.user_id, self.clock.now(), but=own.credential)
            if ended:
                note(tx, self.clock, actor, "session.others_ended", own.user, detail=f"{ended} sessions ended")
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
