"""An instance for the tests of the pages of OAuth clients: users of every kind, and a client that one has allowed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from latchgate.core.clients import StoredClient
from latchgate.core.permissions import Action, Grant
from latchgate.core.token_families import Approval
from latchgate.core.tokens import Digest
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from latchgate.services.port_values import NewToken
from support.asgi import Service, opened_service
from support.envelopes import assert_page
from support.pages import visit

__all__ = [
    "API",
    "APPS",
    "BACK",
    "KEEPER",
    "LIST",
    "MANAGER",
    "NEW",
    "TYPED",
    "WEB",
    "Office",
    "open_office",
    "peopled_service",
]

MANAGER, API, WEB, KEEPER = "manager@example.com", "api@example.com", "web@example.com", "keeper@example.com"
LIST, NEW, APPS = "/app/oauth-client", "/app/oauth-client/new", "/me?tab=apps"
BACK = "https://calendar.example.com/back"
TYPED = {
    "app_name": "Address book",
    "kind": "web",
    "redirect_uris": f"{BACK}\n  http://127.0.0.1/back ",
    "may": "all",
    "openid": "1",
    "require_pkce": "1",
    "auth_method": "",
    "id_token_alg": "RS256",
}


@dataclass(frozen=True)
class Office:
    """An instance with users of every kind and a client that one of them allowed something."""

    service: Service
    client_id: str
    token: str

    @property
    def page(self) -> str:
        """The client's."""
        return f"{LIST}/{self.client_id}"

    @property
    def stored(self) -> StoredClient:
        """The client as it is."""
        return self.service.latchgate.clients.get(COMMAND_LINE, self.client_id)

    def typed(self, **changes: str) -> dict[str, str]:
        """Give what the client's own form would send, with these changes; an empty one is left out."""
        text = assert_page(visit(self.service, self.page, MANAGER))
        typed = {**TYPED, "app_name": "Calendar", "redirect_uris": BACK, "auth_method": "client_secret_basic"}
        del typed["kind"]
        seen = re.findall(r'name="seen" value="([^"]*)"', text)[0]
        grants = {f"grant:{grant}": "1" for grant in ("authorization_code", "refresh_token")}
        return {name: value for name, value in {**typed, **grants, "seen": seen, **changes}.items() if value}


@contextmanager
def peopled_service(home: Path) -> Iterator[Service]:
    """Open an instance with a user of every kind, one of whom keeps clients."""
    with opened_service(home) as service:
        service.make_user(MANAGER, first_name="Mary", roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(API)
        service.make_user(WEB, first_name="Will", user_type=UserType.WEBSITE)
        service.latchgate.roles.create(COMMAND_LINE, "Keeper")
        service.make_user(KEEPER, roles=frozenset({"Keeper"}))
        everything = frozenset(Action)
        keeps = Grant("Keeper", "OAuth Client", if_owner=False, actions=everything)
        service.latchgate.permissions.grant(COMMAND_LINE, keeps)
        yield service


@contextmanager
def open_office(service: Service) -> Iterator[Office]:
    """Make a client for a while, which a user has allowed everything."""
    clients = service.latchgate.clients
    client = clients.create(COMMAND_LINE, ClientOrder("Calendar", (BACK,))).client
    yield Office(service, client.client_id, _allow(service, client, WEB))
    if any(one.client_id == client.client_id for one in clients.list_all(COMMAND_LINE)):
        clients.delete(COMMAND_LINE, client.client_id)


def _allow(service: Service, client: StoredClient, user: str) -> str:
    """Let a user have allowed a client everything; give the name of its access token."""
    now = service.latchgate.clock.now()
    approval = Approval(frozenset({"all"}), frozenset(), now)
    name = f"token-{client.client_id}"
    with service.latchgate.store.write() as tx:
        found = tx.users.find(user)
        assert found is not None
        tx.consents.put(f"consent-{client.client_id}", found.id, client.id, approval, now * 1_000_000)
        family = tx.token_families.add_family(f"family-{client.client_id}", client.id, found.id, approval, now)
        new = NewToken(
            name,
            name.encode(),
            found.id,
            client.client_id,
            approval.scopes,
            now,
            now + 3600,
            None,
            client_row_id=client.id,
            family_id=family,
        )
        tx.access_tokens.set_digest(tx.access_tokens.add(new), Digest(1, bytes(32)))
    return name
