"""Changes put back within some minutes, by whoever made them: judged and logged like any change that they make."""

from dataclasses import dataclass

from latchgate.core.credentials import Scheme
from latchgate.core.undos import Undo
from latchgate.errors import NotFound
from latchgate.services.actors import Actor, write_as
from latchgate.services.documents import DocumentService
from latchgate.services.permissions import ROLE_PERMISSION, PermissionService
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.undo_ports import NewUndo, StoredUndo

__all__ = ["UNDO_SECONDS", "UndoService", "Undone"]

UNDO_SECONDS = 600
"""How long a change can be undone."""
_ID_BYTES = 16
_GONE = "This cannot be undone any more: it was undone before, its ten minutes are over, or somebody else did it"


@dataclass(frozen=True, slots=True)
class Undone:
    """What was put back."""

    doctype: str
    back: str
    """The address of the page where the change was made."""


@dataclass(frozen=True, slots=True)
class UndoService:
    """Remembers what would put a change back, for the session that made it, and puts it back once.

    That somebody may undo gives no right: the services judge the change as if it came from a form.
    """

    store: Store
    clock: Clock
    entropy: Entropy
    documents: DocumentService
    permissions: PermissionService

    def offer(self, actor: Actor, undo: Undo, back: str) -> str:
        """Let the session that made a change undo it for UNDO_SECONDS.

        Args:
            actor: Who made it, as after the change, by which they may have become somebody else than was let in.
            undo: What would put it back.
            back: The address of the page where it was made.

        Returns:
            Its id, which is nothing to anybody else; empty where no session made the change.
        """
        public_id, now = self.entropy.random_bytes(_ID_BYTES).hex(), self.clock.now()
        with write_as(self.store, actor) as tx:
            session = tx.sessions.find_public(_session_of(actor))
            if session is None:
                return ""
            tx.undos.add(NewUndo(public_id, session.id, undo, back, now + UNDO_SECONDS), now)
        return public_id

    def find(self, actor: Actor, public_id: str) -> StoredUndo | None:
        """Look up what the actor's session can still undo, as far as time and use go."""
        with self.store.read() as tx:
            return self._find(tx, actor, public_id)

    def undo(self, actor: Actor, public_id: str) -> Undone:
        """Put a change back, if nothing else was changed of it since.

        Raises:
            NotFound: There is no such change of the actor's session, it was undone before, or its time is over.
            NotPermitted, Conflict, Invalid: As the change itself; with Flaw.STALE, if another came between.
        """
        if self.find(actor, public_id) is None:
            # Before anybody waits for the one transaction that writes.
            raise NotFound(_GONE)
        with write_as(self.store, actor) as tx:
            return self._undo(tx, actor, public_id)

    def _undo(self, tx: Transaction, actor: Actor, public_id: str) -> Undone:
        found = self._find(tx, actor, public_id)
        if found is None:
            raise NotFound(_GONE)
        undo = found.undo
        # In the transaction of the change: of two at once, one finds it gone, and what is refused is not used up.
        tx.undos.end(found.id)
        if undo.doctype == ROLE_PERMISSION:
            self.permissions.undo_in(tx, actor, undo)
        else:
            self.documents.change_in(tx, actor, (undo.doctype, undo.name), {**undo.values, "modified": undo.seen})
        return Undone(undo.doctype, found.back)

    def _find(self, tx: Transaction, actor: Actor, public_id: str) -> StoredUndo | None:
        return tx.undos.find(public_id, _session_of(actor), self.clock.now())


def _session_of(actor: Actor) -> str:
    """Give the public id of the session that somebody acts by; empty, as no session's, where they act otherwise."""
    principal = actor.principal
    return principal.credential if principal is not None and principal.scheme is Scheme.SESSION else ""
