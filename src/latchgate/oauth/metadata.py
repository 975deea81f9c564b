"""What Latchgate tells of itself to clients that have never seen it: only what it does.

Source: RFC 8414, section 2; RFC 8628, section 4; RFC 9207, section 3; RFC 9728, section 2; OpenID Connect Discovery
1.0, section 3; OpenID Connect RP-Initiated Logout 1.0, section 2.1.
"""

from dataclasses import dataclass
from typing import Any

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm
from latchgate.core.scopes import ALL, READ
from latchgate.oauth.assertions import ASSERTION_ALGORITHMS
from latchgate.oauth.scopes import EMAIL, OPENID, PROFILE, ROLES

__all__ = ["ServerAddresses", "openid_configuration", "protected_resource", "server_metadata"]

_METHODS = "/api/method/frappe.integrations.oauth2"
# Free names and those of document types are accepted too; nobody needs a list of them.
_SCOPES = (ALL, READ, OPENID, PROFILE, EMAIL, ROLES)
_CLAIMS_OF_THE_TOKEN = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash")
_CLAIMS_OF_THE_USER = ("name", "given_name", "family_name", "email", "roles")


@dataclass(frozen=True, slots=True)
class ServerAddresses:
    """Where everything is; Frappe's addresses wherever Frappe has one."""

    issuer: str
    """What we call ourselves: an https address (http on this very machine) without query and fragment."""

    @property
    def authorization(self) -> str:
        """Where a browser is sent to ask its user."""
        return self._method("authorize")

    @property
    def token(self) -> str:
        """Where codes and refresh tokens are exchanged."""
        return self._method("get_token")

    @property
    def revocation(self) -> str:
        """Where tokens are given back. Source: RFC 7009."""
        return self._method("revoke_token")

    @property
    def introspection(self) -> str:
        """Where tokens are asked about. Source: RFC 7662."""
        return self._method("introspect_token")

    @property
    def userinfo(self) -> str:
        """Where a token tells of its user. Source: OpenID Connect Core, section 5.3."""
        return self._method("openid_profile")

    @property
    def registration(self) -> str:
        """Where clients register themselves. Source: RFC 7591."""
        return self._method("register_client")

    @property
    def device_authorization(self) -> str:
        """Where a device begins. Source: RFC 8628, section 3.1."""
        return self._method("device_authorization")

    @property
    def end_session(self) -> str:
        """Where a browser is sent to sign out. Source: OpenID Connect RP-Initiated Logout, section 2."""
        return self._method("end_session")

    @property
    def jwks(self) -> str:
        """Where the keys are by which ID tokens are verified."""
        return self._under("/.well-known/jwks.json")

    @property
    def device_page(self) -> str:
        """Where a user types what a device shows. Source: RFC 8628, section 3.3."""
        return self._under("/device")

    def _method(self, name: str) -> str:
        return self._under(f"{_METHODS}.{name}")

    def _under(self, path: str) -> str:
        return self.issuer.rstrip("/") + path


def server_metadata(addresses: ServerAddresses, *, registration: bool) -> dict[str, Any]:
    """Write the metadata of the authorization server.

    Args:
        addresses: Where everything is.
        registration: Whether clients may register themselves.
    Source: RFC 8414, section 2.
    """
    with_secret = [method.value for method in AuthMethod if method is not AuthMethod.NONE]
    with_all = [method.value for method in AuthMethod]
    metadata: dict[str, Any] = {
        "issuer": addresses.issuer,
        "authorization_endpoint": addresses.authorization,
        "token_endpoint": addresses.token,
        "revocation_endpoint": addresses.revocation,
        "introspection_endpoint": addresses.introspection,
        "device_authorization_endpoint": addresses.device_authorization,
        "jwks_uri": addresses.jwks,
        "scopes_supported": list(_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [grant_type.value for grant_type in GrantType],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
    # Who may keep no secret may give tokens back, but not ask about them.
    for endpoint, methods in (("token", with_all), ("revocation", with_all), ("introspection", with_secret)):
        metadata[f"{endpoint}_endpoint_auth_methods_supported"] = list(methods)
        metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = list(ASSERTION_ALGORITHMS)
    if registration:
        metadata["registration_endpoint"] = addresses.registration
    return metadata


def openid_configuration(addresses: ServerAddresses, *, registration: bool) -> dict[str, Any]:
    """Write the metadata of the OpenID provider, which is that of the authorization server and more.

    Args:
        addresses: Where everything is.
        registration: Whether clients may register themselves.
    Source: OpenID Connect Discovery, section 3.
    """
    return {
        **server_metadata(addresses, registration=registration),
        "userinfo_endpoint": addresses.userinfo,
        "end_session_endpoint": addresses.end_session,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm.value for algorithm in SigningAlgorithm],
        "claims_supported": [*_CLAIMS_OF_THE_TOKEN, *_CLAIMS_OF_THE_USER],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        # Left out it would mean true.
        "request_uri_parameter_supported": False,
    }


def protected_resource(issuer: str) -> dict[str, Any]:
    """Write the metadata of the interface that our own tokens open.

    Source: RFC 9728, section 2.
    """
    return {
        "resource": issuer,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "Latchgate",
        "scopes_supported": list(_SCOPES),
    }
