"""Every exception that leaves a room of Latchgate, and what each one tells the caller.

LatchgateError           never raised itself
├── SettingsError        start-up: settings, key file, database revision; lists every problem at once
├── BadRequest           the wire is malformed
├── NotPermitted         a valid caller that lacks a right
├── NotFound             absent, or the caller may not know that it exists
├── Conflict             the name is taken, or the record changed meanwhile
├── Invalid              fields that cannot be accepted: {field: reason}
├── SignInFailed         user and password do not open a session
├── RateLimited          too many; says after how many seconds to come back
├── OAuthError           OAuth 2 says no: the error code of an RFC, and what would be right
└── StorageError         the database cannot be reached or answered
"""

import re
from collections.abc import Mapping
from enum import StrEnum

__all__ = [
    "BadRequest",
    "Conflict",
    "ErrorCode",
    "Flaw",
    "Invalid",
    "LatchgateError",
    "NotFound",
    "NotPermitted",
    "OAuthError",
    "RateLimited",
    "SettingsError",
    "SignInFailed",
    "StorageError",
]


# RFC 6749, section 5.2: what an error_description may hold.
_NOT_DESCRIBING = re.compile(r"[^ !#-\[\]-~]")
_DESCRIPTION_LENGTH_MAX = 500


class ErrorCode(StrEnum):
    """What went wrong, apart from how any dialect of the wire says it."""

    SETTINGS = "settings"
    BAD_REQUEST = "bad_request"
    NOT_PERMITTED = "not_permitted"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    SIGN_IN_FAILED = "sign_in_failed"
    RATE_LIMITED = "rate_limited"
    OAUTH = "oauth"
    STORAGE = "storage"


class LatchgateError(Exception):
    """The root; never raised itself.

    `public` may be shown to the caller; `detail` is for the operator's log alone.
    """

    code: ErrorCode

    def __init__(self, public: str, *, detail: str = "") -> None:
        super().__init__(public)
        self.public = public
        self.detail = detail


class SettingsError(LatchgateError):
    """The service cannot start as it is set up; `problems` holds one line each."""

    code = ErrorCode.SETTINGS

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class BadRequest(LatchgateError):
    """The request cannot be read: broken JSON, a wrong form, a header given twice."""

    code = ErrorCode.BAD_REQUEST


class NotPermitted(LatchgateError):
    """The caller is known and may not do this; `reason` is for the request log."""

    code = ErrorCode.NOT_PERMITTED

    def __init__(
        self, public: str, *, reason: str = "not_permitted", told: bool = False, detail: str = "", scope: str = ""
    ) -> None:
        super().__init__(public, detail=detail)
        self.reason = reason
        self.scope = scope
        """The scope that the credential lacks, where that is why."""
        self.told = told
        """Whether `public` is meant for a person to read, as Frappe shows it for records."""


class NotFound(LatchgateError):
    """There is no such record, or none that the caller may know of.

    `told` says whether `public` is meant for a person to read; Frappe shows nothing where an address leads nowhere.
    """

    code = ErrorCode.NOT_FOUND

    def __init__(self, public: str, *, told: bool = True, detail: str = "") -> None:
        super().__init__(public, detail=detail)
        self.told = told


class Conflict(LatchgateError):
    """A record of that name exists already."""

    code = ErrorCode.CONFLICT


class Flaw(StrEnum):
    """What kind of fault makes values invalid; Frappe has an exception for each."""

    VALUE = "value"
    MISSING = "missing"
    """A mandatory field has no value."""
    LINK = "link"
    """A value names a record that does not exist."""
    EMAIL = "email"
    FIELD = "field"
    """A question names a field that does not exist, or that the caller may not read."""
    STALE = "stale"
    """The record was changed after the caller read it."""


class Invalid(LatchgateError):
    """Values that cannot be accepted; `fields` maps each field to what would be right."""

    code = ErrorCode.INVALID

    def __init__(self, fields: Mapping[str, str], flaw: Flaw = Flaw.VALUE) -> None:
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in fields.items()))
        self.fields = dict(fields)
        self.flaw = flaw


class SignInFailed(LatchgateError):
    """User and password do not open a session; `public` is alike for every cause that an attacker could probe.

    `revealed` says that the password was right and `public` names what else stands in the way.
    """

    code = ErrorCode.SIGN_IN_FAILED

    def __init__(self, public: str, *, revealed: bool = False) -> None:
        super().__init__(public)
        self.revealed = revealed


class RateLimited(LatchgateError):
    """Too many attempts; the same request may succeed after `retry_after_seconds`."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, public: str, *, retry_after_seconds: int, detail: str = "") -> None:
        super().__init__(public, detail=detail)
        self.retry_after_seconds = retry_after_seconds


class OAuthError(LatchgateError):
    """A request of OAuth 2 is refused; `public` is the error_description.

    There a double quote becomes a single one, and what else the RFC forbids a question mark; 500 characters at most.

    Args:
        error: The error code as an RFC spells it, such as `invalid_grant`.
        public: What would be right; whatever of the caller's words it repeats is made harmless.
        detail: For the operator's log alone.
    Source: RFC 6749, sections 4.1.2.1 and 5.2; RFC 7591, section 3.2.2.
    """

    code = ErrorCode.OAUTH

    def __init__(self, error: str, public: str, *, detail: str = "") -> None:
        described = _NOT_DESCRIBING.sub("?", public.replace('"', "'"))[:_DESCRIPTION_LENGTH_MAX]
        super().__init__(described, detail=detail)
        self.error = error


class StorageError(LatchgateError):
    """The database is unreachable, locked or not of this release."""

    code = ErrorCode.STORAGE
