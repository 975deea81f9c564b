"""Set a second factor up: a key that is shown, and counts once a code of it came back.

What was shown travels with the form that confirms it, sealed and bound to whoever it was shown to: nothing is stored of
what nobody confirms, and nobody confirms a key that was shown to somebody else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from latchgate.core.second_factors import (
    KEY_BYTES,
    RECOVERY_CODE_BYTES,
    RECOVERY_CODES,
    TimeCode,
    find_step,
    issue_recovery_code,
    otpauth_address,
    parse_code,
    write_key,
)
from latchgate.core.tokens import NONCE_BYTES, Peppers, Purpose, Sealed, Secret
from latchgate.core.users import StoredUser
from latchgate.services.codes import CodeChecker, context_of
from latchgate.services.ports import Clock, Entropy, Transaction

__all__ = ["ENROLMENT_SECONDS", "Confirmed", "Enrolments", "ShownKey"]

ENROLMENT_SECONDS = 900
_PROOF_LENGTH_MAX = 600


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A new key as it is shown, this once."""

    key: Secret
    """For whoever types it into the app."""
    address: Secret
    """For whoever scans it."""
    proof: str = field(repr=False)
    """What comes back with the code."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A key of which a code came back."""

    key: bytes = field(repr=False)
    step: int


@dataclass(frozen=True, slots=True)
class Enrolments:
    """Makes keys and recovery codes, and takes what confirms them."""

    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    public_url: str
    """The service's own address, by which an authenticator app tells it from others."""

    @property
    def codes(self) -> CodeChecker:
        """What judges codes once a second factor counts."""
        return CodeChecker(self.peppers, self.clock)

    def begin(self, user: StoredUser, shown_to: str) -> ShownKey:
        """Make a key for a user.

        Args:
            user: Whose it is to be.
            shown_to: The session or half-way sign-in that sees it, by a name that is no secret.
        """
        document = {"key": self.entropy.random_bytes(KEY_BYTES).hex(), "until": self.clock.now() + ENROLMENT_SECONDS}
        return self._show(user, shown_to, json.dumps(document).encode())

    def show_again(self, user: StoredUser, shown_to: str, proof: str) -> ShownKey | None:
        """Give a key that was shown before, for whom it was shown to; None if its time is over."""
        opened = self._open(user, shown_to, proof)
        return None if opened is None else _shown(opened, user, self._issuer, proof)

    def confirm(self, user: StoredUser, shown_to: str, proof: str, typed: str) -> Confirmed | None:
        """Give a key that was shown if a code is of it; None if not, or if its time is over."""
        key, code = self._open(user, shown_to, proof), parse_code(typed)
        if key is None or not isinstance(code, TimeCode):
            return None
        step = find_step(key, code, self.clock.now(), 0)
        return None if step is None else Confirmed(key, step)

    def store_in(self, tx: Transaction, user: StoredUser, confirmed: Confirmed, codes: Sequence[Secret]) -> None:
        """Let a key and recovery codes count, in the place of those before."""
        nonce = self.entropy.random_bytes(NONCE_BYTES)
        sealed = self.peppers.seal(Purpose.SECOND_FACTOR, confirmed.key, nonce, context_of(user.id))
        tx.second_factors.put(user.id, sealed, confirmed.step, self.clock.now())
        self.store_codes_in(tx, user, codes)

    def store_codes_in(self, tx: Transaction, user: StoredUser, codes: Sequence[Secret]) -> None:
        """Let recovery codes count in the place of those before."""
        digests = [self.codes.digest_recovery_code(user.id, one.text) for one in codes]
        tx.second_factors.set_recovery_codes(user.id, digests)

    def make_codes(self) -> list[Secret]:
        """Make recovery codes, to be shown once."""
        drawn = (self.entropy.random_bytes(RECOVERY_CODE_BYTES) for _ in range(RECOVERY_CODES))
        return [Secret(issue_recovery_code(entropy)) for entropy in drawn]

    @property
    def _issuer(self) -> str:
        # A colon would end the name, by the form of such addresses.
        return f"Latchgate {urlsplit(self.public_url).netloc.replace(':', ' ')}"

    def _show(self, user: StoredUser, shown_to: str, document: bytes) -> ShownKey:
        nonce = self.entropy.random_bytes(NONCE_BYTES)
        sealed = self.peppers.seal(Purpose.ENROLMENT, document, nonce, _context(user, shown_to))
        proof = f"{sealed.pepper}.{sealed.value.hex()}"
        return _shown(bytes.fromhex(json.loads(document)["key"]), user, self._issuer, proof)

    def _open(self, user: StoredUser, shown_to: str, proof: str) -> bytes | None:
        pepper, _, value = proof.partition(".")
        if len(proof) > _PROOF_LENGTH_MAX or not (pepper.isascii() and pepper.isdigit()):
            return None
        try:
            sealed = Sealed(int(pepper), bytes.fromhex(value))
        except ValueError:
            return None
        opened = self.peppers.unseal(Purpose.ENROLMENT, sealed, _context(user, shown_to))
        if opened is None:
            return None
        document = json.loads(opened)
        return bytes.fromhex(document["key"]) if self.clock.now() < document["until"] else None


def _context(user: StoredUser, shown_to: str) -> str:
    return f"{context_of(user.id)}, {shown_to}"


def _shown(key: bytes, user: StoredUser, issuer: str, proof: str) -> ShownKey:
    return ShownKey(Secret(write_key(key)), Secret(otpauth_address(key, user.name, issuer)), proof)
