"""A credential as `requests` takes it."""

from typing import Any

from requests import PreparedRequest, Response
from requests.auth import AuthBase

from latchgate.client.credentials import Credential, origin_of, require_host

__all__ = ["RequestsAuth"]

_UNAUTHORIZED = 401


class RequestsAuth(AuthBase):
    """Sends a credential, and once more with another token if the first was refused.

    After a redirect to another host it is not sent: `requests` takes the header away, and here none is put back.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def __repr__(self) -> str:
        return f"RequestsAuth({self._credential!r})"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Put the credential into a request. Raises WrongHost, TokenError."""
        require_host(self._credential, request.url or "")
        headers = self._credential.headers()
        request.headers.update(headers)
        origin, sent = origin_of(request.url or ""), headers["Authorization"]

        def look(response: Response, **options: Any) -> Response:  # noqa: ANN401  # as the library's
            return self._try_again(response, origin, sent, options)

        request.register_hook("response", look)
        return request

    def _try_again(
        self, response: Response, origin: tuple[str, str, int | None], sent: str, options: dict[str, Any]
    ) -> Response:
        asked = response.request
        # A redirect's target is asked by a copy of the request, hooks and all.
        if response.status_code != _UNAUTHORIZED or origin_of(asked.url or "") != origin:
            return response
        if asked.headers.get("Authorization") != sent or not isinstance(asked.body, str | bytes | None):
            return response
        headers = self._credential.renewed_headers(sent)
        if headers is None:
            return response
        # The connection is free for the next once this one was read.
        _ = response.content
        response.close()
        again = asked.copy()
        again.headers.update(headers)
        answer: Response = response.connection.send(again, **options)
        answer.history.append(response)
        answer.request = again
        return answer
