"""API keys as documents: their fields as orders to the service of keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.core.addresses import Network, parse_networks
from latchgate.core.api_keys import Limits
from latchgate.core.credentials import USER_SOURCE
from latchgate.core.permissions import Action
from latchgate.core.scopes import parse_scopes
from latchgate.errors import Flaw, Invalid, NotFound
from latchgate.services.actors import Actor
from latchgate.services.api_keys import ApiKeyService, KeyOrder, Owner
from latchgate.services.document_writers import Made, in_fields
from latchgate.services.key_rights import KeyRights
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Transaction

__all__ = ["ApiKeyWriter"]

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class ApiKeyWriter:
    """API keys: made with a secret that is told once, ended for good, and else only labelled."""

    api_keys: ApiKeyService

    def judge(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> tuple[Owner, KeyOrder]:
        """Read an order, and for whom it is: the actor unless it says. Raises NotPermitted, Invalid."""
        source, record = wanted["source"], wanted["record"]
        if not record and source != USER_SOURCE:
            raise Invalid({"record": "Value missing for API Key: Record"}, Flaw.MISSING)
        owner = Owner(source, record or actor.user)
        rights = KeyRights(tx, actor, self.api_keys.standing)
        try:
            with in_fields(user="record"):
                rights.require_owner(owner, Action.CREATE)
        except NotFound as error:
            field = "record" if tx.sources.exists(source) else "source"
            raise Invalid({field: f"Could not find {error.public.removesuffix(' not found')}"}, Flaw.LINK) from None
        return owner, KeyOrder(wanted["label"], _limits(wanted))

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Generate a key."""
        owner, order = self.judge(tx, actor, wanted)
        with in_fields(limit="limit_per_minute"):
            issued = self.api_keys.generate_in(tx, actor, owner, order)
        return Made(issued.key.key_id, {"api_secret": issued.secret.text})

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Give a key another label."""
        key_id, source = str(found.values["name"]), str(found.values["source"])
        self.api_keys.relabel_in(tx, actor, key_id, changes["label"], source=source)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """End a key; its record stays."""
        self.api_keys.revoke_in(tx, actor, str(found.values["name"]), source=str(found.values["source"]))


def _limits(wanted: Mapping[str, Any]) -> Limits:
    scopes, expires = wanted["scopes"], wanted["expires"]
    # An empty list must not be taken for no limit.
    found = parse_scopes(scopes) if any(scope.strip() for scope in scopes) else "must name at least one; all for all"
    if isinstance(found, str):
        raise Invalid({"scopes": found})
    return Limits(
        scopes=found,
        networks=_networks(wanted["allowed_networks"]),
        per_minute=wanted["limit_per_minute"],
        expires_at=None if expires is None else expires // _MICROSECONDS,
    )


def _networks(texts: list[str]) -> tuple[Network, ...]:
    networks = parse_networks(",".join(texts))
    if texts and not networks:
        networks = "names no address; leave it out for any"
    if isinstance(networks, str):
        raise Invalid({"allowed_networks": networks})
    return networks
