"""What of the settings counts now: the operator's word, else an administrator's decision, else the default.

Decisions are read in the transaction in which they count, so that whatever begins after one was acknowledged follows
it, in every process.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from latchgate.core.sessions import SessionLifetime
from latchgate.core.system_settings import (
    SETTING_NAMES,
    KeyPolicy,
    Lifetimes,
    LogPolicy,
    SettingValue,
    SystemSettings,
)
from latchgate.services.ports import Store, Transaction
from latchgate.services.throttles import SignInLimits

__all__ = ["StandingSettings", "default_of", "fact_of"]

_SESSION = ("session_idle_seconds", "session_absolute_seconds")
_SIGN_IN = ("sign_in_failures_per_user", "sign_in_failures_per_address", "sign_in_window_seconds")
_KEYS = ("allow_own_keys", "own_key_roles", "key_days_max", "key_overlap_seconds_max")
_OAUTH = (
    "authorization_code_seconds",
    "access_token_seconds",
    "refresh_token_seconds",
    "device_code_seconds",
    "refresh_grace_seconds",
)
_LOG = ("log_retention_days", "log_address_days")


@dataclass(frozen=True, slots=True)
class StandingSettings:
    """The settings of an instance, as a transaction finds them."""

    operator: Mapping[str, SettingValue]
    """What the operator set, by name: it stands, whatever is decided."""

    @classmethod
    def of(cls, said: Mapping[str, object]) -> "StandingSettings":
        """Take what the operator set, as it was read; what nobody may decide besides is left out."""
        return cls({name: _as_stored(value) for name, value in said.items() if name in SETTING_NAMES})

    @classmethod
    def undecided(cls, **operator: SettingValue) -> "StandingSettings":
        """Give settings of which the operator set these alone."""
        return cls(operator)

    def find(self, tx: Transaction, names: tuple[str, ...] = SETTING_NAMES) -> dict[str, SettingValue]:
        """Tell the values that count, by name."""
        left = [name for name in names if name not in self.operator]
        facts = tx.instance.find_facts([fact_of(name) for name in left]) if left else {}
        decided = {name: json.loads(facts[fact_of(name)]) for name in left if fact_of(name) in facts}
        return {name: self.operator.get(name, decided.get(name, default_of(name))) for name in names}

    def session_lifetime(self, tx: Transaction) -> SessionLifetime:
        """Tell how long sessions live."""
        return SessionLifetime(*self._numbers(tx, _SESSION))

    def sign_in_limits(self, store: Store) -> SignInLimits:
        """Tell how many failed sign-ins are answered as such."""
        if all(name in self.operator for name in _SIGN_IN):
            return SignInLimits(*(_number(self.operator[name]) for name in _SIGN_IN))
        with store.read() as tx:
            return SignInLimits(*self._numbers(tx, _SIGN_IN))

    def key_policy(self, tx: Transaction) -> KeyPolicy:
        """Tell what keys may be like, and who makes their own."""
        return KeyPolicy.of(self.find(tx, _KEYS))

    def lifetimes(self, tx: Transaction) -> Lifetimes:
        """Tell how long what OAuth 2 issues lives."""
        return Lifetimes(*self._numbers(tx, _OAUTH))

    def log_policy(self, tx: Transaction) -> LogPolicy:
        """Tell how long the logs keep what."""
        values = self.find(tx, _LOG)
        days = values["log_address_days"]
        return LogPolicy(_number(values["log_retention_days"]), None if days is None else _number(days))

    def _numbers(self, tx: Transaction, names: tuple[str, ...]) -> list[int]:
        values = self.find(tx, names)
        return [_number(values[name]) for name in names]


def fact_of(name: str) -> str:
    """Tell under which name the database holds a decision."""
    return name if name == "allow_own_keys" else f"setting:{name}"


def default_of(name: str) -> SettingValue:
    """Tell what counts where nobody said anything."""
    default: SettingValue = SystemSettings.model_fields[name].get_default(call_default_factory=True)
    return default


def _as_stored(value: object) -> SettingValue:
    match value:
        case bool():
            return int(value)
        case None | int() | str():
            return value
        case tuple() | list():
            return [str(one) for one in value]
        case _:
            raise AssertionError(f"no value of a setting: {value!r}")


def _number(value: SettingValue) -> int:
    if not isinstance(value, int):
        raise AssertionError(f"no number: {value!r}")  # noqa: TRY004  # they were checked where they were set
    return value
