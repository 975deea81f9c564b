"""Requests and clients in the form that Authlib reads."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import InvalidScopeError, OAuth2Payload

from latchgate.core.clients import GrantType, StoredClient
from latchgate.oauth.authorization_requests import AuthorizationRequest
from latchgate.oauth.parameters import normal_resource
from latchgate.oauth.redirects import find_redirect
from latchgate.oauth.scopes import parse_scope_parameter, write_scopes

__all__ = [
    "ClientView",
    "InvalidTargetError",
    "ProtocolRequest",
    "read_scopes",
]


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """A resource that tokens cannot be for. Source: RFC 8707, section 2."""

    error = "invalid_target"


class ClientView:
    """A client as Authlib asks it; none of its secrets is here."""

    def __init__(self, client: StoredClient) -> None:
        self.client = client

    def get_client_id(self) -> str:
        """Give the id."""
        return self.client.client_id

    def get_default_redirect_uri(self) -> str:
        """Give the one redirect URI; where there are several, a request must say which (RFC 6749, section 3.1.2.3)."""
        return self.client.redirect_uris[0] if len(self.client.redirect_uris) == 1 else ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether it is one that was registered."""
        return find_redirect(self.client.redirect_uris, redirect_uri) is not None

    def check_response_type(self, response_type: str) -> bool:
        """Whether it may ask for codes."""
        return response_type == "code" and GrantType.AUTHORIZATION_CODE in self.client.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may exchange such a thing for tokens."""
        return grant_type in self.client.grant_types

    def get_allowed_scope(self, scope: str | None) -> str:
        """Give the scopes that are asked for, all of the client's if none is."""
        return scope or write_scopes(self.client.scopes)


class _Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, parameters: Sequence[tuple[str, str]]) -> None:
        self._lists: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in parameters:
            # What has no value counts as absent (RFC 6749, sections 3.1 and 3.2).
            if value:
                self._lists[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        return {name: values[0] for name, values in self._lists.items()}

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._lists


class ProtocolRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request of ours for Authlib: its parameters in order, and who was proved to send it.

    Authlib's own refuses every address that is not https, by a look at the environment; which address is safe, is for
    whoever runs the service to decide, and its start says so.
    """

    def __init__(self, parameters: Sequence[tuple[str, str]], issuer: str, client: StoredClient | None = None) -> None:
        self.issuer = issuer
        self.method = "POST"
        self.headers: dict[str, str] = {}
        self.payload = _Payload(parameters)
        self.client = ClientView(client) if client else None
        self.auth_method = client.auth_method.value if client else None
        self.user: Any = None
        self.auth_time: int | None = None
        self.wanted: AuthorizationRequest | None = None
        self.authorization_code: Any = None
        self.refresh_token: Any = None
        self.credential: Any = None
        self._scope = None
        self._body = None

    @property
    def form(self) -> dict[str, str]:
        """The parameters, of which each was sent once."""
        return self.payload.data

    @property
    def repeated(self) -> list[str]:
        """List the parameters that were sent twice; each but `resource` may come once (RFC 6749, 3.1 and 3.2)."""
        lists = self.payload.datalist
        return sorted(name for name, values in lists.items() if len(values) > 1 and name != "resource")

    @property
    def resources(self) -> frozenset[str]:
        """The resources that tokens are asked for. Source: RFC 8707, section 2."""
        return frozenset(map(normal_resource, self.payload.datalist.get("resource", [])))

    def narrow_audience(self, allowed: frozenset[str] | None) -> frozenset[str]:
        """Give the resources that tokens are to be for; at the token endpoint they can only become fewer.

        Args:
            allowed: What was allowed before; None where nothing was asked before. None of either means this service.
        """
        wanted = self.resources
        if allowed is None:
            return wanted
        if not wanted <= (allowed or {self.issuer}):
            raise InvalidTargetError("The resource is none that was allowed")
        return wanted or allowed


def read_scopes(text: str | None) -> frozenset[str]:
    """Read a scope parameter. Raises InvalidScopeError."""
    scopes = parse_scope_parameter(text or "")
    if isinstance(scopes, str):
        raise InvalidScopeError("The scope cannot be read")
    return scopes
