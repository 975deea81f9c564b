"""OAuth clients, access tokens and consents as documents: their fields as orders to the services."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient
from latchgate.core.document_types import format_time
from latchgate.core.undos import Undo
from latchgate.errors import Invalid
from latchgate.oauth.scopes import parse_scope_parameter
from latchgate.services.access_tokens import AccessTokenService
from latchgate.services.actors import Actor
from latchgate.services.client_orders import ClientOrder, order_of
from latchgate.services.clients import OAUTH_CLIENT, ClientService
from latchgate.services.consents import ConsentService
from latchgate.services.document_writers import Made, find_known_user, in_fields
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Transaction

__all__ = ["ClientWriter", "ConsentWriter", "TokenWriter", "undo_of_client"]

_NAMES = {"auth_method": "token_endpoint_auth_method", "id_token_alg": "id_token_signed_response_alg"}


@dataclass(frozen=True, slots=True)
class ClientWriter:
    """Clients: made with a secret that is told once, if they have one."""

    clients: ClientService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:
        """Make a client."""
        find_known_user(tx, actor, wanted["user"])
        with in_fields(**_NAMES):
            made = self.clients.create_in(tx, actor, _changed(ClientOrder(""), wanted))
        return Made(made.client.client_id, {"client_secret": made.secret.text} if made.secret else {})

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:
        """Replace what is chosen of a client; what would give it its first secret is for who is shown it."""
        client_id = str(found.values["name"])
        client = tx.clients.find(client_id)
        if client is None:
            raise AssertionError("the record was found in this transaction")
        find_known_user(tx, actor, changes.get("user"))
        order = _changed(order_of(client), changes)
        if order.auth_method.by_secret and not client.auth_method.by_secret:
            raise Invalid({"token_endpoint_auth_method": "needs a secret, which is not told here: make a new client"})
        with in_fields(**_NAMES):
            self.clients.change_in(tx, actor, client_id, order)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Delete a client with all that was issued to it."""
        self.clients.delete_in(tx, actor, str(found.values["name"]))


@dataclass(frozen=True, slots=True)
class TokenWriter:
    """Access tokens: they are ended, and nothing else."""

    access_tokens: AccessTokenService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Refuse: clients get them."""
        raise Invalid({"doctype": "Access tokens are issued to OAuth clients; ask for an API key instead"})

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Never happens: no field can be changed."""
        raise AssertionError(changes)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """End a token, with all that descends from the same approval; its record stays a while."""
        self.access_tokens.end_in(tx, actor, str(found.values["name"]))


@dataclass(frozen=True, slots=True)
class ConsentWriter:
    """Consents: they are taken back, and nothing else."""

    consents: ConsentService

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Refuse: users give them when they are asked."""
        raise Invalid({"doctype": "Users allow a client where it asks them"})

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Never happens: no field can be changed."""
        raise AssertionError(changes)

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:
        """Take a consent back, with the tokens that came of it."""
        self.consents.end_in(tx, actor, str(found.values["name"]))


def undo_of_client(before: StoredClient, after: StoredClient) -> Undo | None:
    """Tell what would put a client back; None where nothing was changed, or a secret came or went with it."""
    if before.auth_method.by_secret != after.auth_method.by_secret:
        return None
    was, now = _values_of(order_of(before)), _values_of(order_of(after))
    values = {name: value for name, value in was.items() if value != now[name]}
    return Undo(OAUTH_CLIENT, after.client_id, values, format_time(after.modified) or "") if values else None


def _changed(order: ClientOrder, values: Mapping[str, Any]) -> ClientOrder:
    """Put the fields of a document into an order. Raises Invalid."""
    read = {name: reading(values[field]) for field, (name, reading) in _FIELDS.items() if field in values}
    return replace(order, **read)


def _values_of(order: ClientOrder) -> dict[str, Any]:
    """Give the fields of a document that make an order."""
    return {field: _VALUES.get(name, _as_it_is)(getattr(order, name)) for field, (name, _) in _FIELDS.items()}


def _as_it_is(value: object) -> object:
    return value


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _scopes(text: str) -> frozenset[str]:
    scopes = parse_scope_parameter(" ".join(text.split()))
    if isinstance(scopes, str):
        raise Invalid({"scopes": scopes})
    return scopes


def _grants(names: list[str]) -> frozenset[GrantType]:
    unknown = [name for name in names if name not in set(GrantType)]
    if unknown:
        raise Invalid({"grant_types": f"'{unknown[0][:100]}' is none of {', '.join(GrantType)}"})
    return frozenset(map(GrantType, names))


_FIELDS: dict[str, tuple[str, Any]] = {
    "app_name": ("app_name", str),
    "user": ("user", lambda user: user or None),
    "scopes": ("scopes", _scopes),
    "redirect_uris": ("redirect_uris", _words),
    "post_logout_redirect_uris": ("post_logout_redirect_uris", _words),
    "grant_types": ("grant_types", _grants),
    "token_endpoint_auth_method": ("auth_method", AuthMethod),
    "jwks": ("jwks", str),
    "allowed_roles": ("allowed_roles", frozenset),
    "skip_authorization": ("skip_authorization", bool),
    "require_pkce": ("require_pkce", bool),
    "id_token_signed_response_alg": ("id_token_alg", SigningAlgorithm),
    "client_uri": ("client_uri", str),
    "resources": ("resources", _words),
}
"""By a document's field: the order's, and how its value is read."""

_VALUES: dict[str, Any] = {
    "user": lambda user: user or "",
    "scopes": lambda scopes: " ".join(scope.replace(" ", "%20") for scope in sorted(scopes)),
    "redirect_uris": "\n".join,
    "post_logout_redirect_uris": "\n".join,
    "resources": "\n".join,
    "grant_types": lambda grants: sorted(map(str, grants)),
    "allowed_roles": sorted,
    "auth_method": str,
    "id_token_alg": str,
    "skip_authorization": int,
    "require_pkce": int,
}
"""By an order's field: how its value is written in a document."""
