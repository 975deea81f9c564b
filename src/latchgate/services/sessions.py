"""The sessions of whoever asks: which there are, and their end."""

from dataclasses import dataclass

from latchgate.core.principals import Principal
from latchgate.core.sessions import StoredSession, is_alive
from latchgate.errors import NotFound
from latchgate.services.activity import note
from latchgate.services.actors import Actor, write_as
from latchgate.services.authentication import Rules
from latchgate.services.ports import Clock, Store

__all__ = ["SessionService"]


@dataclass(frozen=True, slots=True)
class SessionService:
    """One's own sessions; nobody sees or ends another's but by setting their password or disabling them."""

    store: Store
    clock: Clock
    rules: Rules

    def list_own(self, principal: Principal) -> list[StoredSession]:
        """List one's sessions that still open something, the one used last first."""
        now = self.clock.now()
        with self.store.read() as tx:
            found = tx.sessions.list_unrevoked(principal.user_id)
        return [session for session in found if is_alive(session, self.rules.lifetime, now)]

    def end_own(self, actor: Actor, public_id: str) -> None:
        """End one of one's sessions. Raises NotFound, also for another's."""
        with write_as(self.store, actor) as tx:
            session = tx.sessions.find_public(public_id)
            if session is None or actor.principal is None or session.user.id != actor.principal.user_id:
                raise NotFound("There is no such session")
            if session.revoked_at is None:
                tx.sessions.revoke(session.id, self.clock.now())
                note(tx, self.clock, actor, "session.ended", session.public_id)
