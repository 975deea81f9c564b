"""Why requests were refused, in plain words; the codes are what the log holds, and nobody else is told."""

from latchgate.core.principals import Reason
from latchgate.errors import ErrorCode

__all__ = ["REASONS", "reason_words"]

REASONS: dict[str, str] = {
    Reason.TWO_AUTHORIZATIONS: "there were two Authorization headers",
    Reason.TWO_SOURCES: "there were two Frappe-Authorization-Source headers",
    Reason.BASE64: "what came by Basic was not base64",
    Reason.BYTES_LITERAL: "what came by Basic was written as a Python bytes literal",
    Reason.UNREADABLE: "the Authorization header could not be read",
    Reason.UNKNOWN_SCHEME: "the scheme is none of token, Basic and Bearer",
    Reason.TWO_CLIENT_AUTHENTICATIONS: "the client proved itself in two ways at once, or named itself twice",
    Reason.UNKNOWN_SOURCE: "there is no such authorization source",
    Reason.UNKNOWN_KEY: "there is no such API key",
    Reason.WRONG_SECRET: "the secret was wrong",
    Reason.UNKNOWN_TOKEN: "there is no such access token",
    Reason.UNKNOWN_CLIENT: "there is no such OAuth client",
    Reason.WRONG_ASSERTION: "what the client signed did not prove it",
    Reason.ASSERTION_REPLAYED: "what the client signed had been used before",
    Reason.OTHER_AUDIENCE: "the token is for another service",
    Reason.CLIENT_ROLE_MISSING: "the user had none of the roles that the token's client is for",
    Reason.REVOKED: "the key, token or client had been revoked",
    Reason.EXPIRED: "the key, token or session had expired",
    Reason.ADDRESS_NOT_ALLOWED: "the key is not allowed from this address",
    Reason.RECORD_WITHOUT_USER: "the record whose key it is names no user",
    Reason.RECORD_DISABLED: "the record whose key it is was disabled",
    Reason.USER_DISABLED: "the user was disabled",
    Reason.USER_ADDRESS_NOT_ALLOWED: "the user may not act from this address",
    Reason.OUTSIDE_HOURS: "the user may not act at this hour",
    Reason.STORAGE: "the database did not answer",
    Reason.OVER_LIMIT: "the key was over its limit of requests a minute",
    Reason.TOO_MANY_FAILURES: "there had been too many failures from this address",
    Reason.CSRF: "the CSRF token was missing or wrong",
    Reason.SCHEME_NOT_ACCEPTED: "this scheme is not accepted there",
    Reason.ROLE_MISSING: "the user lacked a role or a permission",
    Reason.SCOPE_MISSING: "the credential lacked a scope",
    Reason.NO_RULE: "no access rule is for this address",
    Reason.UNUSUAL_HOST: "the host was no host's name",
    Reason.UNUSUAL_METHOD: "the method was no method in capitals",
    Reason.UNUSUAL_PATH: "the path can be read in several ways",
    Reason.NOT_PERMITTED: "this may not be done",
    Reason.CHANGED: "rights or records changed while it waited",
    Reason.BODY_TOO_LARGE: "the body was too large",
    Reason.CLIENT_GONE: "the client left before its answer",
    Reason.MORE_REFUSED: "as many more were refused in that minute",
    "beyond": "it would have given more than its credential may",
    ErrorCode.BAD_REQUEST: "the request could not be read",
    ErrorCode.SIGN_IN_FAILED: "user and password opened no session",
    ErrorCode.NOT_FOUND: "there was nothing of that name",
    ErrorCode.CONFLICT: "the name was taken",
    ErrorCode.INVALID: "an argument or a field could not be accepted",
    ErrorCode.RATE_LIMITED: "there were too many attempts",
    ErrorCode.OAUTH: "OAuth 2 does not allow it",
    "invalid_request": "the OAuth request was not in order",
    "invalid_client": "the client did not prove itself, or may not ask this",
    "invalid_grant": "the code or refresh token was unknown, used, expired or another client's",
    "invalid_scope": "the client may not have these scopes",
    "invalid_target": "there is no such resource",
    "unauthorized_client": "the client may not use this grant",
    "unsupported_grant_type": "there is no such grant",
    "authorization_pending": "the device's user had not answered yet",
    "slow_down": "the device asked too often",
    "expired_token": "the device's code had expired",
    "access_denied": "the user or the administrator does not allow it",
    "invalid_redirect_uri": "a redirect URI could not be registered",
    "invalid_client_metadata": "what the client said of itself could not be registered",
    "internal": "a fault of Latchgate's own",
}
"""By the code that a row holds."""


def reason_words(code: str) -> str:
    """Say a reason; one that is not known, as another version wrote it, by its code."""
    return REASONS.get(code, code)
