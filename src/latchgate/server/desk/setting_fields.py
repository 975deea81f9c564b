"""A setting as a field of a form: durations in the unit that people would choose, bounds and defaults in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.system_settings import SettingValue, bounds_of
from latchgate.errors import Invalid
from latchgate.services.standing_settings import default_of

__all__ = ["UNITS", "SettingField", "field_of", "read_number", "words_of"]

UNITS = (("86400", "days"), ("3600", "hours"), ("60", "minutes"), ("1", "seconds"))
"""By how many seconds: what a duration can be typed in."""

_ONE = {"days": "day", "hours": "hour", "minutes": "minute", "seconds": "second"}
_NO_LIMIT = {
    "key_days_max": "No limit",
    "key_overlap_seconds_max": "No limit",
    "log_address_days": "Never shortened",
}
_ZERO = {"log_retention_days": "for ever"}
_DIGITS_MAX = 9
_YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class SettingField:
    """What a page shows of one setting."""

    name: str
    label: str
    hint: str
    """Its meaning, its bounds and its default."""
    value: str
    """As it is typed: the number alone, or empty."""
    unit: str
    """In which of UNITS; empty where it is no duration."""
    after: str
    """What stands behind the number where there is no choice of units."""
    words: str
    """The value as a person says it."""
    origin: str
    """Where the operator set it, and where alone it is changed; empty where it is changed here."""


def field_of(name: str, value: SettingValue, typed: Mapping[str, Any] | None, origin: str) -> SettingField:
    """Describe a setting that is a number, with what was typed for it if that was refused."""
    spec = DOCUMENT_TYPES["System Settings"].fields[name]
    number, unit = _split(name, value)
    if typed is not None and not origin:
        number, unit = str(typed.get(name, "")), str(typed.get(f"{name}_unit", unit))
    return SettingField(
        name=name,
        label=spec.access.label,
        hint=f"{_meaning(spec.description)} {_bounds(name)} Default: {words_of(name, default_of(name)).lower()}.",
        value=number,
        unit=unit,
        after="days" if name.endswith(("_days", "_days_max")) else "",
        words=words_of(name, value),
        origin=origin,
    )


def read_number(name: str, typed: Mapping[str, Any]) -> int | None:
    """Read what was typed for a setting that is a number; empty is no limit. Raises Invalid."""
    text = typed.get(name, "")
    text = text.strip() if isinstance(text, str) else ""
    if not text and bounds_of(name).optional:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise Invalid({name: _must_be(name)})
    number = int(text) * (_unit_of(name, typed) if "_seconds" in name else 1)
    bounds = bounds_of(name)
    if not (bounds.least or 0) <= number <= (number if bounds.most is None else bounds.most):
        raise Invalid({name: _must_be(name)})
    return number


def words_of(name: str, value: SettingValue) -> str:
    """Say a value as a person would."""
    if isinstance(value, list):
        return ", ".join(value)
    if value is None:
        return _NO_LIMIT.get(name, "None")
    if value == 0 and name in _ZERO:
        return _ZERO[name]
    if not isinstance(value, int):
        return str(value)
    if "_seconds" in name:
        return _duration(value)
    return _counted(value, "days") if name.endswith(("_days", "_days_max")) else f"{value:,}"


def _unit_of(name: str, typed: Mapping[str, Any]) -> int:
    sent = typed.get(f"{name}_unit", "1")
    for seconds, _ in UNITS:
        if sent == seconds:
            return int(seconds)
    raise Invalid({name: "must be in days, hours, minutes or seconds"})


def _split(name: str, value: SettingValue) -> tuple[str, str]:
    if "_seconds" not in name:
        return "" if value is None else str(value), ""
    if not isinstance(value, int) or value == 0:
        return ("0", "3600") if value == 0 else ("", "3600")
    seconds = next(int(unit) for unit, _ in UNITS if value % int(unit) == 0)
    return str(value // seconds), str(seconds)


def _bounds(name: str) -> str:
    bounds = bounds_of(name)
    none = f" Empty: {words_of(name, None).lower()}." if bounds.optional else ""
    if name in _ZERO:
        return f"From 0, which is {_ZERO[name]}, to {words_of(name, bounds.most)}."
    return f"From {words_of(name, bounds.least)} to {words_of(name, bounds.most)}.{none}"


def _must_be(name: str) -> str:
    bounds = bounds_of(name)
    empty = ", or empty" if bounds.optional else ""
    return f"must be a whole number, from {words_of(name, bounds.least)} to {words_of(name, bounds.most)}{empty}"


def _duration(seconds: int) -> str:
    if seconds and seconds % _YEAR_SECONDS == 0:
        years = seconds // _YEAR_SECONDS
        return "a year" if years == 1 else f"{years} years"
    unit, words = next((int(unit), words) for unit, words in UNITS if seconds % int(unit) == 0 or unit == "1")
    if seconds == 0:
        return "0 seconds"
    return _counted(seconds // unit, words)


def _counted(number: int, words: str) -> str:
    return f"1 {_ONE[words]}" if number == 1 else f"{number:,} {words}"


def _meaning(description: str) -> str:
    # What a program needs to know of none and 0 is said of the field in other words.
    return description.partition("; none")[0].partition("; 0: for ever")[0] + "."
