"""AES-256-GCM, by the library that has it; loaded by the first who needs it. Source: NIST SP 800-38D."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["decrypt", "encrypt"]


def encrypt(key: bytes, nonce: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt bytes, bound to a context."""
    return AESGCM(key).encrypt(nonce, plain, context)


def decrypt(key: bytes, nonce: bytes, hidden: bytes, context: bytes) -> bytes | None:
    """Decrypt what `encrypt` gave for that key, nonce and context; None for all else."""
    try:
        return AESGCM(key).decrypt(nonce, hidden, context)
    except (InvalidTag, ValueError):
        return None
