"""Whoever writes for a caller judges the caller once more."""

import re
from pathlib import Path

_SERVICES = Path(__file__).parents[2] / "src" / "latchgate" / "services"
# Where nobody has been let in yet: signing in and out, notes of use, the key file, what is made when first needed, what
# grows old.
_FOR_NOBODY = {
    *("actors.py", "identities.py", "key_checks.py", "log_upkeep.py", "passwords.py", "sign_in.py", "sign_in_steps.py"),
    "signing_keys.py",
}
# Where it is a client that asks, which has no rights that could change.
_FOR_CLIENTS = {"client_authentication.py", "devices.py", "tokens.py"}


def test_services_write_for_callers_by_write_as() -> None:
    """No service opens the transaction that writes by itself, unless it writes for no user."""
    writing = {path.name for path in _SERVICES.glob("*.py") if re.search(r"store\.write\(\)", path.read_text())}

    assert writing == _FOR_NOBODY | _FOR_CLIENTS
