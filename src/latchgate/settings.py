"""The settings, each with its meaning; checked when they are loaded, and complete.

What counts, first to last: an option of the command line, the environment, the file, the default.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from latchgate.core.forwarded import Proxy
from latchgate.core.return_addresses import ReturnAddresses
from latchgate.errors import SettingsError
from latchgate.setting_sources import PREFIX, Sources, read_sources
from latchgate.setting_values import (
    Count,
    DatabaseUrl,
    FullPath,
    Host,
    LogDatabaseUrl,
    Names,
    Networks,
    OwnHosts,
    PublicUrl,
    Seconds,
    TimeZone,
    default_log_database_url,
    default_public_url,
    sqlite_path,
)

__all__ = ["Settings", "find_origins", "load_settings"]


class Settings(BaseSettings):
    """How this instance is set up; checked, complete and unchangeable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    home: FullPath = Field(default=Path("data"), validate_default=True)
    """The data folder: databases, key file, `latchgate.toml`. A relative path starts at the current folder. Made with
    mode 0700 if it is not there."""
    database_url: DatabaseUrl = Field(
        default_factory=lambda values: SecretStr(f"sqlite:///{values['home']}/latchgate.db")
    )
    """The database of accounts and credentials: `sqlite:////folder/file.db` or `postgresql://user:password@host/name`.
    Default: `latchgate.db` in the data folder."""
    log_database_url: LogDatabaseUrl = Field(default_factory=default_log_database_url)
    """The database of the request log. Default: `log.db` in the data folder; with PostgreSQL the same database as
    `database_url`."""
    log_sync: Literal["interval", "always", "never"] = "interval"
    """When rows of the request log are put on the disk, where a power cut does not reach them: `interval` each second,
    `always` before their replies leave, which costs each a wait for the disk, `never` when the system likes. The death
    of a process takes none in any case."""
    log_backlog_bytes: int = Field(default=1024 * 1024 * 1024, ge=64 * 1024 * 1024)
    """How much of the disk rows may take that are not in the log's database yet, all processes together, in steps of
    8 MiB. Beyond it requests with a credential are answered 503: nothing is done that could not be logged."""
    log_refusals_per_address: Count = 60
    """How many refused requests of one address (IPv6: /64) have rows of their own in a minute, in each process; the
    others have one row that says how many."""
    log_refusals: Count = 600
    """How many refused requests have rows of their own in a minute, in each process, whatever their addresses."""
    log_retention_days: int = Field(default=90, ge=0, le=36_500)
    """How many days rows of the request log are kept, and reports of lost ones. 0: for ever. What was counted by minute
    is kept for 8 days, by hour for 100 days, by day for 5 years, whatever this says."""
    log_address_days: int | None = Field(default=None, ge=1, le=36_500)
    """After how many days the addresses in request log, activity log and last uses are cut to their network, an IPv4
    address to 24 bits and an IPv6 address to 48, for good. Unset: never."""
    host: Host = "127.0.0.1"
    """The address to listen on. `0.0.0.0` or `::` means every address of the machine: then put https before it."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on. 0 takes a free one, which is printed at start."""
    workers: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, le=256)
    """How many processes serve, besides the one that watches them and the one that moves the log into its database.
    Default: as many as there are processors that this process may use."""
    public_url: PublicUrl = Field(default_factory=default_public_url)
    """The address under which people and programs reach this instance, such as `https://auth.example.com`. It stands in
    links and makes cookies `Secure` if it is https. Default: the listening address; never the Host header."""
    trusted_proxies: Networks = ()
    """Addresses or ranges of the proxies before this instance, separated by commas. Only from them does
    `X-Forwarded-For` count, and only they may ask `/auth/verify`. Empty: from nobody."""
    proxy: Proxy = Proxy.NGINX
    """How a proxy that asks `/auth/verify` tells of the request that it asks about, unless it asks
    `/auth/verify?proxy=` and another name: `nginx`, `traefik`, `caddy`, `haproxy` or `envoy`. Envoy cannot name itself
    so: where it asks, this must be `envoy`."""
    sign_in_for: OwnHosts = ()
    """Hosts of protected applications, separated by commas, whose browsers are sent to sign in and back, instead of
    being answered 401. Each is the host of `public_url`, with the port if it is another: to other hosts browsers do not
    take the session. Empty: none."""
    access_rules: FullPath | None = None
    """A TOML file with the access rules of protected applications, for those who keep it in git. It is loaded at every
    start, and then the rules are changed there alone. Unset: they are kept in the database and changed by whoever
    may."""
    admin_password: SecretStr | None = None
    """Administrator's password, at least 8 characters. Counts on the first run only, while Administrator has none;
    without it a one-time set-up link is printed."""
    time_zone: TimeZone = "UTC"
    """The zone in which users' hours (`login_after`, `login_before`) are meant, such as `Europe/Berlin`. Times on the
    wire stay UTC."""
    session_idle_seconds: Seconds = 3 * 86_400
    """After how many seconds without a request a session ends. The smaller of this and `session_absolute_seconds`
    counts."""
    session_absolute_seconds: Seconds = 7 * 86_400
    """After how many seconds since sign-in a session ends, however much it is used."""
    sign_in_failures_per_user: Count = 5
    """How many failed sign-ins of one user from one address are answered as such in a window; those beyond are
    refused unexamined."""
    sign_in_failures_per_address: Count = 50
    """How many failed sign-ins from one address (IPv6: /64), whoever the user, are answered as such in a window."""
    sign_in_window_seconds: Seconds = 600
    """How long the window of failed sign-ins lasts, in seconds."""
    credential_failures_per_minute: Count = 300
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
    own_key_roles: Names = ()
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
    access_token_seconds: Seconds = 3600
    """How many seconds an OAuth access token lives."""
    refresh_token_seconds: Seconds = 30 * 86_400
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
    every request; about 1,600 bytes a credential. A change that is acknowledged counts at once all the same. 0: none,
    every request asks the database. On PostgreSQL nothing is remembered."""
    fast_lane: Literal["parser", "application", "off"] = "parser"
    """Where requests that the verdict of a credential alone answers, such as `get_logged_user`, leave the long way,
    with the same answers and rows: in the `parser`, or at the door of the `application`. `off`: nowhere; for comparing
    them."""
    metrics_from: Networks = ()
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
        return default_public_url({"host": self.host, "port": self.port})

    @property
    def key_file(self) -> Path:
        """Where the key file is."""
        return self.home / "latchgate.key"

    @property
    def database_path(self) -> Path | None:
        """The file of the database of accounts; None on PostgreSQL."""
        return sqlite_path(self.database_url)

    @property
    def log_database_path(self) -> Path | None:
        """The file of the request log's database; None on PostgreSQL."""
        return sqlite_path(self.log_database_url)

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


def load_settings(options: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings.

    Args:
        options: What the command line says, by the settings' names; counts before all else.

    Raises:
        SettingsError: With one line for each problem, all of them at once.
    """
    return _load(read_sources(options or {}, Settings.model_fields))


def find_origins() -> dict[str, str]:
    """Tell where each setting's value comes from: `default`, the environment variable's name, or the file's path."""
    sources = read_sources({}, Settings.model_fields)
    return {name: sources.origin(name) for name in Settings.model_fields}


def _load(sources: Sources) -> Settings:
    try:
        settings = Settings(**sources.values())
    except ValidationError as error:
        raise SettingsError(*sources.problems, *sources.explain(error)) from None
    if sources.problems:
        raise SettingsError(*sources.problems)
    return settings
