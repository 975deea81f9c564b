"""Take OAuth clients over from another server, and the tokens that it issued to them."""

from dataclasses import dataclass

from latchgate.core.access_tokens import lookup_values, parse_foreign_token
from latchgate.core.clients import StoredClient, client_secret_matches
from latchgate.core.token_families import Approval, digest_refresh_token
from latchgate.core.tokens import Purpose, Secret
from latchgate.errors import Invalid
from latchgate.services.access_tokens import AccessTokenService, TokenOrder, import_token
from latchgate.services.actors import Actor
from latchgate.services.client_orders import ClientOrder
from latchgate.services.clients import ClientService
from latchgate.services.import_documents import ImportDocument, ImportedClient, ImportedToken
from latchgate.services.import_reports import ImportReport, naming
from latchgate.services.ports import Transaction
from latchgate.services.roles import add_role
from latchgate.services.user_rights import get_user

__all__ = ["ClientImport"]

_PUBLIC_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class ClientImport:
    """The part of one import that is about OAuth, in the import's transaction."""

    tx: Transaction
    actor: Actor
    report: ImportReport
    clients: ClientService
    access_tokens: AccessTokenService
    refresh_token_seconds: int

    def take(self, document: ImportDocument) -> list[str]:
        """Take all clients and tokens of a document; list the users whose tokens are new.

        Raises:
            Invalid: Something in it cannot be taken; names entry and field.
        """
        for index, client in enumerate(document.oauth_clients):
            place = f"oauth_clients[{index}]"
            with naming(place):
                self._take_client(place, client)
        gained, clientless = [], 0
        for index, token in enumerate(document.bearer_tokens):
            place = f"bearer_tokens[{index}]"
            with naming(place):
                client_here = self.tx.clients.find(token.client)
                if self._take_token(place, token, client_here):
                    gained.append(token.user)
                clientless += token.refresh_token is not None and client_here is None
        if clientless:
            told = f"{clientless} refresh tokens: their clients are not here, and must ask the user anew"
            self.report.leave("bearer_tokens", told)
        return gained

    def _take_client(self, place: str, entry: ImportedClient) -> None:
        secret = Secret(entry.client_secret.get_secret_value())
        found = self.tx.clients.find(entry.name)
        if found is not None:
            if client_secret_matches(self.clients.peppers, found, secret, self.clients.clock.now()):
                self.report.existed["clients"] += 1
            else:
                self.report.leave(f"{place}.name", "there is a client of that id with another secret")
            return
        for role in sorted(entry.allowed_roles):
            if not self.tx.roles.exists(role):
                add_role(self.tx, self.clients.clock, self.actor, role)
                self.report.taken["roles"] += 1
        order = ClientOrder(
            app_name=entry.app_name or entry.name,
            redirect_uris=entry.all_redirect_uris(),
            scopes=entry.scopes,
            allowed_roles=frozenset(entry.allowed_roles),
            skip_authorization=entry.skip_authorization,
            # It was not asked for a challenge where it comes from, and would stop working.
            require_pkce=False,
        )
        self.clients.import_in(self.tx, self.actor, entry.name, order, secret)
        self.report.taken["clients"] += 1
        if entry.skip_authorization:
            self.report.trusted_clients.append(entry.name)

    def _take_token(self, place: str, entry: ImportedToken, client: StoredClient | None) -> bool:
        """Take an access token with its refresh token, unless they are here; tell whether it is new."""
        token = Secret(entry.access_token.get_secret_value())
        refresh = Secret(entry.refresh_token.get_secret_value()) if entry.refresh_token else None
        stands = self.tx.access_tokens.find(lookup_values(self.access_tokens.peppers, token)) is not None
        refresh_stands = refresh is not None and self._knows(refresh)
        if stands or refresh_stands:
            self._tell_standing(place, entry, client, stands=stands, refresh_stands=refresh_stands)
            return False
        family_id = self._begin_family(entry, client, refresh) if refresh and client else None
        now = self.access_tokens.clock.now()
        order = TokenOrder(
            token=token,
            user=entry.user,
            client=entry.client,
            scopes=entry.scopes,
            expires_at=now - 1 if entry.expired else now + entry.expires_in,
            revoked=entry.status == "Revoked",
            family_id=family_id,
        )
        import_token(self.tx, self.access_tokens, self.actor, order)
        self.report.taken["access_tokens"] += 1
        return True

    def _knows(self, refresh: Secret) -> bool:
        lookups = self.access_tokens.peppers.candidates(Purpose.REFRESH_TOKEN_LOOKUP, refresh.text)
        return self.tx.token_families.find_refresh_token(lookups) is not None

    def _tell_standing(
        self, place: str, entry: ImportedToken, client: StoredClient | None, *, stands: bool, refresh_stands: bool
    ) -> None:
        if stands:
            self.report.existed["access_tokens"] += 1
        else:
            # It ended long ago and was forgotten: what the document says of its time is past.
            self.report.leave(f"{place}.access_token", "its refresh token is here already, and it has ended since")
        if refresh_stands:
            self.report.existed["refresh_tokens"] += 1
        elif entry.refresh_token and client:
            self.report.leave(f"{place}.refresh_token", "its access token is here already, without it")

    def _begin_family(self, entry: ImportedToken, client: StoredClient, refresh: Secret) -> int:
        """Store a refresh token with a family of its own, which a revoked token has ended already."""
        problem = parse_foreign_token(refresh)
        if problem:
            raise Invalid({"refresh_token": problem})
        peppers, now = self.access_tokens.peppers, self.access_tokens.clock.now()
        families = self.tx.token_families
        public_id = "family-" + self.access_tokens.entropy.random_bytes(_PUBLIC_ID_BYTES).hex()
        # When the user signed in there, nobody knows; no ID token comes of a refresh, so that nobody is told either.
        approval = Approval(entry.scopes, frozenset(), auth_time=0)
        family_id = families.add_family(public_id, client.id, get_user(self.tx, entry.user).id, approval, now)
        lookup = peppers.digest(Purpose.REFRESH_TOKEN_LOOKUP, refresh.text).value
        row_id = families.add_refresh_token(lookup, family_id, now, now + self.refresh_token_seconds)
        families.set_refresh_digest(row_id, digest_refresh_token(peppers, row_id, family_id, refresh))
        if entry.status == "Revoked":
            families.revoke_family(family_id, now)
        self.report.taken["refresh_tokens"] += 1
        return family_id
