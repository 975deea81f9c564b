"""What the gate decided about one request."""

from dataclasses import dataclass, field
from typing import Final

from latchgate.core.access_rules import AccessRule
from latchgate.core.credentials import Presented
from latchgate.core.policy import Decision
from latchgate.core.principals import Principal, Reason, Who
from latchgate.errors import StorageError
from latchgate.services.actors import JudgeAgain
from latchgate.services.log_ports import Reservation

__all__ = ["Admission"]


# Not frozen, for the sake of Presented's reason.
@dataclass(slots=True)
class Admission:
    """What the gate decided about one request; handed to the handler and, afterwards, to `record`."""

    who: Final[Who]
    decision: Final[Decision]
    reason: Final[Reason | None]
    request_id: Final[str]
    arrived_us: Final[int]
    """Microseconds since 1970."""
    presented: Final[Presented]
    credential_presented: Final[bool]
    """Whether the request log gets a row."""
    failure: Final[StorageError | None] = None
    """Why nothing could be verified; an entrance answers with this rather than with a 401."""
    judge_again: Final[JudgeAgain | None] = field(default=None, repr=False, compare=False)
    """How a principal is judged once more, in the transaction that acts for it."""
    row_room: Final[Reservation | None] = field(default=None, repr=False, compare=False)
    """Room for the request's row, so that nothing is done that could not be logged."""

    rule: Final[AccessRule | None] = None
    """Which access rule decided; None where none did, and where the request is none for a protected application."""

    @property
    def principal(self) -> Principal | None:
        """The user that the request acts as; None for Guest and for whoever was rejected."""
        return self.who if isinstance(self.who, Principal) else None
