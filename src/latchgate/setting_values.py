"""What a setting's value may be: the types of the fields, which read a text and say what would have been right."""

import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_settings import NoDecode

from latchgate.core.addresses import Network, normal_address, parse_networks
from latchgate.core.hosts import parse_host

__all__ = [
    "Count",
    "DatabaseUrl",
    "FullPath",
    "Host",
    "LogDatabaseUrl",
    "Names",
    "Networks",
    "OwnHosts",
    "PublicUrl",
    "Seconds",
    "TimeZone",
    "default_log_database_url",
    "default_public_url",
    "full_path",
    "sqlite_path",
]

# Where a listening address means "every address", a browser on this machine reaches it here.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not listened on: looked up


def full_path(path: Path) -> Path:
    """Give a path in full, without following links."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  # resolve() would follow links


def sqlite_path(url: SecretStr) -> Path | None:
    """Give the file that a database's address names; None if it is no file's."""
    scheme, _, path = url.get_secret_value().partition(":///")
    return Path(path) if scheme == "sqlite" else None


def default_log_database_url(values: dict[str, Any]) -> SecretStr:
    """Put the request log beside the accounts: in the data folder, or in the same server's database."""
    accounts: SecretStr = values["database_url"]
    if accounts.get_secret_value().startswith("sqlite:"):
        return SecretStr(f"sqlite:///{values['home']}/log.db")
    return accounts


def default_public_url(values: dict[str, Any]) -> str:
    """Give the address at which a browser on this machine reaches where the server listens."""
    host = _WILDCARDS.get(values["host"], values["host"])
    return f"http://{f'[{host}]' if ':' in host else host}:{values['port']}"


def _require_database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not text.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("must be sqlite:////folder/file.db (an absolute path) or postgresql://user:password@host/name")
    return url


def _require_log_database_url(url: SecretStr, info: ValidationInfo) -> SecretStr:
    if sqlite_path(url) and url == info.data.get("database_url"):
        raise ValueError("must be another file than that of LATCHGATE_DATABASE_URL: the log would hold up the rest")
    return url


def _require_host(host: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z._-]+", host) and not (":" in host and normal_address(host)):
        raise ValueError("must be an address such as 127.0.0.1 or ::1, or a host name, without scheme and port")
    return host


def _require_public_url(url: str) -> str:
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError("must be http:// or https:// and a host, with a port if need be, and nothing more")
    if parts.username is not None:
        raise ValueError("must not hold a user or a password")
    return parts.geturl()


def _read_networks(value: object) -> object:
    if isinstance(value, list):
        value = " ".join(str(entry) for entry in value)
    if not isinstance(value, str):
        return value
    networks = parse_networks(value)
    if isinstance(networks, str):
        raise ValueError(networks)  # noqa: TRY004  # it is a text, the parser's complaint
    return networks


def _read_names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _require_own_host(hosts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    own = parse_host(urlsplit(info.data.get("public_url", "")).netloc)
    for host in hosts:
        name = parse_host(host)
        if name is None:
            raise ValueError(f"'{host[:60]}' is no host such as app.example.com or app.example.com:8443")
        if own is not None and name != own:
            # Whoever signed in would be sent there and back for ever.
            raise ValueError(
                f"'{host[:60]}' is another host than public_url's, whose sessions browsers do not take there;"
                " another port may be named, another host not"
            )
    return tuple(host.lower() for host in hosts)


def _require_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError("must be the name of a time zone such as UTC or Europe/Berlin") from None
    return name


FullPath = Annotated[Path, AfterValidator(full_path)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_require_database_url)]
LogDatabaseUrl = Annotated[DatabaseUrl, AfterValidator(_require_log_database_url)]
Host = Annotated[str, AfterValidator(_require_host)]
PublicUrl = Annotated[str, AfterValidator(_require_public_url)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_read_networks)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_names)]
OwnHosts = Annotated[Names, AfterValidator(_require_own_host)]
TimeZone = Annotated[str, AfterValidator(_require_time_zone)]
Seconds = Annotated[int, Field(ge=1, le=10 * 365 * 86_400)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
