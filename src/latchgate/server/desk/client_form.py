"""The form of an OAuth client: what was typed, read into what the service takes, and back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient
from latchgate.core.permissions import Action
from latchgate.core.scopes import ALL, READ
from latchgate.errors import Invalid
from latchgate.oauth.scopes import OPENID
from latchgate.server.desk.client_words import AUTH_METHODS, KINDS, preset_of
from latchgate.server.desk.new_keys import choice, picked_scopes
from latchgate.services.client_orders import ClientOrder, order_of

__all__ = ["FIELDS", "FIRST", "MAY", "ClientReader", "typed_of"]

FIELDS = (
    "app_name",
    "kind",
    "redirect_uris",
    "user",
    "scopes",
    "allowed_roles",
    "skip_authorization",
    "auth_method",
    "grant_types",
    "jwks",
    "client_uri",
    "post_logout_redirect_uris",
    "resources",
    "require_pkce",
    "id_token_alg",
)
"""Where the form can say what is wrong."""
FIRST: Mapping[str, Any] = {
    "kind": "web",
    "may": "all",
    "openid": "1",
    "require_pkce": "1",
    "auth_method": "",
    "id_token_alg": SigningAlgorithm.RS256.value,
}
"""What is chosen when it opens."""
MAY = (
    ("all", "Everything that the user may"),
    ("read", "Read everything that the user may read"),
    ("pick", "What is picked here"),
    ("none", "Nothing: it only signs users in"),
)
_TICKED = "1"
_ROLE, _GRANT, _SCOPE = "role:", "grant:", "scope:"
_TEXTS = ("app_name", "client_uri", "jwks", "user")
_LINES = ("redirect_uris", "post_logout_redirect_uris", "resources")


@dataclass(frozen=True, slots=True)
class ClientReader:
    """Reads what was typed; whether it is sound, the service judges."""

    manager: bool
    """Whether the caller is offered what System Managers alone decide."""

    def read_new(self, typed: Mapping[str, Any]) -> ClientOrder:
        """Read the form of a new client. Raises Invalid."""
        preset = preset_of(choice("kind", typed, KINDS))
        if preset is None:
            raise AssertionError("every kind has its presets")
        method, grants = preset
        if typed.get("auth_method"):
            method = _method(typed)
        order = self._read(typed, ClientOrder("", auth_method=method, grant_types=grants))
        alone = grants == {GrantType.CLIENT_CREDENTIALS} and order.scopes != {OPENID}
        # Nobody signs in with what acts by itself.
        return replace(order, scopes=order.scopes - {OPENID}) if alone else order

    def read_changed(self, typed: Mapping[str, Any], client: StoredClient) -> ClientOrder:
        """Read the form of a client that there is; what the caller is not offered stays. Raises Invalid."""
        grants = frozenset(grant for grant in GrantType if typed.get(f"{_GRANT}{grant}") == _TICKED)
        method = _method(typed)
        if method.by_secret and client.auth_method.by_secret:
            # It may send its secret either way: which of them it named is no choice of the form's.
            method = client.auth_method
        return self._read(typed, replace(order_of(client), auth_method=method, grant_types=grants))

    def _read(self, typed: Mapping[str, Any], base: ClientOrder) -> ClientOrder:
        texts = {name: _text(typed, name) for name in (*_TEXTS, *_LINES)}
        lines = {name: tuple(texts[name].split()) for name in _LINES}
        trusted = typed.get("skip_authorization") == _TICKED
        return replace(
            base,
            app_name=texts["app_name"],
            redirect_uris=lines["redirect_uris"],
            post_logout_redirect_uris=lines["post_logout_redirect_uris"],
            resources=lines["resources"] if self.manager else base.resources,
            scopes=_scopes(typed),
            user=texts["user"].strip() or None,
            allowed_roles=frozenset(name.removeprefix(_ROLE) for name in typed if name.startswith(_ROLE)),
            skip_authorization=trusted if self.manager else base.skip_authorization,
            require_pkce=typed.get("require_pkce") == _TICKED,
            id_token_alg=SigningAlgorithm(choice("id_token_alg", typed, [(one, one) for one in SigningAlgorithm])),
            client_uri=texts["client_uri"].strip(),
            jwks=texts["jwks"].strip(),
        )


def typed_of(client: StoredClient, rights: Mapping[str, Collection[Action]]) -> dict[str, Any]:
    """Give what would be typed to get a client as it is.

    Args:
        client: As stored.
        rights: By document type, the actions that the form offers to be picked.
    """
    return {
        "app_name": client.app_name,
        "redirect_uris": "\n".join(client.redirect_uris),
        "post_logout_redirect_uris": "\n".join(client.post_logout_redirect_uris),
        "resources": "\n".join(client.resources),
        "user": client.user.name if client.user else "",
        "client_uri": client.client_uri,
        "jwks": client.jwks,
        # A client with a secret may send it either way.
        "auth_method": (AuthMethod.BASIC if client.auth_method.by_secret else client.auth_method).value,
        "id_token_alg": client.id_token_alg.value,
        "seen": str(client.modified),
        **({"skip_authorization": _TICKED} if client.skip_authorization else {}),
        **({"require_pkce": _TICKED} if client.require_pkce else {}),
        **{f"{_ROLE}{role}": _TICKED for role in client.allowed_roles},
        **{f"{_GRANT}{grant}": _TICKED for grant in client.grant_types},
        **_typed_scopes(client.scopes, rights),
    }


def _typed_scopes(scopes: frozenset[str], rights: Mapping[str, Collection[Action]]) -> dict[str, Any]:
    openid = {"openid": _TICKED} if OPENID in scopes else {}
    match sorted(scopes - {OPENID}):
        case [one] if one == ALL:
            return {**openid, "may": "all"}
        case [one] if one == READ:
            return {**openid, "may": "read"}
        case []:
            return {**openid, "may": "none"}
        case others:
            offered = {f"{doctype}:{action}" for doctype, actions in rights.items() for action in actions}
            picked = {f"{_SCOPE}{one}": _TICKED for one in others if one in offered}
            typed = ", ".join(one for one in others if one not in offered)
            return {**openid, "may": "pick", **picked, "other_scopes": typed}


def _scopes(typed: Mapping[str, Any]) -> frozenset[str]:
    openid = frozenset({OPENID}) if typed.get("openid") == _TICKED else frozenset[str]()
    match typed.get("may"):
        case "all":
            return openid | {ALL}
        case "read":
            return openid | {READ}
        case "pick":
            return openid | frozenset(picked_scopes(typed))
        case "none":
            return frozenset({OPENID})
        case _:
            raise Invalid({"scopes": "must be one of the choices"})


def _method(typed: Mapping[str, Any]) -> AuthMethod:
    return AuthMethod(choice("auth_method", typed, AUTH_METHODS))


def _text(typed: Mapping[str, Any], name: str) -> str:
    value = typed.get(name, "")
    if not isinstance(value, str):
        raise Invalid({name: "must be a text"})
    return value
