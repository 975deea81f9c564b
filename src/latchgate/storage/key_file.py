"""The key file: the list of peppers, outside the database, without which nothing stored in it opens anything.

    {"version": 1, "peppers": [{"number": 1, "secret": "<base64 of 32 bytes>"}]}

New digests are made under the pepper of the highest number; old ones are recognised as long as theirs is in the list.
"""

import base64
import json
import os
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from latchgate.core.tokens import PEPPER_BYTES, Peppers, derive_pepper
from latchgate.errors import SettingsError
from latchgate.storage.data_folder import sync_folder

__all__ = ["copy_key_file", "load_key_file", "make_key_file"]

_MODE = 0o600
_BYTES_MAX = 65_536


def _decode(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004  # pydantic collects ValueError
    return base64.b64decode(value, validate=True)


class _Pepper(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    number: Annotated[int, Field(ge=1, le=2**31 - 1)]
    secret: Annotated[bytes, BeforeValidator(_decode), Field(min_length=PEPPER_BYTES, max_length=PEPPER_BYTES)]


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    version: Literal[1]
    peppers: Annotated[list[_Pepper], Field(min_length=1, max_length=100)]


def make_key_file(path: Path, secret: bytes) -> Peppers:
    """Make a key file with one pepper; when this returns, it is on the disk.

    It appears whole or not at all, and never replaces another.

    Args:
        path: Where; its folder exists.
        secret: `PEPPER_BYTES` random bytes.

    Raises:
        SettingsError: There is a file already, or it cannot be written.
    """
    pepper = {"number": 1, "secret": base64.b64encode(secret).decode("ascii")}
    text = json.dumps({"version": 1, "peppers": [pepper]}) + "\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_whole(beside, text.encode())
        try:
            # A link, unlike a rename, fails where there is a file.
            path.hardlink_to(beside)
        finally:
            beside.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise SettingsError(f"The key file {path} exists already; it is never replaced") from None
    except OSError as error:
        raise SettingsError(f"The key file {path} cannot be made: {error.strerror}") from None
    return load_key_file(path)


def copy_key_file(source: Path, destination: Path) -> None:
    """Copy a key file to where none is; the copy is on the disk when this returns. Raises SettingsError."""
    load_key_file(source)
    try:
        _write_whole(destination, source.read_bytes())
        sync_folder(destination.parent)
    except OSError as error:
        raise SettingsError(f"The key file {destination} cannot be made: {error.strerror}") from None


def load_key_file(path: Path) -> Peppers:
    """Read a key file.

    Raises:
        SettingsError: It is missing, unreadable, of another form or version, or others may read it; with the next step.
    """
    document = _parse(path, _read(path))
    numbers = [pepper.number for pepper in document.peppers]
    if len(set(numbers)) != len(numbers):
        raise SettingsError(f"The key file {path} gives a number to two peppers; restore it from the backup")
    if len({pepper.secret for pepper in document.peppers}) != len(numbers):
        raise SettingsError(f"The key file {path} holds one secret twice; restore it from the backup")
    return Peppers([derive_pepper(pepper.number, pepper.secret) for pepper in document.peppers])


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SettingsError(f"The key file {path} is not a file")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise SettingsError(f"Others may read the key file {path}; run: chmod 600 {path}")
            return file.read(_BYTES_MAX + 1)
    except FileNotFoundError:
        raise SettingsError(f"The key file {path} is missing; restore it from the backup") from None
    except OSError as error:
        raise SettingsError(f"The key file {path} cannot be read: {error.strerror}") from None


def _parse(path: Path, content: bytes) -> _KeyFile:
    try:
        return _KeyFile.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors()[0]["loc"])
        if place == "version":
            raise SettingsError(f"The key file {path} is of a version that this release does not know") from None
        told = f" (at {place})" if place else ""
        raise SettingsError(f"The key file {path} cannot be understood{told}; restore it from the backup") from None


def _write_whole(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
