"""The keys that ID tokens are signed with: made when first needed, replaced in time, kept encrypted.

Source: OpenID Connect Core, section 10.1.1: a new key signs at once, and the old one stays in the key set for as long
as something that it signed may still be verified.
"""

from dataclasses import dataclass, field

from latchgate.core.clients import SigningAlgorithm
from latchgate.core.tokens import NONCE_BYTES, Peppers, Purpose, Secret
from latchgate.oauth.signing_keys import SigningKey, generate_signing_key, key_set
from latchgate.services.activity import note
from latchgate.services.actors import Actor, require_system_manager, write_as
from latchgate.services.oauth_ports import NewSigningKey, StoredSigningKey
from latchgate.services.ports import Clock, Entropy, Store, Transaction

__all__ = ["SigningKeyService"]

_KID_BYTES = 8
_KEPT_SECONDS = 7 * 86_400
"""How long a key stays in the set after it signed last: far longer than an ID token lives."""


@dataclass(frozen=True, slots=True)
class SigningKeyService:
    """Signing keys and their public set."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    rotate_after_seconds: int

    def key_set(self) -> dict[str, object]:
        """Give the public keys as a JSON Web Key Set, one of each algorithm at least. Source: RFC 7517, section 5."""
        for algorithm in SigningAlgorithm:
            self.prepare(algorithm)
        with self.store.read() as tx:
            keys = tx.signing_keys.list_all()
        return key_set(key.public_jwk for key in keys if not self._is_over(key))

    def list_all(self) -> list[StoredSigningKey]:
        """List the keys, the newest first."""
        with self.store.read() as tx:
            return tx.signing_keys.list_all()

    def prepare(self, algorithm: SigningAlgorithm) -> None:
        """See to it that there is a key to sign with, not too old and sealed under a pepper of the key file.

        Making one takes long, so that it is not done in a transaction that writes.
        """
        with self.store.read() as tx:
            if self._is_ready(tx, algorithm):
                return
        new = self._generate(algorithm)
        with self.store.write() as tx:
            # Of two that noticed at once, one makes it.
            if not self._is_ready(tx, algorithm):
                self._replace(tx, new)

    def find(self, tx: Transaction, algorithm: SigningAlgorithm) -> SigningKey:
        """Give the key to sign with; `prepare` was called before."""
        stored = _find_current(tx, algorithm)
        opened = self._open(stored) if stored else None
        if stored is None or opened is None:
            raise AssertionError("a signing key was prepared")
        return SigningKey(stored.kid, algorithm, Secret(opened.decode()))

    def public_jwks(self, tx: Transaction) -> list[str]:
        """List the public keys, each as a JSON Web Key."""
        return [key.public_jwk for key in tx.signing_keys.list_all() if not self._is_over(key)]

    def rotate(self, actor: Actor, algorithm: SigningAlgorithm) -> StoredSigningKey:
        """Make a new key that signs from now on. Raises NotPermitted."""
        require_system_manager(actor)
        new = self._generate(algorithm)
        with write_as(self.store, actor) as tx:
            self._replace(tx, new)
            note(tx, self.clock, actor, "signing_key.rotated", new.kid, detail=algorithm.value)
            return next(key for key in tx.signing_keys.list_all() if key.kid == new.kid)

    def _is_ready(self, tx: Transaction, algorithm: SigningAlgorithm) -> bool:
        key = _find_current(tx, algorithm)
        if key is None or key.created_at <= self.clock.now() - self.rotate_after_seconds:
            return False
        return self._open(key) is not None

    def _open(self, key: StoredSigningKey) -> bytes | None:
        return self.peppers.unseal(Purpose.SIGNING_KEY, key.sealed, key.kid)

    def _generate(self, algorithm: SigningAlgorithm) -> NewSigningKey:
        kid = self.entropy.random_bytes(_KID_BYTES).hex()
        made = generate_signing_key(algorithm, kid)
        nonce = self.entropy.random_bytes(NONCE_BYTES)
        sealed = self.peppers.seal(Purpose.SIGNING_KEY, made.signing_key.private_jwk.text.encode(), nonce, kid)
        return NewSigningKey(kid, algorithm, made.public_jwk, sealed, self.clock.now())

    def _replace(self, tx: Transaction, new: NewSigningKey) -> None:
        now = self.clock.now()
        for key in tx.signing_keys.list_all():
            if key.algorithm is new.algorithm:
                tx.signing_keys.retire(key.id, now)
            if self._is_over(key):
                tx.signing_keys.delete(key.id)
        tx.signing_keys.add(new)

    def _is_over(self, key: StoredSigningKey) -> bool:
        return key.retired_at is not None and self.clock.now() > key.retired_at + _KEPT_SECONDS


def _find_current(tx: Transaction, algorithm: SigningAlgorithm) -> StoredSigningKey | None:
    keys = tx.signing_keys.list_all()
    return next((key for key in keys if key.algorithm is algorithm and key.retired_at is None), None)
