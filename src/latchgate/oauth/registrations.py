"""Clients that register themselves: what they may say of themselves, and what they are answered.

Nothing that a stranger names is ever fetched: pictures, policies and addresses of keys are ignored or refused.

Source: RFC 7591, sections 2 and 3; OpenID Connect Dynamic Client Registration 1.0, section 2.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient
from latchgate.core.scopes import scope_covers, scopes_within
from latchgate.core.tokens import Secret
from latchgate.errors import OAuthError
from latchgate.oauth.client_keys import parse_client_keys
from latchgate.oauth.redirects import redirect_problem
from latchgate.oauth.scopes import OPENID, parse_scope_parameter, write_scopes

__all__ = ["ClientMetadata", "parse_client_metadata", "registration_answer"]

_NAME_LENGTH_MAX = 140
_LIST_MAX = 20
# What runs as a user of its own is set up by who may give rights away, not by whoever comes along.
_GRANT_TYPES = (GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN, GrantType.DEVICE_CODE)
_CODE = "code"

_Chosen = TypeVar("_Chosen", AuthMethod, SigningAlgorithm)


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What a client says of itself, checked."""

    client_name: str
    auth_method: AuthMethod
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    grant_types: frozenset[GrantType]
    scopes: frozenset[str]
    client_uri: str
    """Empty if it has none."""
    contacts: tuple[str, ...]
    jwks: str
    """Its keys, as `parse_client_keys` writes them; empty if it does not prove itself by them."""
    id_token_alg: SigningAlgorithm


def parse_client_metadata(document: Mapping[str, object], allowed: frozenset[str]) -> ClientMetadata:
    """Read what a client says of itself; what it leaves out, or null, has its default, and what is unknown is ignored.

    Args:
        document: The JSON object that was sent.
        allowed: The scopes that a client may have which nobody vouched for.

    Raises:
        OAuthError: `invalid_redirect_uri` or `invalid_client_metadata`; it names the field and what would be right.
    Source: RFC 7591, sections 2 and 3.2.2.
    """
    said = {name: value for name, value in document.items() if value is not None}
    auth_method = _parse_choice(said, "token_endpoint_auth_method", AuthMethod.BASIC)
    grant_types = _parse_grant_types(said)
    return ClientMetadata(
        client_name=_parse_name(said),
        auth_method=auth_method,
        redirect_uris=_parse_redirect_uris(said, needed=GrantType.AUTHORIZATION_CODE in grant_types),
        post_logout_redirect_uris=_parse_uris(said, "post_logout_redirect_uris", _refuse),
        grant_types=grant_types,
        scopes=_parse_scopes(said, allowed),
        client_uri=_parse_client_uri(said),
        contacts=_parse_texts(said, "contacts"),
        jwks=_parse_jwks(said, auth_method),
        id_token_alg=_parse_choice(said, "id_token_signed_response_alg", SigningAlgorithm.RS256),
    )


def registration_answer(client: StoredClient, secret: Secret | None, issued_at: int) -> dict[str, Any]:
    """Write what a client is told that registered itself: all that it is, and its secret this once.

    Args:
        client: As it was stored.
        secret: None for a client that has none.
        issued_at: When it was registered, Unix seconds.
    Source: RFC 7591, section 3.2.1; the fields are those of Frappe's recorded answers, and what ours have beyond them.
    """
    answer: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": issued_at,
        "client_name": client.app_name,
        # It never expires, whether or not there is one; as recorded.
        "client_secret_expires_at": 0,
        "grant_types": sorted(client.grant_types),
        "id_token_signed_response_alg": client.id_token_alg.value,
        "redirect_uris": list(client.redirect_uris),
        "response_types": [_CODE] if GrantType.AUTHORIZATION_CODE in client.grant_types else [],
        "scope": write_scopes(client.scopes),
        "token_endpoint_auth_method": client.auth_method.value,
    }
    if secret is not None:
        answer["client_secret"] = secret.text
    if client.client_uri:
        answer["client_uri"] = client.client_uri
    if client.jwks:
        answer["jwks"] = json.loads(client.jwks)
    if client.post_logout_redirect_uris:
        answer["post_logout_redirect_uris"] = list(client.post_logout_redirect_uris)
    return answer


def _refuse(problem: str) -> NoReturn:
    raise OAuthError("invalid_client_metadata", problem)


def _refuse_redirect(problem: str) -> NoReturn:
    raise OAuthError("invalid_redirect_uri", problem)


def _parse_name(said: Mapping[str, object]) -> str:
    name = said.get("client_name")
    if not isinstance(name, str) or not name.strip() or len(name) > _NAME_LENGTH_MAX or not name.isprintable():
        # Users are asked by it: no line ends, and nothing that turns the direction of writing.
        _refuse(f"client_name: is required, as a text of 1 to {_NAME_LENGTH_MAX} printable characters")
    return name.strip()


def _parse_choice(said: Mapping[str, object], name: str, default: _Chosen) -> _Chosen:
    value = said.get(name, default)
    for choice in type(default):
        if value == choice:
            return choice
    _refuse(f"{name}: use one of {', '.join(type(default))}")


def _parse_texts(said: Mapping[str, object], name: str) -> tuple[str, ...]:
    values = said.get(name, [])
    if not isinstance(values, list) or len(values) > _LIST_MAX or not all(isinstance(value, str) for value in values):
        _refuse(f"{name}: must be a list of {_LIST_MAX} texts at most")
    return tuple(dict.fromkeys(values))


def _parse_grant_types(said: Mapping[str, object]) -> frozenset[GrantType]:
    named = _parse_texts(said, "grant_types") or (GrantType.AUTHORIZATION_CODE.value,)
    if not set(named) <= set(_GRANT_TYPES):
        _refuse(f"grant_types: a client that registers itself may use {', '.join(_GRANT_TYPES)}")
    grant_types = frozenset(map(GrantType, named))
    if grant_types == {GrantType.REFRESH_TOKEN}:
        _refuse("grant_types: refresh_token goes with another, which gives the first token")
    if not set(_parse_texts(said, "response_types")) <= {_CODE}:
        _refuse("response_types: only code is supported")
    return grant_types


def _parse_redirect_uris(said: Mapping[str, object], *, needed: bool) -> tuple[str, ...]:
    uris = _parse_uris(said, "redirect_uris", _refuse_redirect)
    if needed and not uris:
        _refuse_redirect("redirect_uris: is required, with one URI or more")
    return uris


def _parse_uris(said: Mapping[str, object], name: str, refuse: Callable[[str], NoReturn]) -> tuple[str, ...]:
    uris = _parse_texts(said, name)
    for problem in filter(None, map(redirect_problem, uris)):
        refuse(f"{name}: {problem}")
    return uris


def _parse_client_uri(said: Mapping[str, object]) -> str:
    uri = said.get("client_uri", "")
    if uri == "":
        return ""
    if not isinstance(uri, str) or redirect_problem(uri) or not uri.lower().startswith("https://"):
        _refuse("client_uri: must be the https address of a page about the client, without a fragment")
    # RFC 3986, section 6.2.3: an empty path is "/"; Frappe writes it so too.
    return uri if "/" in uri[len("https://") :] or "?" in uri else uri + "/"


def _parse_scopes(said: Mapping[str, object], allowed: frozenset[str]) -> frozenset[str]:
    text = said.get("scope", "")
    if not isinstance(text, str):
        _refuse("scope: must be one text, of scopes joined by spaces")
    scopes = parse_scope_parameter(text)
    if isinstance(scopes, str):
        _refuse(f"scope: {scopes}")
    if not scopes:
        return frozenset(scope for scope in (OPENID,) if scope_covers(allowed, scope))
    if not scopes_within(scopes, allowed):
        _refuse(f"scope: a client that registers itself may have {write_scopes(allowed) or 'none'}")
    return scopes


def _parse_jwks(said: Mapping[str, object], auth_method: AuthMethod) -> str:
    if "jwks_uri" in said:
        _refuse("jwks_uri: keys are never fetched; send them as jwks")
    if auth_method is not AuthMethod.PRIVATE_KEY_JWT:
        return ""
    if not isinstance(said.get("jwks"), Mapping):
        _refuse("jwks: is required for private_key_jwt, as a JSON Web Key Set")
    try:
        keys = parse_client_keys(json.dumps(said["jwks"]))
    except RecursionError:
        keys = "too deep"
    if isinstance(keys, str):
        _refuse(f"jwks: {keys}")
    return keys.text
