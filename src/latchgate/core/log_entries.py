"""Rows of the request log and the activity log, made so that nothing a caller chose can forge one."""

import re
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ActivityEntry", "LogEntry", "blank_secrets", "escape"]

_LATIN_1_LAST = 0xFF
PATH_LENGTH_MAX = 1024
USER_AGENT_LENGTH_MAX = 256

# Parameters that carry credentials somewhere in the protocols spoken here, and the usual names of secrets elsewhere.
_SECRET_NAMES = (
    "access_token|refresh_token|id_token|token|code|code_verifier|client_secret|client_assertion|api_secret|api_key"
    "|apikey|key|secret|password|pwd|passwd|sid|signature|sig|assertion|device_code|csrf_token|new_password|otp"
)
# A percent-encoded name ("p%77d") would hide the value from a plain comparison: any name with a % is blanked too.
_SECRET_PARAMETER = re.compile(rf"(?i)([?&;](?:{_SECRET_NAMES}|[^=&;]*%[^=&;]*)=)[^&;#]*")
# Links that are themselves secrets: everything after the last path segment that names them.
_SECRET_PATH = re.compile(r"(?i)^(/(?:setup|reset-password)/)[^/?#]+")
# C0, DEL, C1, the Unicode line ends, and the marks that reorder or hide text in a terminal or a page.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\\\\]")


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

    def document(self) -> dict[str, Any]:
        """Give the row as the log's readers see it, under the names that do not change."""
        fields = asdict(self)
        del fields["user_id"]
        if self.reason is None:
            del fields["reason"]
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


def escape(text: str, length_max: int) -> str:
    r"""Make text safe to print and to parse: control and reordering characters become \x.., \u...., cut at a length.

    The backslash is escaped too, so that no caller can write what looks like an escape.
    """
    escaped = _UNPRINTABLE.sub(lambda match: _escape_one(match.group()), text)
    return escaped if len(escaped) <= length_max else escaped[: length_max - 1] + "…"


def blank_secrets(path: str) -> str:
    """Replace the values of known secret parameters, and links that are secrets, by `***`."""
    return _SECRET_PATH.sub(r"\1***", _SECRET_PARAMETER.sub(r"\1***", path))


def _escape_one(character: str) -> str:
    if character == "\\":
        return "\\\\"
    code = ord(character)
    return f"\\x{code:02x}" if code <= _LATIN_1_LAST else f"\\u{code:04x}"
