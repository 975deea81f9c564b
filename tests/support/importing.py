"""Documents are imported into a house, and what came with them is used."""

import json

from latchgate.core.system_settings import Lifetimes
from latchgate.oauth.backing import Issued, Refusal
from latchgate.oauth.provider import Provider
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.clients import ClientService
from latchgate.services.import_reports import ImportReport
from latchgate.services.imports import ImportService
from latchgate.services.oauth_state import OAuthState
from latchgate.services.standing_settings import StandingSettings
from support.house import ADDRESS, ISSUER, PROFILE, House

__all__ = ["REFRESH_SECONDS", "build_importer", "refresh", "take"]

REFRESH_SECONDS = 30 * 86_400
_LIFETIMES = Lifetimes(60, 3600, REFRESH_SECONDS, 600, 10)


def build_importer(house: House) -> ImportService:
    """Build the service of imports over a house."""
    clients = ClientService(house.store, house.peppers, house.clock, house.entropy, ISSUER, house.throttles)
    return ImportService(
        house.store,
        house.peppers,
        house.clock,
        house.entropy,
        PROFILE,
        house.tokens,
        clients,
        lambda _tx: _LIFETIMES,
        StandingSettings.undecided().key_policy,
    )


def take(importer: ImportService, document: object, actor: Actor = COMMAND_LINE) -> ImportReport:
    """Import a document, given as bytes or as what JSON is made of."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return importer.import_document(actor, text, lambda _done, _wanted: None)


def refresh(house: House, client_id: str, token: str) -> Issued | Refusal:
    """Exchange a refresh token, as a client that has proved itself."""
    parameters = [("grant_type", "refresh_token"), ("refresh_token", token)]
    with house.store.write() as tx:
        client = tx.clients.find(client_id)
        assert client is not None
        state = OAuthState(tx, house.peppers, house.clock, house.entropy, _LIFETIMES, ADDRESS)
        return Provider(state, ISSUER).exchange(parameters, client)
