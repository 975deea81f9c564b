"""A credential as `httpx` takes it."""

import asyncio
from collections.abc import AsyncGenerator, Generator

import httpx

from latchgate.client.credentials import Credential, origin_of, require_host

__all__ = ["HttpxAuth"]

_UNAUTHORIZED = 401
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class HttpxAuth(httpx.Auth):
    """Sends a credential, and once more with another token if the first was refused.

    After a redirect to another host it is not sent: `httpx` takes the header away, and here none is put back.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def __repr__(self) -> str:
        return f"HttpxAuth({self._credential!r})"

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the credential into a request. Raises WrongHost, TokenError."""
        require_host(self._credential, str(request.url))
        headers = self._credential.headers()
        request.headers.update(headers)
        response = yield request
        if _may_try_again(request, response):
            renewed = self._credential.renewed_headers(headers["Authorization"])
            if renewed is not None:
                response.read()
                request.headers.update(renewed)
                yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Put the credential into a request, without holding the event loop up. Raises as `sync_auth_flow`."""
        require_host(self._credential, str(request.url))
        headers = await asyncio.to_thread(self._credential.headers)
        request.headers.update(headers)
        response = yield request
        if _may_try_again(request, response):
            renewed = await asyncio.to_thread(self._credential.renewed_headers, headers["Authorization"])
            if renewed is not None:
                await response.aread()
                request.headers.update(renewed)
                yield request


def _may_try_again(request: httpx.Request, response: httpx.Response) -> bool:
    # What came from elsewhere, after a redirect, says nothing of the credential; what is gone cannot be sent twice.
    same = origin_of(str(response.request.url)) == origin_of(str(request.url))
    # It is the request before all redirects that would be sent again; what that one did must not be done twice.
    repeatable = not response.history or request.method in _SAFE
    once_more = same and repeatable and isinstance(request.stream, httpx.ByteStream)
    return response.status_code == _UNAUTHORIZED and once_more
