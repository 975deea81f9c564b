"""What callers are told of a refusal, in the same words at every entrance; why it was stands in the log alone."""

from collections.abc import Mapping
from types import MappingProxyType

from latchgate.core.principals import Reason

__all__ = ["FORBIDDEN", "MALFORMED", "TOO_MANY"]

MALFORMED: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.TWO_AUTHORIZATIONS: "There is more than one Authorization header; send one.",
        Reason.TWO_SOURCES: "There is more than one Frappe-Authorization-Source header; send one.",
        Reason.BASE64: "Failed to decode token, please provide a valid base64-encoded token.",
        Reason.BYTES_LITERAL: (
            "The Basic value is a Python bytes literal (b'…'). In Python 3 write"
            " base64.b64encode(b'<api_key>:<api_secret>').decode() and send the result."
        ),
        Reason.CSRF: "Invalid Request",
        Reason.TWO_CLIENT_AUTHENTICATIONS: (
            "The client says more than once, or in more than one way, who it is; use one (RFC 6749, section 2.3)."
        ),
    }
)
"""Faults of the wire that the caller can mend, and that say nothing about any credential."""

TOO_MANY: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.OVER_LIMIT: "The key is over its limit of requests a minute.",
        Reason.TOO_MANY_FAILURES: "Too many wrong credentials from this address.",
    }
)
FORBIDDEN: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.ROLE_MISSING: "Your roles do not allow this.",
        Reason.SCOPE_MISSING: "The scopes of this credential do not allow this.",
        Reason.NO_RULE: "No access rule is for this.",
        Reason.UNUSUAL_HOST: "The host is none that an access rule can be about.",
        Reason.UNUSUAL_METHOD: "The method is none that an access rule can be about.",
        Reason.UNUSUAL_PATH: "The path can be read in more than one way, so that no access rule counts for it.",
        Reason.SCHEME_NOT_ACCEPTED: "This address does not take this kind of credential.",
    }
)
