"""The applications that may act for a user: what the user allowed them, and their end."""

from collections.abc import Iterable
from dataclasses import dataclass

from latchgate.core.permissions import Action, Reach
from latchgate.core.principals import Reason
from latchgate.core.token_families import Approval, StoredConsent, StoredFamily
from latchgate.core.users import StoredUser
from latchgate.errors import NotFound, NotPermitted
from latchgate.services.activity import note
from latchgate.services.actors import Actor, read_as, write_as
from latchgate.services.consents import OAUTH_CONSENT, end_access
from latchgate.services.ports import Clock, Store, Transaction
from latchgate.services.rights import find_reach, is_self, judge_early

__all__ = ["ConnectedApp", "ConnectedAppService"]


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """A client that a user allowed something once and for all, or that holds tokens of the user."""

    client_id: str
    app_name: str
    scopes: frozenset[str]
    """All that it may ask for again without a question, or has."""
    audience: frozenset[str]
    since: int
    """Unix seconds: when it was first allowed what it has now."""
    holds_tokens: bool
    trusted: bool
    """Whether users are not asked: taken back, it gets in again with their next sign-in there."""


@dataclass(frozen=True, slots=True)
class ConnectedAppService:
    """Connected applications, one's own and, for who may, others'.

    The right is that on consents, although devices and trusted clients have tokens and no consent: to whoever looks, an
    application that acts for them is one thing.
    """

    store: Store
    clock: Clock

    def may(self, actor: Actor, user: str, action: Action) -> bool:
        """Whether the actor may look at a user's applications, or end them."""
        with read_as(self.store, actor) as tx:
            try:
                _require(tx, actor, user, action)
            except NotPermitted:
                return False
            return True

    def list_of(self, actor: Actor, user: str) -> list[ConnectedApp]:
        """List a user's applications by name. Raises NotPermitted; NotFound if there is no such user."""
        with read_as(self.store, actor) as tx:
            found = _require(tx, actor, user, Action.READ)
            return _list(tx, found.id, self.clock.now())

    def disconnect(self, actor: Actor, user: str, client_id: str) -> None:
        """End all that a client has of a user: what was allowed, and every token.

        Raises:
            NotFound: It has nothing, or there is no such user.
            NotPermitted.
        """
        judge_early(self.store, actor, lambda tx: _require(tx, actor, user, Action.DELETE))
        with write_as(self.store, actor) as tx:
            found = _require(tx, actor, user, Action.DELETE)
            client = tx.clients.find(client_id)
            if client is None:
                raise NotFound("There is no such application")
            if not end_access(tx, self.clock.now(), found.id, client.id):
                raise NotFound("There is no such application")
            note(tx, self.clock, actor, "consent.ended", client_id, detail=found.name)


def _require(tx: Transaction, actor: Actor, user: str, action: Action) -> StoredUser:
    """Give a user with whose applications the actor may do this. Raises NotPermitted, NotFound."""
    reach = find_reach(tx, actor, OAUTH_CONSENT, action)
    found = tx.users.find(user)
    own = found is not None and is_self(actor, found)
    if isinstance(reach, Reason) or (reach is not Reach.ALL and not own):
        reason = reach if isinstance(reach, Reason) else Reason.ROLE_MISSING
        raise NotPermitted(f"No permission for {OAUTH_CONSENT}", reason=reason.value, told=True)
    if found is None:
        raise NotFound("There is no such user")
    return found


def _list(tx: Transaction, user_id: int, now: int) -> list[ConnectedApp]:
    consents = {consent.client_row_id: consent for consent in tx.consents.list_of(user_id)}
    families: dict[int, list[StoredFamily]] = {}
    for family in tx.token_families.list_live(user_id, now):
        families.setdefault(family.client_row_id, []).append(family)
    apps = [_describe(tx, row, consents.get(row), families.get(row, [])) for row in {*consents, *families}]
    return sorted((app for app in apps if app), key=lambda app: (app.app_name.casefold(), app.client_id))


def _describe(
    tx: Transaction, row_id: int, consent: StoredConsent | None, families: list[StoredFamily]
) -> ConnectedApp | None:
    client = tx.clients.find_id(row_id)
    if client is None or client.revoked_at is not None:
        # A client that was ended acts for nobody, whatever it was allowed.
        return None
    allowed: list[StoredConsent | Approval] = [family.approval for family in families]
    times = [family.created_at for family in families]
    if consent:
        allowed.append(consent)
        times.append(consent.creation // 1_000_000)
    return ConnectedApp(
        client_id=client.client_id,
        app_name=client.app_name,
        scopes=_joined(one.scopes for one in allowed),
        audience=_joined(one.audience for one in allowed),
        since=min(times),
        holds_tokens=bool(families),
        trusted=client.skip_authorization,
    )


def _joined(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
