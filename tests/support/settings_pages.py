"""The page Settings: where it is, what its forms send, and what counts in the end."""

import json

from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, Service

__all__ = ["API", "KEYS", "LOG", "MANAGER", "PAGE", "READER", "SETTINGS", "SIGN_IN", "WEB", "put_values", "values_of"]

MANAGER, API, WEB, READER = "manager@example.com", "api@example.com", "web@example.com", "reader@example.com"
PAGE, SETTINGS = "/app/settings", "System Settings"
_RECORD = "/api/resource/System%20Settings/System%20Settings"

SIGN_IN = {
    "session_idle_seconds": "2",
    "session_idle_seconds_unit": "3600",
    "session_absolute_seconds": "1",
    "session_absolute_seconds_unit": "86400",
    "sign_in_failures_per_user": "4",
    "sign_in_failures_per_address": "40",
    "sign_in_window_seconds": "5",
    "sign_in_window_seconds_unit": "60",
}
KEYS = {"own_keys": "everybody", "own_key_roles": "", "key_days_max": "", "key_overlap_seconds_max": ""}
LOG = {"log_retention_days": "90", "log_address_days": ""}


def values_of(service: Service) -> dict[str, object]:
    """Give the settings that count."""
    return service.latchgate.documents.get(COMMAND_LINE, SETTINGS, SETTINGS)


def put_values(service: Service, token: str, changes: dict[str, object]) -> Answer:
    """Change settings by the API, with a key."""
    headers = [("content-type", "application/json")]
    return service.ask(_RECORD, token, method="PUT", headers=headers, body=json.dumps(changes).encode())
