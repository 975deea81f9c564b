"""What happened to accounts and credentials, in plain words; the codes are what the activity log holds."""

__all__ = ["OPERATIONS", "operation_words"]

OPERATIONS: dict[str, str] = {
    "access_token.imported": "Access token imported",
    "access_token.revoked": "Access token revoked",
    "api_key.former_secret_ended": "API key's former secret ended",
    "api_key.generated": "API key generated",
    "api_key.imported": "API key imported",
    "api_key.relabelled": "API key labelled anew",
    "api_key.revoked": "API key revoked",
    "api_key.rotated": "API key rotated",
    "client.changed": "OAuth client changed",
    "client.created": "OAuth client made",
    "client.deleted": "OAuth client deleted",
    "client.imported": "OAuth client imported",
    "client.registered": "OAuth client registered itself",
    "client.revoked": "OAuth client revoked",
    "client.secret_rotated": "OAuth client's secret rotated",
    "consent.denied": "Access denied to a client",
    "consent.ended": "Access taken back from a client",
    "consent.given": "Access allowed to a client",
    "oauth_tokens.reuse_detected": "OAuth tokens ended: used twice",
    "oauth_tokens.revoked": "OAuth tokens revoked",
    "permission.changed": "Permission changed",
    "permission.granted": "Permission granted",
    "permission.revoked": "Permission taken away",
    "role.created": "Role made",
    "role.deleted": "Role deleted",
    "role.granted": "Role granted",
    "role.revoked": "Role taken away",
    "session.ended": "Signed out",
    "session.others_ended": "Other sessions ended",
    "session.refused": "Sign-in refused",
    "session.started": "Signed in",
    "settings.changed": "Settings changed",
    "signing_key.rotated": "Signing key rotated",
    "source.created": "Authorization source made",
    "source.deleted": "Authorization source deleted",
    "source_record.changed": "Source record changed",
    "source_record.created": "Source record made",
    "source_record.deleted": "Source record deleted",
    "source_record.disabled": "Source record disabled",
    "source_record.enabled": "Source record enabled",
    "user.changed": "User changed",
    "user.created": "User made",
    "user.deleted": "User deleted",
    "user.disabled": "User disabled",
    "user.enabled": "User enabled",
    "user.password_set": "Password set",
    "user.reset_link_made": "Password link made",
}
"""By the code that a row holds."""


def operation_words(code: str) -> str:
    """Say an operation; one that is not known, as another version wrote it, by its code."""
    return OPERATIONS.get(code, code)
