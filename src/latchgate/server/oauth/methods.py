"""The endpoints as remote methods, by Frappe's names, each with what it requires."""

from collections.abc import Mapping

from latchgate.bootstrap import Latchgate
from latchgate.core.credentials import Scheme
from latchgate.core.policy import CLIENT, PROVED_CLIENT, Requirement
from latchgate.oauth.metadata import ServerAddresses
from latchgate.oauth.scopes import OPENID
from latchgate.server.desk.frame import Frame
from latchgate.server.oauth.authorize import BY_SESSION, AuthorizationPages
from latchgate.server.oauth.end_session import EndSession
from latchgate.server.oauth.endpoints import (
    DeviceAuthorization,
    Introspection,
    Registration,
    Revocation,
    Token,
    Userinfo,
)
from latchgate.server.replies import Dialect
from latchgate.server.routes import WITHOUT_SESSION, Method

__all__ = ["oauth_methods"]

_POST = frozenset({"POST"})
_GET_POST = frozenset({"GET", "POST"})
_PREFIX = "frappe.integrations.oauth2"
_BY_TOKEN = Requirement(user=True, scope=OPENID, schemes=frozenset({Scheme.BEARER}))
_ANSWERING = Requirement(user=True, schemes=frozenset({Scheme.SESSION}))


def oauth_methods(latchgate: Latchgate, frame: Frame, end_session: EndSession) -> Mapping[str, Method]:
    """Build the table of the endpoints that are methods."""
    addresses = ServerAddresses(latchgate.settings.public_url)
    pages = AuthorizationPages(frame, latchgate.authorizations, addresses)
    tokens = latchgate.tokens
    methods = {
        # A form that another site sends is answered as nobody's.
        "authorize": Method(BY_SESSION, _GET_POST, pages.authorize, requires_by={"POST": WITHOUT_SESSION}),
        "approve": Method(_ANSWERING, _POST, pages.approve),
        # A public client in a browser asks by a script of its own origin, for this and for who its user is.
        "get_token": Method(CLIENT, _POST, Token(tokens), Dialect.OAUTH, cross_origin=True),
        "revoke_token": Method(CLIENT, _POST, Revocation(tokens), Dialect.OAUTH),
        "introspect_token": Method(PROVED_CLIENT, _POST, Introspection(tokens), Dialect.OAUTH),
        "openid_profile": Method(_BY_TOKEN, _GET_POST, Userinfo(tokens), cross_origin=True),
        "device_authorization": Method(CLIENT, _POST, DeviceAuthorization(latchgate.devices, addresses), Dialect.OAUTH),
        "end_session": Method(BY_SESSION, _GET_POST, end_session, requires_by={"POST": WITHOUT_SESSION}),
    }
    registration = Registration(latchgate.clients, latchgate.settings.oauth_registration)
    methods["register_client"] = Method(registration.requires, _POST, registration, Dialect.OAUTH_BEARER)
    return {f"{_PREFIX}.{name}": method for name, method in methods.items()}
