"""The settings: environment variables LATCHGATE_… and a TOML file, read here and nowhere else.

What counts, first to last: an option of the command line, the environment, the file, the default.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from latchgate.core.addresses import Network, normal_address, parse_networks
from latchgate.core.forwarded import Proxy
from latchgate.core.hosts import parse_host
from latchgate.core.return_addresses import ReturnAddresses
from latchgate.errors import SettingsError

__all__ = [
    "CONFIG_FILE_NAME",
    "CONFIG_VARIABLE",
    "PREFIX",
    "Settings",
    "find_notify_socket",
    "find_origins",
    "find_variables",
    "load_settings",
]

PREFIX = "LATCHGATE_"
CONFIG_VARIABLE = "LATCHGATE_CONFIG"
CONFIG_FILE_NAME = "latchgate.toml"

# Where a listening address means "every address", a browser on this machine reaches it here.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not listened on: looked up


def _absolute(home: Path) -> Path:
    return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100  # absolute, without following links


def _require_database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not text.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("must be sqlite:////folder/file.db (an absolute path) or postgresql://user:password@host/name")
    return url


def _require_log_database_url(url: SecretStr, info: ValidationInfo) -> SecretStr:
    if _sqlite_path(url) and url == info.data.get("database_url"):
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


def _default_log_database_url(values: dict[str, Any]) -> SecretStr:
    accounts: SecretStr = values["database_url"]
    if accounts.get_secret_value().startswith("sqlite:"):
        return SecretStr(f"sqlite:///{values['home']}/log.db")
    return accounts


def _default_public_url(values: dict[str, Any]) -> str:
    host = _WILDCARDS.get(values["host"], values["host"])
    return f"http://{f'[{host}]' if ':' in host else host}:{values['port']}"


_Home = Annotated[Path, AfterValidator(_absolute)]
_DatabaseUrl = Annotated[SecretStr, AfterValidator(_require_database_url)]
_Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_read_networks)]
_Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_names)]
_Seconds = Annotated[int, Field(ge=1, le=10 * 365 * 86_400)]
_Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Settings(BaseSettings):
    """How this instance is set up; checked, complete and unchangeable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    home: _Home = Field(default=Path("data"), validate_default=True)
    """The data folder: databases, key file, `latchgate.toml`. A relative path starts at the current folder. Made with
    mode 0700 if it is not there."""
    database_url: _DatabaseUrl = Field(
        default_factory=lambda values: SecretStr(f"sqlite:///{values['home']}/latchgate.db")
    )
    """The database of accounts and credentials: `sqlite:////folder/file.db` or `postgresql://user:password@host/name`.
    Default: `latchgate.db` in the data folder."""
    log_database_url: Annotated[_DatabaseUrl, AfterValidator(_require_log_database_url)] = Field(
        default_factory=_default_log_database_url
    )
    """The database of the request log. Default: `log.db` in the data folder; with PostgreSQL the same database as
    `database_url`."""
    log_sync: Literal["interval", "always", "never"] = "interval"
    """When rows of the request log are put on the disk, where a power cut does not reach them: `interval` each second,
    `always` before their replies leave, which costs each a wait for the disk, `never` when the system likes. The death
    of a process takes none in any case."""
    log_backlog_bytes: int = Field(default=1024 * 1024 * 1024, ge=64 * 1024 * 1024)
    """How much of the disk rows may take that are not in the log's database yet, all processes together, in steps of
    8 MiB. Beyond it requests with a credential are answered 503: nothing is done that could not be logged."""
    log_refusals_per_address: _Count = 60
    """How many refused requests of one address (IPv6: /64) have rows of their own in a minute, in each process; the
    others have one row that says how many."""
    log_refusals: _Count = 600
    """How many refused requests have rows of their own in a minute, in each process, whatever their addresses."""
    log_retention_days: int = Field(default=90, ge=0, le=36_500)
    """How many days rows of the request log are kept, and reports of lost ones. 0: for ever. What was counted by minute
    is kept for 8 days, by hour for 100 days, by day for 5 years, whatever this says."""
    log_address_days: int | None = Field(default=None, ge=1, le=36_500)
    """After how many days the addresses in request log, activity log and last uses are cut to their network, an IPv4
    address to 24 bits and an IPv6 address to 48, for good. Unset: never."""
    host: Annotated[str, AfterValidator(_require_host)] = "127.0.0.1"
    """The address to listen on. `0.0.0.0` or `::` means every address of the machine: then put https before it."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on. 0 takes a free one, which is printed at start."""
    workers: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, le=256)
    """How many processes serve, besides the one that watches them and the one that moves the log into its database.
    Default: as many as there are processors that this process may use."""
    public_url: Annotated[str, AfterValidator(_require_public_url)] = Field(default_factory=_default_public_url)
    """The address under which people and programs reach this instance, such as `https://auth.example.com`. It stands in
    links and makes cookies `Secure` if it is https. Default: the listening address; never the Host header."""
    trusted_proxies: _Networks = ()
    """Addresses or ranges of the proxies before this instance, separated by commas. Only from them does
    `X-Forwarded-For` count, and only they may ask `/auth/verify`. Empty: from nobody."""
    proxy: Proxy = Proxy.NGINX
    """How a proxy that asks `/auth/verify` tells of the request that it asks about, unless it asks
    `/auth/verify?proxy=` and another name: `nginx`, `traefik`, `caddy`, `haproxy` or `envoy`. Envoy cannot name itself
    so: where it asks, this must be `envoy`."""
    sign_in_for: Annotated[_Names, AfterValidator(_require_own_host)] = ()
    """Hosts of protected applications, separated by commas, whose browsers are sent to sign in and back, instead of
    being answered 401. Each is the host of `public_url`, with the port if it is another: to other hosts browsers do not
    take the session. Empty: none."""
    access_rules: Annotated[Path, AfterValidator(_absolute)] | None = None
    """A TOML file with the access rules of protected applications, for those who keep it in git. It is loaded at every
    start, and then the rules are changed there alone. Unset: they are kept in the database and changed by whoever
    may."""
    admin_password: SecretStr | None = None
    """Administrator's password, at least 8 characters. Counts on the first run only, while Administrator has none;
    without it a one-time set-up link is printed."""
    time_zone: Annotated[str, AfterValidator(_require_time_zone)] = "UTC"
    """The zone in which users' hours (`login_after`, `login_before`) are meant, such as `Europe/Berlin`. Times on the
    wire stay UTC."""
    session_idle_seconds: _Seconds = 3 * 86_400
    """After how many seconds without a request a session ends. The smaller of this and `session_absolute_seconds`
    counts."""
    session_absolute_seconds: _Seconds = 7 * 86_400
    """After how many seconds since sign-in a session ends, however much it is used."""
    sign_in_failures_per_user: _Count = 5
    """How many failed sign-ins of one user from one address are answered as such in a window; those beyond are
    refused unexamined."""
    sign_in_failures_per_address: _Count = 50
    """How many failed sign-ins from one address (IPv6: /64), whoever the user, are answered as such in a window."""
    sign_in_window_seconds: _Seconds = 600
    """How long the window of failed sign-ins lasts, in seconds."""
    credential_failures_per_minute: _Count = 300
    """How many wrong keys and tokens from one address (IPv6: /64) are answered 401 in a minute; those beyond get 429.
    A good credential is never refused for them."""
    password_hashes_at_once: int = Field(default=2, ge=1, le=256)
    """How many passwords are hashed at the same time, by all workers together; each takes 64 MiB of memory and most of
    a processor. Every worker hashes one at least, so that it is never fewer than `workers`."""
    password_profile: Literal["standard", "cheapest"] = "standard"
    """The cost of a password's hash: `standard` is RFC 9106's for little memory (64 MiB). `cheapest` is for tests
    alone: it is worth nothing against a stolen database."""
    allow_own_keys: bool = True
    """Whether users may make keys for themselves; `false`: only whoever has the right on all keys."""
    own_key_roles: _Names = ()
    """Roles whose users may make keys for themselves, separated by commas. Empty: everybody's."""
    key_days_max: int | None = Field(default=None, ge=1, le=3650)
    """In how many days a key that is made, rotated or imported must end. Unset: no limit."""
    key_overlap_seconds_max: int | None = Field(default=None, ge=0, le=365 * 86_400)
    """How many seconds the secret before a rotation may work beside the new one. 0: none. Unset: no limit."""
    oauth_registration: Literal["off", "token", "open"] = "off"
    """Whether OAuth clients may register themselves (RFC 7591): `off`, `open` to anybody, or with a `token`: an API key
    or access token that may create an OAuth Client."""
    authorization_code_seconds: int = Field(default=60, ge=10, le=600)
    """How many seconds an OAuth authorization code can be exchanged."""
    access_token_seconds: _Seconds = 3600
    """How many seconds an OAuth access token lives."""
    refresh_token_seconds: _Seconds = 30 * 86_400
    """How many seconds an OAuth refresh token lives unless it is used; each use gives another, which lives as long."""
    refresh_grace_seconds: int = Field(default=10, ge=0, le=60)
    """For how many seconds after its use a refresh token may be sent again, by a client that lost the reply; later it
    ends all tokens that descend from the same approval. 0: every second use does."""
    device_code_seconds: int = Field(default=600, ge=60, le=3600)
    """How many seconds a device's code waits for its user."""
    signing_key_days: int = Field(default=90, ge=1, le=3650)
    """After how many days the key that signs ID tokens is replaced. The old one stays in the key set for a week."""
    cache_bytes: int = Field(default=32 * 1024**2, ge=0, le=64 * 1024**3)
    """How many bytes of verdicts each serving process remembers, so that a credential is looked up once and not at
    every request; about 1,600 bytes a credential, 2,400 where a proxy asks for several paths. A change that is
    acknowledged counts at once all the same. 0: none, every request asks the database. On PostgreSQL nothing is
    remembered."""
    fast_lane: Literal["parser", "application", "off"] = "parser"
    """Where requests that the verdict of a credential alone answers, such as `get_logged_user`, leave the long way,
    with the same answers and rows: in the `parser`, or at the door of the `application`. `off`: nowhere; for comparing
    them."""
    metrics_from: _Networks = ()
    """Addresses or ranges, separated by commas, from which `/metrics` may be read without a credential; what counts is
    the caller's address after `trusted_proxies`. Empty: from nowhere, a System Manager's credential is needed."""
    request_lines: bool = False
    """Whether each request is told on standard error too, as a line of JSON with the fields of its row in the request
    log; requests without a credential as well. A line costs as much as a quick answer, and whoever reads them must keep
    up, or the server waits."""
    shutdown_seconds: int = Field(default=10, ge=0, le=3600)
    """How many seconds a stop waits for requests under way. 0 waits for none."""
    development: bool = False
    """Whether System Managers have the page `/app/components`, which shows what pages are made of. It is for whoever
    changes Latchgate itself; `false` on every instance that is used."""

    @property
    def zone(self) -> ZoneInfo:
        """`time_zone`, to reckon with."""
        return ZoneInfo(self.time_zone)

    @property
    def returns(self) -> ReturnAddresses:
        """Where a sign-in may lead."""
        return ReturnAddresses(self.public_url, self.sign_in_for)

    @property
    def local_url(self) -> str:
        """The address at which a program on this machine reaches this instance."""
        return _default_public_url({"host": self.host, "port": self.port})

    @property
    def key_file(self) -> Path:
        """Where the key file is."""
        return self.home / "latchgate.key"

    @property
    def database_path(self) -> Path | None:
        """The file of the database of accounts; None on PostgreSQL."""
        return _sqlite_path(self.database_url)

    @property
    def log_database_path(self) -> Path | None:
        """The file of the request log's database; None on PostgreSQL."""
        return _sqlite_path(self.log_database_url)

    @property
    def log_folder(self) -> Path:
        """Where rows of the request log are until they are in its database."""
        return self.home / "log"

    @property
    def home_is_named(self) -> bool:
        """Whether somebody named the data folder, rather than leaving it to the current folder."""
        return "home" in self.model_fields_set

    @property
    def database_is_named(self) -> bool:
        """Whether somebody named the database of accounts, rather than leaving it to the data folder."""
        return "database_url" in self.model_fields_set


def _sqlite_path(url: SecretStr) -> Path | None:
    scheme, _, path = url.get_secret_value().partition(":///")
    return Path(path) if scheme == "sqlite" else None


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where values come from. Built before anything is validated."""

    options: Mapping[str, Any]
    variables: frozenset[str]
    file: Path | None
    file_values: Mapping[str, Any]
    problems: tuple[str, ...]

    def origin(self, name: str) -> str:
        if name in self.options:
            return f"--{name.replace('_', '-')}"
        if PREFIX + name.upper() in self.variables:
            return PREFIX + name.upper()
        return str(self.file) if name in self.file_values else "default"

    def subject(self, name: str) -> str:
        origin = self.origin(name)
        return f"{name} in {origin}" if name in self.file_values and origin == str(self.file) else origin


def load_settings(options: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings.

    Args:
        options: What the command line says, by the settings' names; counts before all else.

    Raises:
        SettingsError: With one line for each problem, all of them at once.
    """
    return _load(_read_sources(options or {}))


def find_origins() -> dict[str, str]:
    """Tell where each setting's value comes from: `default`, the environment variable's name, or the file's path."""
    sources = _read_sources({})
    return {name: sources.origin(name) for name in Settings.model_fields}


def find_variables() -> dict[str, str]:
    """Tell which variables of the environment are set that decide which instance is meant; some hold a password."""
    names = (CONFIG_VARIABLE, *(PREFIX + name for name in ("HOME", "DATABASE_URL", "LOG_DATABASE_URL")))
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def find_notify_socket() -> str | None:
    """Tell where a service manager wants to hear that the service is ready; None if nobody does."""
    return os.environ.get("NOTIFY_SOCKET") or None


def _load(sources: _Sources) -> Settings:
    values = {name: value for name, value in sources.file_values.items() if sources.origin(name) == str(sources.file)}
    try:
        settings = Settings(**{**values, **sources.options})
    except ValidationError as error:
        raise SettingsError(*sources.problems, *_problems(error, sources)) from None
    if sources.problems:
        raise SettingsError(*sources.problems)
    return settings


def _read_sources(options: Mapping[str, Any]) -> _Sources:
    present = {name.upper(): value for name, value in os.environ.items() if value}
    variables = {name: value for name, value in present.items() if name.startswith(PREFIX)}
    problems = [*_unknown_variables(variables)]
    file, values = _find_file(variables), {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            problems.append(f"The settings file {file} cannot be read: {reason}")
    if "home" in values and CONFIG_VARIABLE not in variables:
        problems.append(f"home in {file} would be another folder than the file's; name it by {PREFIX}HOME")
        del values["home"]
    return _Sources(options, frozenset(variables), file, values, tuple(problems))


def _find_file(variables: Mapping[str, str]) -> Path | None:
    if CONFIG_VARIABLE in variables:
        return _absolute(Path(variables[CONFIG_VARIABLE]))
    file = _absolute(Path(variables.get(f"{PREFIX}HOME", "data"))) / CONFIG_FILE_NAME
    return file if file.exists() else None


def _unknown_variables(variables: Mapping[str, str]) -> list[str]:
    names = sorted(name.removeprefix(PREFIX) for name in variables)
    known = ["CONFIG", *(name.upper() for name in Settings.model_fields)]
    return [f"{PREFIX}{name} is no setting{_nearest(name, known, PREFIX)}" for name in names if name not in known]


def _nearest(name: str, known: list[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {prefix}{near[0]}?" if near else "; docs/settings.md lists them"


def _problems(error: ValidationError, sources: _Sources) -> list[str]:
    problems = []
    for one in error.errors():
        name = str(one["loc"][0])
        if one["type"] == "extra_forbidden":
            problems.append(f"{name} in {sources.file} is no setting{_nearest(name, list(Settings.model_fields))}")
        elif one["type"] != "default_factory_not_called":  # follows from a problem that has a line of its own
            reason = str(one["ctx"]["error"]) if one["type"] == "value_error" else one["msg"].removeprefix("Input ")
            problems.append(f"{sources.subject(name)}: {reason}{_was(name, one['input'])}")
    return problems


def _was(name: str, value: object) -> str:
    # A database's address may hold a password.
    hidden = isinstance(value, SecretStr) or "url" in name or name == "admin_password"
    return "" if hidden else f" (it is '{str(value)[:60]}')"
