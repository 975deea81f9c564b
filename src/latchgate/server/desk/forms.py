"""What a form says about what was typed into it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from latchgate.errors import Conflict, Flaw, Invalid, LatchgateError
from latchgate.services.documents import Changed

__all__ = ["Told", "done_of", "status_of", "told_of"]

_INVALID, _CONFLICT = 417, 409

_STALE = (
    "Somebody else changed this since you opened it, and nothing was saved. What you typed is still here: open the "
    "page in another tab to see what changed, and enter yours there."
)


@dataclass(frozen=True, slots=True)
class Told:
    """What is wrong, at the fields of a form and above them."""

    fields: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    def at(self, name: str) -> str:
        """Give what is wrong with a field; empty if nothing is."""
        return self.fields.get(name, "")


def told_of(error: LatchgateError, shown: Collection[str], *, taken: str = "") -> Told:
    """Say a refusal at the fields that a form shows, and what it says of others above them.

    Args:
        error: The refusal.
        shown: Where the form can say what is wrong.
        taken: The field that names the record, at which it is said that there is such a one.
    """
    if taken and isinstance(error, Conflict):
        return Told({taken: _sentence(error.public)})
    if not isinstance(error, Invalid):
        return Told(problem=_sentence(error.public))
    if error.flaw is Flaw.STALE:
        return Told(problem=_STALE)
    at = {name: _sentence(reason) for name, reason in error.fields.items() if name in shown}
    above = [_sentence(f"{name}: {reason}") for name, reason in error.fields.items() if name not in shown]
    return Told(at, " ".join(above))


def status_of(error: LatchgateError) -> int:
    """Give the status with which a refused form comes again: 409 for what is taken, else Frappe's 417."""
    return _CONFLICT if isinstance(error, Conflict) else _INVALID


def done_of(changed: Changed) -> str:
    """Give the code of what was done to a record: that it was disabled or enabled says more than that it was saved."""
    if changed.undo is None or "enabled" not in changed.undo.values:
        return "saved"
    return "enabled" if changed.record["enabled"] else "disabled"


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}{'' if reason.endswith('.') else '.'}"
