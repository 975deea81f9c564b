"""Rows of the request log and the activity log, made so that nothing a caller chose can forge one."""

import re
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.tokens import TokenKind

__all__ = [
    "ActivityEntry",
    "Asked",
    "Caller",
    "LogEntry",
    "blank_secrets",
    "blank_texts",
    "escape",
    "former_use_name",
    "holds_secret",
    "use_name",
]

_LATIN_1_LAST = 0xFF
_PLANE_0_LAST = 0xFFFF
PATH_LENGTH_MAX = 1024
USER_AGENT_LENGTH_MAX = 256

# What names a secret, in the protocols spoken here and elsewhere. A percent-encoded name ("p%77d") would hide one.
_SECRET_NAME = re.compile(
    r"%|assertion|authorization|credential|pass(?:phrase|wd|word)|pwd|secret|signature|token|verifier|(?:key|otp)\b"
    r"|\b(?:auth|(?:device_|user_)?code|jwt|pass|session(?:_?id)?|sid|sig)\b",
    re.IGNORECASE,
)
# What carries whole records or the value of any field, and what speaks of a secret by its name.
_VALUE_NAMES = frozenset({"data", "doc", "docs", "value"})
# JSON that is written in escapes may speak of anything.
_SECRET_VALUE = re.compile(r"pass(?:phrase|wd|word)|pwd|secret|\\u", re.IGNORECASE)
# In linear time: a name holds none of the characters that a name begins after.
_PARAMETER = re.compile(r"[?&;]([^?&;=]*)=")
# A link that is a secret: what follows the part of the path that names it.
_SECRET_PATH = re.compile(r"^(/(?:setup|reset-password)/)[^/?]+", re.IGNORECASE)
# What is a secret wherever it stands: one of ours, and a pair as Frappe makes them.
_SECRET_TEXT = re.compile(
    f"((?:{'|'.join(kind for kind in TokenKind if kind is not TokenKind.KEY_ID)}))[0-9A-Za-z]+"
    r"|\b([0-9a-f]{15}:)[0-9a-f]{15}\b"
)


def use_name(source: str | None, credential: str) -> str:
    """Tell under what name the last use of a credential is kept: ids of keys are told apart by their source."""
    return credential if source in (None, USER_SOURCE) else f"{source}\n{credential}"


def former_use_name(source: str | None, credential: str, until: int) -> str:
    """Tell under what name the last use of a key's former secret is kept, which works `until` then (Unix seconds).

    The end of its overlap tells it from those of earlier rotations, and names are in that order. No id and no source
    holds a line break.
    """
    return f"former\n{until:012}\n{use_name(source, credential)}"


class Asked(NamedTuple):
    """What was asked for and by which program, as it is shown: without secrets, printable, cut."""

    method: str
    path: str
    ip_address: str
    user_agent: str
    host: str | None = None
    """As of a LogEntry."""


class Caller(NamedTuple):
    """Whom a row names, and by which credential."""

    user: str | None = None
    user_id: int | None = None
    api_key: str | None = None
    scheme: str | None = None
    source: str | None = None
    former_until: int | None = None
    """Where a key came with the secret before a rotation: until when that works, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request that presented a credential. `time` is microseconds since 1970, `seconds` how long it took."""

    time: int
    request_id: str
    user: str | None
    api_key: str | None
    """The public id of the key, token or session."""
    scheme: str | None
    source: str | None
    method: str
    path: str
    status: int
    seconds: float
    ip_address: str
    user_agent: str
    reason: str | None
    user_id: int | None = None
    requests: int = 1
    """How many requests the row stands for: of refusals beyond a quota, an address has one row a minute."""
    former_until: int | None = None
    """As of a Caller. It goes into the last uses alone: no column keeps it."""
    host: str | None = None
    """Which host a request for a protected application was for, as `hosts.parse_host` writes it; None if the request
    was for the server itself, or what was named is no host."""

    def document(self) -> dict[str, Any]:
        """Give the row as the log's readers see it, under the names that do not change."""
        fields = asdict(self)
        del fields["user_id"], fields["former_until"]
        if self.reason is None:
            del fields["reason"]
        if self.requests == 1:
            del fields["requests"]
        if self.host is None:
            del fields["host"]
        return fields


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """Something that happened to an account or a credential. `time` is microseconds since 1970."""

    time: int
    user: str
    """Who did it: a user's name, or `Administrator` for the command line."""
    operation: str
    """Such as `api_key.generated`."""
    subject: str
    """What it was done to, as a public name."""
    detail: str
    ip_address: str
    """Empty for the command line."""
    user_id: int | None = None
    """Who did it, by id; None for what was written before it was noted."""

    def document(self) -> dict[str, Any]:
        """Give the row as the log's readers see it."""
        fields = asdict(self)
        del fields["user_id"]
        return fields


def escape(text: str, length_max: int) -> str:
    r"""Make text safe to print and to parse: what Unicode does not count as printable becomes \x.., \u...., \U........

    Those are the control, reordering and invisible characters and every space but the plain one. The backslash is
    escaped too, so that no caller can write what looks like an escape. Cut at a length, which an ellipsis shows.
    """
    escaped = text.replace("\\", "\\\\")
    if not escaped.isprintable():
        escaped = "".join(one if one.isprintable() else _escape_one(one) for one in escaped)
    return escaped if len(escaped) <= length_max else escaped[: length_max - 1] + "…"


def blank_secrets(target: str) -> str:
    """Replace by `***` the values of parameters named like secrets, and what is a secret wherever it stands."""
    shown = _SECRET_PATH.sub(r"\1***", blank_texts(target))
    pieces = (_blank_parameter(piece) for piece in re.split("(?=&)", shown))
    return "".join(map(_blank_encoded, pieces))


def blank_texts(text: str) -> str:
    """Replace by `***` what is a secret wherever it stands, and leave its beginning or its key id."""
    return _SECRET_TEXT.sub(r"\1\2***", text)


def holds_secret(text: str) -> bool:
    """Whether a text that a person typed holds what `blank_texts` would blank; a name such as olga_p is none."""
    return any(not text[: found.start()][-1:].isalnum() for found in _SECRET_TEXT.finditer(text))


def _blank_parameter(piece: str) -> str:
    # Some servers end a value at a semicolon, others do not: a secret may begin after one, but ends only with the `&`.
    first = None
    for parameter in _PARAMETER.finditer(piece):
        if _SECRET_NAME.search(parameter[1]) or parameter[1].lower() in _VALUE_NAMES:
            return piece[: parameter.end()] + "***"
        first = first or parameter
    if first is not None and _SECRET_VALUE.search(unquote(piece[first.end() :])):
        # A filter, or a record in an argument of another name, that speaks of a secret.
        return piece[: first.end()] + "***"
    return piece


def _blank_encoded(piece: str) -> str:
    # A secret may be written with percent signs: only its plain form can be blanked, and only then it is shown.
    if "%" not in piece or not _SECRET_TEXT.search(plain := unquote(piece)):
        return piece
    return blank_texts(plain)


def _escape_one(character: str) -> str:
    code = ord(character)
    if code <= _LATIN_1_LAST:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _PLANE_0_LAST else f"\\U{code:08x}"
