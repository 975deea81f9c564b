"""The document that `latchgate import` reads: users, keys, clients, tokens and sources of another server.

See docs/import.md.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from latchgate.core.addresses import Network, parse_networks
from latchgate.core.scopes import parse_scopes
from latchgate.core.users import UserType
from latchgate.errors import Invalid

__all__ = [
    "NEVER",
    "ImportDocument",
    "ImportedClient",
    "ImportedRecord",
    "ImportedSource",
    "ImportedToken",
    "ImportedUser",
    "parse_document",
]

NEVER = 24
"""An hour that no day reaches."""


def _read_networks(value: object) -> tuple[Network, ...]:
    networks = parse_networks(value) if isinstance(value, str) else "must be a text"
    if isinstance(networks, str):
        raise ValueError(networks)  # noqa: TRY004  # the parser's complaint
    return networks


def _read_scopes(value: object) -> frozenset[str]:
    # Frappe writes them as one text with spaces between.
    scopes = parse_scopes(value.split()) if isinstance(value, str) else "must be a text"
    if isinstance(scopes, str):
        raise ValueError(scopes)  # noqa: TRY004  # as above
    return scopes


def _require_text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _require_visible_ascii(value: str) -> str:
    # RFC 6749, appendix A.1.
    if not value.isascii() or not value.isprintable():
        raise ValueError("must be visible ASCII characters")
    return value


_Name = Annotated[str, AfterValidator(_require_text)]
_Hour = Annotated[int, Field(ge=0, le=24)]
_Networks = Annotated[tuple[Network, ...], BeforeValidator(_read_networks)]
_Scopes = Annotated[frozenset[str], BeforeValidator(_read_scopes)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class ImportedUser(_Entry):
    """A user with its roles and its one key."""

    name: _Name
    first_name: str = ""
    last_name: str = ""
    user_type: UserType = UserType.SYSTEM
    roles: tuple[_Name, ...] = ()
    enabled: bool = True
    restrict_ip: _Networks = ()
    login_after: _Hour = 0
    login_before: _Hour = 0
    login_hours_closed: bool = False
    """Whether no hour is the right one."""
    api_key: str | None = None
    api_secret: SecretStr | None = None


class ImportedClient(_Entry):
    """An OAuth client."""

    name: Annotated[_Name, AfterValidator(_require_visible_ascii)]
    """Its client_id."""
    app_name: str = ""
    client_secret: SecretStr
    redirect_uris: str = ""
    """Separated by white space."""
    default_redirect_uri: str = ""
    scopes: _Scopes = frozenset({"all", "openid"})
    skip_authorization: bool = False
    allowed_roles: tuple[_Name, ...] = ()

    def all_redirect_uris(self) -> tuple[str, ...]:
        """List the redirect URIs, each once, the default one too."""
        return tuple(dict.fromkeys([*self.redirect_uris.split(), *self.default_redirect_uri.split()]))


class ImportedToken(_Entry):
    """An access token, with its refresh token."""

    access_token: SecretStr
    user: _Name
    client: str = ""
    scopes: _Scopes = frozenset({"all"})
    expires_in: Annotated[int, Field(ge=1, le=10 * 366 * 86_400)] = 3600
    """Seconds from the import on."""
    expired: bool = False
    status: Literal["Active", "Revoked"] = "Active"
    refresh_token: SecretStr | None = None


class ImportedRecord(_Entry):
    """A record of a source, with its key."""

    name: _Name
    user: _Name | None = None
    enabled: bool = True
    api_key: str | None = None
    api_secret: SecretStr | None = None


class ImportedSource(_Entry):
    """A document type that owns keys."""

    doctype: _Name
    why: Any = None
    rows: tuple[ImportedRecord, ...] = ()


class ImportDocument(_Entry):
    """The whole document. What has the type Any is known to be there and is not imported."""

    comment: Any = None
    passwords: dict[str, SecretStr] = {}
    """By user; `*` is for all others."""
    users: tuple[ImportedUser, ...] = ()
    oauth_clients: tuple[ImportedClient, ...] = ()
    bearer_tokens: tuple[ImportedToken, ...] = ()
    alternate_sources: tuple[ImportedSource, ...] = ()
    todos: Any = None
    oauth_settings_note: Any = None
    system_settings: Any = None


def parse_document(text: bytes) -> ImportDocument:
    """Read a document. Raises Invalid, which names every wrong entry and field."""
    try:
        return ImportDocument.model_validate_json(text)
    except ValidationError as error:
        raise Invalid({_place(one["loc"]): _reason(one["type"], one["msg"]) for one in error.errors()}) from None


def _place(steps: tuple[int | str, ...]) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return place.lstrip(".") or "file"


def _reason(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is not part of the form"
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ").removeprefix("Input ")
