"""What administrators may decide for everybody: each setting with its bounds, and what a decision comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BeforeValidator, Field
from pydantic.fields import FieldInfo

from latchgate.core.document_fields import Check, Record, Texts, whole
from latchgate.core.document_types import Access, Kind, Writer

__all__ = [
    "SETTING_NAMES",
    "Bounds",
    "KeyPolicy",
    "Lifetimes",
    "LogPolicy",
    "SettingValue",
    "SystemSettings",
    "bounds_of",
]

SettingValue = int | str | list[str] | None
"""What a setting holds; None where there is no limit."""

_HOUR, _DAY = 3600, 86_400
_YEAR = 365 * _DAY
_ANYONE = Writer.ANYONE
"""Of those who may change System Settings at all, which System Managers alone do."""


def _blank_is_none(value: object) -> object:
    return None if value == "" else whole(value)


_SessionSeconds = Annotated[int, Field(ge=60, le=_YEAR), BeforeValidator(whole)]
_Failures = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(whole)]
_Window = Annotated[int, Field(ge=60, le=_DAY), BeforeValidator(whole)]
_KeyDays = Annotated[Annotated[int, Field(ge=1, le=3650)] | None, BeforeValidator(_blank_is_none)]
_Overlap = Annotated[Annotated[int, Field(ge=0, le=_YEAR)] | None, BeforeValidator(_blank_is_none)]
_CodeSeconds = Annotated[int, Field(ge=10, le=600), BeforeValidator(whole)]
_AccessSeconds = Annotated[int, Field(ge=60, le=30 * _DAY), BeforeValidator(whole)]
_RefreshSeconds = Annotated[int, Field(ge=300, le=10 * _YEAR), BeforeValidator(whole)]
_Grace = Annotated[int, Field(ge=0, le=60), BeforeValidator(whole)]
_DeviceSeconds = Annotated[int, Field(ge=60, le=_HOUR), BeforeValidator(whole)]
_Retention = Annotated[int, Field(ge=0, le=36_500), BeforeValidator(whole)]
_AddressDays = Annotated[Annotated[int, Field(ge=1, le=36_500)] | None, BeforeValidator(_blank_is_none)]


class SystemSettings(Record):
    """What administrators decide for everybody; what the operator set where the service starts stands above it."""

    session_idle_seconds: Annotated[_SessionSeconds, Access(Kind.INT, "A session ends unused after", write=_ANYONE)] = (
        Field(3 * _DAY, description="How long a session lasts without a request")
    )
    session_absolute_seconds: Annotated[
        _SessionSeconds, Access(Kind.INT, "A session ends in any case after", write=_ANYONE)
    ] = Field(7 * _DAY, description="How long a session lasts after sign-in, however much it is used")
    sign_in_failures_per_user: Annotated[
        _Failures, Access(Kind.INT, "Failed sign-ins of a user from one address", write=_ANYONE)
    ] = Field(
        5,
        description="How many are answered as such in a window; after that the account is protected from that address",
    )
    sign_in_failures_per_address: Annotated[
        _Failures, Access(Kind.INT, "Failed sign-ins from one address", write=_ANYONE)
    ] = Field(50, description="How many are answered as such in a window, whoever the user (IPv6: from a /64)")
    sign_in_window_seconds: Annotated[_Window, Access(Kind.INT, "The window lasts", write=_ANYONE)] = Field(
        600, description="After how long failed sign-ins are forgotten"
    )
    allow_own_keys: Annotated[Check, Access(Kind.CHECK, "Users manage their own keys", write=_ANYONE)] = Field(
        1, description="0: only who may change all keys may make, rotate and end any"
    )
    own_key_roles: Annotated[Texts, Access(Kind.LIST, "Roles that may", write=_ANYONE, compared=False)] = Field(
        [], description="Whose users manage their own keys, if users do at all; none means everybody's"
    )
    key_days_max: Annotated[_KeyDays, Access(Kind.INT, "A key lives at most", write=_ANYONE)] = Field(
        None, description="In how many days a key that is made, rotated or imported must end; none for no limit"
    )
    key_overlap_seconds_max: Annotated[_Overlap, Access(Kind.INT, "A former secret works at most", write=_ANYONE)] = (
        Field(None, description="How long the secret before a rotation may work beside the new one; none for no limit")
    )
    authorization_code_seconds: Annotated[
        _CodeSeconds, Access(Kind.INT, "An authorization code lives", write=_ANYONE)
    ] = Field(60, description="How long a code can be exchanged for tokens")
    access_token_seconds: Annotated[_AccessSeconds, Access(Kind.INT, "An access token lives", write=_ANYONE)] = Field(
        _HOUR, description="How long an access token that is issued from now on opens something"
    )
    refresh_token_seconds: Annotated[_RefreshSeconds, Access(Kind.INT, "A refresh token lives", write=_ANYONE)] = Field(
        30 * _DAY, description="How long one that is issued from now on lives unused; each use gives another"
    )
    refresh_grace_seconds: Annotated[_Grace, Access(Kind.INT, "A used refresh token may come again", write=_ANYONE)] = (
        Field(10, description="For how long after its use, from a client that lost the reply; 0: never")
    )
    device_code_seconds: Annotated[_DeviceSeconds, Access(Kind.INT, "A device waits for its user", write=_ANYONE)] = (
        Field(600, description="How long the code that a device shows can be entered")
    )
    log_retention_days: Annotated[_Retention, Access(Kind.INT, "Requests are kept", write=_ANYONE)] = Field(
        90, description="How many days rows of the request log are kept; 0: for ever"
    )
    log_address_days: Annotated[_AddressDays, Access(Kind.INT, "Addresses are whole for", write=_ANYONE)] = Field(
        None,
        description="After how many days the addresses in both logs are cut to their network, for good; none: never",
    )


SETTING_NAMES = tuple(name for name in SystemSettings.model_fields if name not in Record.model_fields)
"""The settings, in their order."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which numbers a setting lies; None where there is no such bound, as for what is no number."""

    least: int | None
    most: int | None
    optional: bool
    """Whether there may be no limit at all."""


def bounds_of(name: str) -> Bounds:
    """Tell the bounds of a setting, as they are checked."""
    info: FieldInfo = SystemSettings.model_fields[name]
    notes: list[object] = list(info.metadata)
    optional = False
    if get_origin(info.annotation) in {Union, UnionType}:
        optional = type(None) in get_args(info.annotation)
        for one in get_args(info.annotation):
            notes += [*getattr(one, "__metadata__", ())]
    notes += [note for found in notes if isinstance(found, FieldInfo) for note in found.metadata]
    return Bounds(_first(notes, "ge"), _first(notes, "le"), optional)


def _first(notes: list[object], name: str) -> int | None:
    found: list[int] = [getattr(note, name) for note in notes if hasattr(note, name)]
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What keys may be like, and who makes their own."""

    own_keys: bool = True
    own_key_roles: frozenset[str] = frozenset()
    days_max: int | None = None
    overlap_seconds_max: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, SettingValue]) -> "KeyPolicy":
        """Read the settings that it is made of."""
        roles, days, overlap = (values[name] for name in ("own_key_roles", "key_days_max", "key_overlap_seconds_max"))
        return cls(
            own_keys=bool(values["allow_own_keys"]),
            own_key_roles=frozenset(roles if isinstance(roles, list) else ()),
            days_max=days if isinstance(days, int) else None,
            overlap_seconds_max=overlap if isinstance(overlap, int) else None,
        )

    def gives_own_keys(self, roles: frozenset[str]) -> bool:
        """Whether users with these roles manage their own keys."""
        return self.own_keys and (not self.own_key_roles or bool(self.own_key_roles & roles))

    def latest_end(self, now: int) -> int | None:
        """Tell until when a key may live that is made or rotated now, in Unix seconds; None for without end."""
        return None if self.days_max is None else now + self.days_max * _DAY

    def allows_end(self, expires_at: int | None, now: int) -> bool:
        """Whether a key that is made or rotated now may live until then; None is for ever."""
        latest = self.latest_end(now)
        return latest is None or (expires_at is not None and expires_at <= latest)

    def earlier_end(self, expires_at: int | None, now: int) -> int | None:
        """Give an end that this allows, and that is no later than another."""
        latest = self.latest_end(now)
        return expires_at if latest is None else min(latest, latest if expires_at is None else expires_at)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what is issued lives, in seconds."""

    code_seconds: int
    access_token_seconds: int
    refresh_token_seconds: int
    """Since its last use: each successor lives that long anew."""
    device_code_seconds: int
    refresh_grace_seconds: int
    """How long after its use a refresh token may be sent again, for a reply that was lost."""


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """How long the logs keep what."""

    retention_days: int
    """Rows of the request log; 0: for ever."""
    address_days: int | None
    """Whole addresses; None: as long as the rows."""
