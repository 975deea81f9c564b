"""Where the settings come from: environment variables LATCHGATE_… and a TOML file, read here and nowhere else."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from latchgate.setting_values import full_path

__all__ = [
    "CONFIG_VARIABLE",
    "PREFIX",
    "Sources",
    "find_notify_socket",
    "find_variables",
    "read_sources",
]

PREFIX = "LATCHGATE_"
CONFIG_VARIABLE = "LATCHGATE_CONFIG"
_FILE_NAME = "latchgate.toml"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from. Built before anything is validated."""

    names: tuple[str, ...]
    """Of all settings there are."""
    options: Mapping[str, Any] = field(repr=False)
    variables: frozenset[str]
    file: Path | None
    file_values: Mapping[str, Any] = field(repr=False)
    problems: tuple[str, ...]
    """What is wrong with the sources themselves."""

    def values(self) -> dict[str, Any]:
        """Give what file and options say; the variables, which count more than the file, are read by who validates."""
        of_file = {name: value for name, value in self.file_values.items() if self.origin(name) == str(self.file)}
        return {**of_file, **self.options}

    def origin(self, name: str) -> str:
        """Tell where a setting's value comes from: the option, the variable, the file's path, or `default`."""
        if name in self.options:
            return f"--{name.replace('_', '-')}"
        if PREFIX + name.upper() in self.variables:
            return PREFIX + name.upper()
        return str(self.file) if name in self.file_values else "default"

    def explain(self, error: ValidationError) -> list[str]:
        """Say what is wrong with values, each with where it comes from; a line each."""
        problems = []
        for one in error.errors():
            name = str(one["loc"][0])
            if one["type"] == "extra_forbidden":
                problems.append(f"{name} in {self.file} is no setting{_nearest(name, self.names)}")
            elif one["type"] != "default_factory_not_called":  # follows from a problem that has a line of its own
                reason = str(one["ctx"]["error"]) if one["type"] == "value_error" else one["msg"].removeprefix("Input ")
                problems.append(f"{self._subject(name)}: {reason}{_was(name, one['input'])}")
        return problems

    def _subject(self, name: str) -> str:
        origin = self.origin(name)
        return f"{name} in {origin}" if name in self.file_values and origin == str(self.file) else origin


def read_sources(options: Mapping[str, Any], names: Iterable[str]) -> Sources:
    """Read environment and file for the settings of these names; what cannot be read is among the problems."""
    known = tuple(names)
    present = {name.upper(): value for name, value in os.environ.items() if value}
    variables = {name: value for name, value in present.items() if name.startswith(PREFIX)}
    problems = [*_unknown_variables(variables, known)]
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
    return Sources(known, options, frozenset(variables), file, values, tuple(problems))


def find_variables() -> dict[str, str]:
    """Tell which variables of the environment are set that decide which instance is meant; some hold a password."""
    names = (CONFIG_VARIABLE, *(PREFIX + name for name in ("HOME", "DATABASE_URL", "LOG_DATABASE_URL")))
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def find_notify_socket() -> str | None:
    """Tell where a service manager wants to hear that the service is ready; None if nobody does."""
    return os.environ.get("NOTIFY_SOCKET") or None


def _find_file(variables: Mapping[str, str]) -> Path | None:
    if CONFIG_VARIABLE in variables:
        return full_path(Path(variables[CONFIG_VARIABLE]))
    file = full_path(Path(variables.get(f"{PREFIX}HOME", "data"))) / _FILE_NAME
    return file if file.exists() else None


def _unknown_variables(variables: Mapping[str, str], names: Iterable[str]) -> list[str]:
    found = sorted(name.removeprefix(PREFIX) for name in variables)
    known = ["CONFIG", *(name.upper() for name in names)]
    return [f"{PREFIX}{name} is no setting{_nearest(name, known, PREFIX)}" for name in found if name not in known]


def _nearest(name: str, known: Sequence[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {prefix}{near[0]}?" if near else "; docs/settings.md lists them"


def _was(name: str, value: object) -> str:
    # A database's address may hold a password.
    hidden = isinstance(value, SecretStr) or "url" in name or name == "admin_password"
    return "" if hidden else f" (it is '{str(value)[:60]}')"
