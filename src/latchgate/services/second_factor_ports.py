"""What the services of the second factor need from the store; how to read such ports, says `services/ports.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from latchgate.core.second_factors import StoredSecondFactor
from latchgate.core.tokens import Sealed
from latchgate.core.users import StoredUser

__all__ = ["NewSignInStep", "SecondFactors", "SignInSteps", "StoredSignInStep"]


@dataclass(frozen=True, slots=True)
class NewSignInStep:
    """A sign-in whose password was right, to be stored until the code comes."""

    digest: bytes = field(repr=False)
    user_id: int
    password_mark: bytes = field(repr=False)
    """A digest of what the password was compared with: another password ends the sign-in."""
    expires_at: int


@dataclass(frozen=True, slots=True)
class StoredSignInStep:
    """A sign-in that waits for its code. Times are Unix seconds."""

    id: int
    user: StoredUser
    password_mark: bytes = field(repr=False)
    expires_at: int
    attempts: int
    """How many codes were tried."""


class SecondFactors(Protocol):
    """The second factors of one transaction, and which roles require one."""

    def find(self, user_id: int) -> StoredSecondFactor | None:
        """Look up a user's second factor."""
        ...

    def put(self, user_id: int, sealed: Sealed, last_step: int, now: int) -> None:
        """Store a user's second factor in the place of one before."""
        ...

    def delete(self, user_id: int) -> bool:
        """End a user's second factor with its recovery codes; False if there was none."""
        ...

    def take_step(self, user_id: int, step: int) -> bool:
        """Note the time step of a code as taken; False if it, or one after it, was taken before."""
        ...

    def set_wrong(self, user_id: int, count: int, since: int) -> None:
        """Note how many wrong codes there were, and since when."""
        ...

    def set_recovery_codes(self, user_id: int, digests: Sequence[bytes]) -> None:
        """Store a user's recovery codes; those before open nothing any more."""
        ...

    def use_recovery_code(self, user_id: int, digests: Sequence[bytes]) -> bool:
        """Use up the recovery code that has one of these digests; False if there is none."""
        ...

    def count_recovery_codes(self, user_id: int) -> int:
        """Count a user's recovery codes that were not used."""
        ...

    def list_requiring(self) -> frozenset[str]:
        """List the roles that require a second factor."""
        ...

    def require(self, role: str, by: str, now_us: int, *, required: bool) -> bool:
        """Let a role require a second factor, or not; False if that is so already. Raises NotFound."""
        ...

    def list_without(self, role: str) -> list[str]:
        """List the enabled users that were granted a role, have a password and no second factor; Administrator too.

        Administrator has the role System Manager without being granted it, and is listed for that one.
        """
        ...


class SignInSteps(Protocol):
    """The sign-ins of one transaction that wait for their code."""

    def add(self, new: NewSignInStep, now: int) -> None:
        """Store one; some of those that have ended are forgotten."""
        ...

    def find(self, digests: Sequence[bytes], now: int) -> StoredSignInStep | None:
        """Look up one that has not ended, with its user."""
        ...

    def count_attempt(self, step_id: int) -> int:
        """Count a code that is tried; tell how many there were with it."""
        ...

    def end(self, step_id: int) -> None:
        """End one."""
        ...

    def end_all(self, user_id: int, now: int) -> int:
        """End all of a user; tell how many had not ended by themselves."""
        ...
