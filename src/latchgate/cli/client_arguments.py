"""How the options are read that say what an OAuth client is to be."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from latchgate.errors import Invalid

if TYPE_CHECKING:
    from latchgate.core.clients import AuthMethod, GrantType

__all__ = [
    "SHORT_GRANTS",
    "AlgorithmOption",
    "MethodOption",
    "choose_grants",
    "naming_options",
    "parse_client_scopes",
    "parse_grant",
    "parse_method",
    "read_keys",
]

_KEYS_BYTES_MAX = 100_000
SHORT_GRANTS = {
    "code": "authorization_code",
    "refresh": "refresh_token",
    "client-credentials": "client_credentials",
    "device": "urn:ietf:params:oauth:grant-type:device_code",
}
_OPTIONS = {
    "app_name": "NAME",
    "redirect_uris": "--redirect-uri",
    "post_logout_redirect_uris": "--post-logout-redirect-uri",
    "grant_types": "--grant",
    "scopes": "--scope",
    "resources": "--resource",
    "jwks": "--jwks",
    "skip_authorization": "--trusted",
    "require_pkce": "--no-pkce",
    "client_uri": "--client-uri",
    "user": "--user",
    "allowed_roles": "--allowed-role",
    "overlap": "--overlap",
    "client_id": "CLIENT",
}
"""How what the service calls its fields is typed here."""


class AlgorithmOption(StrEnum):
    """What ID tokens are signed with, as it is typed."""

    RS256 = "RS256"
    ES256 = "ES256"


class MethodOption(StrEnum):
    """How a client proves that it is itself, as it is typed."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"
    NONE = "none"


def parse_grant(text: str) -> str:
    """Read a grant by its short name or as the RFCs spell it. Raises typer.BadParameter."""
    name = SHORT_GRANTS.get(text.strip().lower(), text.strip())
    if name not in SHORT_GRANTS.values():
        raise typer.BadParameter(f"'{text[:40]}' is no grant: use {', '.join(SHORT_GRANTS)}")
    return name


def parse_method(chosen: MethodOption | None, *, public: bool, keys: Path | None) -> "AuthMethod":
    """Give how a client is to prove itself: as it was named, or as the other options say. Raises typer.BadParameter."""
    from latchgate.core.clients import AuthMethod

    if public and chosen not in {None, MethodOption.NONE}:
        raise typer.BadParameter("a public client has nothing to prove itself by", param_hint="--auth-method")
    if public:
        return AuthMethod.NONE
    return AuthMethod(chosen or (MethodOption.PRIVATE_KEY_JWT if keys else MethodOption.BASIC))


def choose_grants(
    chosen: list[str] | None, *, user: str | None, redirects: bool, resources: bool
) -> "frozenset[GrantType]":
    """Give the grants that were named; else those that the other options can only mean."""
    from latchgate.core.clients import GrantType
    from latchgate.services.client_orders import DEFAULT_GRANTS

    if chosen:
        return frozenset(map(GrantType, chosen))
    by_itself = frozenset({GrantType.CLIENT_CREDENTIALS}) if user else frozenset()
    return by_itself if (user or resources) and not redirects else DEFAULT_GRANTS | by_itself


def parse_client_scopes(chosen: list[str] | None) -> frozenset[str]:
    """Read the values of --scope. Raises typer.BadParameter."""
    from latchgate.core.scopes import parse_scopes
    from latchgate.services.client_orders import ClientOrder

    if not chosen:
        return ClientOrder("").scopes
    parsed = parse_scopes(chosen)
    if isinstance(parsed, str):
        raise typer.BadParameter(parsed, param_hint="--scope")
    return parsed


def read_keys(file: Path | None) -> str:
    """Read the file of --jwks; none is an empty text. Raises typer.BadParameter, OSError."""
    if file is None:
        return ""
    with file.open("rb") as source:
        content = source.read(_KEYS_BYTES_MAX + 1)
    if len(content) > _KEYS_BYTES_MAX or not content.isascii():
        raise typer.BadParameter(f"{file} is no JSON Web Key Set", param_hint="--jwks")
    return content.decode()


@contextmanager
def naming_options() -> Iterator[None]:
    """Let a refusal name the option that it is about."""
    try:
        yield
    except Invalid as error:
        raise Invalid({_OPTIONS.get(name, name): told for name, told in error.fields.items()}, error.flaw) from None
