"""What the service tells about itself to clients: metadata and public keys. Source: RFC 8414; RFC 9728; RFC 7517."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import JSONResponse, Response

from latchgate.oauth.metadata import ServerAddresses, openid_configuration, protected_resource, server_metadata
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import WITHOUT_SESSION, Page
from latchgate.services.signing_keys import SigningKeyService

__all__ = ["metadata_pages"]

_GET = frozenset({"GET"})
_SECONDS = 300
"""How long a reader may keep a document: a new signing key must soon be known."""


def metadata_pages(issuer: str, signing_keys: SigningKeyService, *, registration: bool) -> Mapping[str, Page]:
    """Build the addresses of the documents."""
    addresses = ServerAddresses(issuer)
    documents = {
        "/.well-known/openid-configuration": openid_configuration(addresses, registration=registration),
        "/.well-known/oauth-authorization-server": server_metadata(addresses, registration=registration),
        "/.well-known/oauth-protected-resource": protected_resource(issuer),
    }
    pages = {address: _page(_Fixed(document)) for address, document in documents.items()}
    return {**pages, "/.well-known/jwks.json": _page(_Keys(signing_keys))}


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A document that stays the same for as long as the service runs."""

    document: Mapping[str, object]

    async def __call__(self, _call: Call) -> Response:
        return _answer(self.document)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The public keys that ID tokens are verified with."""

    signing_keys: SigningKeyService

    async def __call__(self, _call: Call) -> Response:
        return _answer(await anyio.to_thread.run_sync(self.signing_keys.key_set))


def _page(handler: Callable[[Call], object]) -> Page:
    return Page(WITHOUT_SESSION, _GET, handler, Dialect.PLAIN, cross_origin=True)  # type: ignore[arg-type]


def _answer(document: Mapping[str, object]) -> Response:
    return JSONResponse(document, headers={"Cache-Control": f"public, max-age={_SECONDS}"})
