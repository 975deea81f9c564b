"""A client, a token and a consent, as the examples of the OpenAPI document name them."""

from latchgate.core.document_types import DocumentType, parse_time
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.token_families import Approval
from latchgate.server.openapi_examples import record_example
from latchgate.services.ports import Store
from support.new_rows import digest, new_client, new_token


def add_oauth_rows(store: Store, user: str) -> None:
    """Store them for a user who is there; the client as what it is made by Administrator."""
    client, token, consent = (record_example(_type(name)) for name in ("Client", "Bearer Token", "Consent"))
    approval = Approval(frozenset(token["scopes"].split()), frozenset(token["audience"]), 1)
    fields = {
        "app_name": client["app_name"],
        "redirect_uris": tuple(client["redirect_uris"].split()),
        "scopes": approval.scopes,
        "allowed_roles": frozenset(client["allowed_roles"]),
        "client_uri": client["client_uri"],
    }
    with store.write() as tx:
        found = tx.users.find(user)
        assert found is not None
        row_id = tx.clients.add(new_client(client["name"], **fields), 1)
        family_id = tx.token_families.add_family("family", row_id, found.id, approval, 1)
        new = new_token(
            found.id,
            public_id=token["name"],
            client=client["name"],
            scopes=approval.scopes,
            audience=approval.audience,
            client_row_id=row_id,
            family_id=family_id,
            expires_at=parse_time(token["expires"]) // 1_000_000,
        )
        tx.access_tokens.set_digest(tx.access_tokens.add(new), digest("token"))
        tx.consents.put(consent["name"], found.id, row_id, approval, 1)


def _type(name: str) -> DocumentType:
    return DOCUMENT_TYPES[f"OAuth {name}"]
