"""The sessions of whoever asks: which there are, and their end."""

from dataclasses import dataclass

from latchgate.core.api_keys import beyond
from latchgate.core.principals import Principal
from latchgate.core.sessions import StoredSession, is_alive
from latchgate.errors import NotFound, NotPermitted
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, read_as, write_as
from latchgate.services.authentication import Rules
from latchgate.services.ports import Clock, Store

__all__ = ["SessionService"]


@dataclass(frozen=True, slots=True)
class SessionService:
    """One's own sessions; nobody sees or ends another's but by setting their password or disabling them."""

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
        """End all of one's sessions but the one that asks; tell how many. Raises NotPermitted as `list_own`."""
        own = _require_unlimited(actor)
        with write_as(self.store, actor) as tx:
            # A key's own id is no session's.
            ended = tx.sessions.revoke_all(own.user_id, self.clock.now(), but=own.credential)
            if ended:
                note(tx, self.clock, actor, "session.others_ended", own.user, detail=f"{ended} sessions ended")
        return ended


def _require_unlimited(actor: Actor) -> Principal:
    if actor.principal is None:
        raise NotFound("The command line has no sessions")
    if beyond(actor.principal, UNLIMITED):
        told = "A credential that is limited neither shows nor ends sessions"
        raise NotPermitted(told, reason="beyond", told=True)
    return actor.principal
