"""What is asked for a client, checked into what is stored of it. Source: RFC 6749, section 2; RFC 7591, section 2."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient
from latchgate.core.scopes import parse_scopes
from latchgate.core.users import GUEST, parse_user_name
from latchgate.errors import Flaw, Invalid
from latchgate.oauth.client_keys import parse_client_keys
from latchgate.oauth.parameters import is_resource, normal_resource
from latchgate.oauth.redirects import is_claimed, redirect_problem
from latchgate.services.oauth_ports import ClientFields
from latchgate.services.ports import Transaction

__all__ = ["DEFAULT_GRANTS", "ClientOrder", "fields_of", "order_of"]

DEFAULT_GRANTS = frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN})
_NAME_LENGTH_MAX = 140
_URIS_MAX = 50
_WITH_REFRESH = frozenset({GrantType.AUTHORIZATION_CODE, GrantType.DEVICE_CODE})


@dataclass(frozen=True, slots=True)
class ClientOrder:
    """All of a client that is chosen, as its maker says it."""

    app_name: str
    redirect_uris: tuple[str, ...] = ()
    auth_method: AuthMethod = AuthMethod.BASIC
    grant_types: frozenset[GrantType] = DEFAULT_GRANTS
    scopes: frozenset[str] = frozenset({"all", "openid"})
    user: str | None = None
    """Whom it runs as by client credentials."""
    allowed_roles: frozenset[str] = frozenset()
    skip_authorization: bool = False
    require_pkce: bool = True
    id_token_alg: SigningAlgorithm = SigningAlgorithm.RS256
    client_uri: str = ""
    post_logout_redirect_uris: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    jwks: str = field(default="", repr=False)


def order_of(client: StoredClient) -> ClientOrder:
    """Give what would make a client as it is."""
    return ClientOrder(
        app_name=client.app_name,
        redirect_uris=client.redirect_uris,
        auth_method=client.auth_method,
        grant_types=client.grant_types,
        scopes=client.scopes,
        user=client.user.name if client.user else None,
        allowed_roles=client.allowed_roles,
        skip_authorization=client.skip_authorization,
        require_pkce=client.require_pkce,
        id_token_alg=client.id_token_alg,
        client_uri=client.client_uri,
        post_logout_redirect_uris=client.post_logout_redirect_uris,
        resources=client.resources,
        jwks=client.jwks,
    )


def fields_of(tx: Transaction, order: ClientOrder, issuer: str) -> ClientFields:
    """Check an order. Raises Invalid, which names every field that is wrong and what would be right."""
    problems = {
        "app_name": _name_problem(order.app_name),
        "redirect_uris": _redirects_problem(order),
        "post_logout_redirect_uris": _uris_problem(order.post_logout_redirect_uris),
        "grant_types": _grants_problem(order),
        "scopes": _scopes_problem(order.scopes),
        "jwks": _keys_problem(order),
        "resources": _resources_problem(order.resources, issuer),
        "skip_authorization": _trust_problem(order),
        "require_pkce": "public clients must send one" if _public(order) and not order.require_pkce else None,
        "client_uri": _web_problem(order.client_uri),
        "user": _user_problem(tx, order),
        "allowed_roles": _roles_problem(tx, order.allowed_roles),
    }
    wrong = {name: problem for name, problem in problems.items() if problem}
    if wrong:
        raise Invalid(wrong, Flaw.LINK if set(wrong) <= {"user", "allowed_roles"} else Flaw.VALUE)
    user = tx.users.find(parse_user_name(order.user) or "") if order.user else None
    keys = parse_client_keys(order.jwks) if order.jwks else ""
    return ClientFields(
        app_name=order.app_name.strip(),
        auth_method=order.auth_method,
        jwks=keys if isinstance(keys, str) else keys.text,
        redirect_uris=order.redirect_uris,
        post_logout_redirect_uris=order.post_logout_redirect_uris,
        grant_types=order.grant_types,
        scopes=order.scopes,
        resources=tuple(map(normal_resource, order.resources)),
        user_id=user.id if user else None,
        allowed_roles=order.allowed_roles,
        skip_authorization=order.skip_authorization,
        require_pkce=order.require_pkce,
        id_token_alg=order.id_token_alg,
        client_uri=order.client_uri,
    )


def _public(order: ClientOrder) -> bool:
    return order.auth_method is AuthMethod.NONE


def _name_problem(name: str) -> str | None:
    good = bool(name.strip()) and name.isprintable() and len(name) <= _NAME_LENGTH_MAX
    return None if good else f"must be 1 to {_NAME_LENGTH_MAX} visible characters: users read it where they allow it"


def _redirects_problem(order: ClientOrder) -> str | None:
    if GrantType.AUTHORIZATION_CODE in order.grant_types and not order.redirect_uris:
        return "at least one is needed for the authorization code"
    return _uris_problem(order.redirect_uris)


def _uris_problem(uris: tuple[str, ...]) -> str | None:
    if len(uris) > _URIS_MAX:
        return f"at most {_URIS_MAX}"
    return next((problem for problem in map(redirect_problem, uris) if problem), None)


def _grants_problem(order: ClientOrder) -> str | None:
    grants = order.grant_types
    if not grants:
        # A protected resource that gets no tokens only asks what those are that it is shown.
        return None if order.resources else "at least one of " + ", ".join(GrantType)
    if GrantType.REFRESH_TOKEN in grants and not grants & _WITH_REFRESH:
        return "refresh_token goes with authorization_code or the device code"
    if GrantType.CLIENT_CREDENTIALS in grants and _public(order):
        return "client_credentials is for clients that can keep a secret"
    return None


def _scopes_problem(scopes: frozenset[str]) -> str | None:
    if not scopes:
        return "at least one: all, read, <DocType>:<action>, openid or a name of your own"
    parsed = parse_scopes(scopes)
    return parsed if isinstance(parsed, str) else None


def _keys_problem(order: ClientOrder) -> str | None:
    if order.auth_method is not AuthMethod.PRIVATE_KEY_JWT:
        return "goes with private_key_jwt alone" if order.jwks else None
    keys = parse_client_keys(order.jwks)
    return keys if isinstance(keys, str) else None


def _resources_problem(resources: tuple[str, ...], issuer: str) -> str | None:
    if len(resources) > _URIS_MAX:
        return f"at most {_URIS_MAX}"
    if issuer in map(normal_resource, resources):
        return f"{issuer} is this service itself"
    bad = next((resource for resource in resources if not is_resource(resource)), None)
    return f"'{bad[:100]}' is no absolute URI without fragment, such as https://api.example.com" if bad else None


def _trust_problem(order: ClientOrder) -> str | None:
    # Whoever can take the address of a public client would get the tokens of every user without a question.
    unsure = _public(order) and not all(is_claimed(uri) for uri in order.redirect_uris)
    return "a public client must have https redirect URIs for that" if order.skip_authorization and unsure else None


def _web_problem(address: str) -> str | None:
    if not address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return "must be a web address"
    good = parts.scheme in {"https", "http"} and parts.hostname and address.isascii() and address.isprintable()
    return None if good and len(address) <= _NAME_LENGTH_MAX * 4 else "must be a web address, as https://a.example"


def _user_problem(tx: Transaction, order: ClientOrder) -> str | None:
    if not order.user:
        needed = GrantType.CLIENT_CREDENTIALS in order.grant_types
        return "client_credentials needs the user that the client runs as" if needed else None
    name = parse_user_name(order.user) or ""
    if name == GUEST:
        return "Guest is who carries no credential; no client runs as it"
    return None if tx.users.find(name) else f"Could not find User: {order.user[:_NAME_LENGTH_MAX]}"


def _roles_problem(tx: Transaction, roles: frozenset[str]) -> str | None:
    missing = next((role for role in sorted(roles) if not tx.roles.exists(role)), None)
    return f"Could not find Role: {missing[:_NAME_LENGTH_MAX]}" if missing else None
