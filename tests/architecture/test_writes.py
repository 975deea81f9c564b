"""Whoever writes for a caller judges the caller once more."""

import re
from pathlib import Path

_SERVICES = Path(__file__).parents[2] / "src" / "latchgate" / "services"
# Where nobody has been let in yet: signing in and out, notes of use, the key file.
_BY_THEMSELVES = {"actors.py", "key_checks.py", "passwords.py", "sign_in.py"}


def test_services_write_for_callers_by_write_as() -> None:
    """No service opens the transaction that writes by itself, unless it writes for nobody."""
    writing = {path.name for path in _SERVICES.glob("*.py") if re.search(r"store\.write\(\)", path.read_text())}

    assert writing == _BY_THEMSELVES
