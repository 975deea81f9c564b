"""The text of every secret: its format, its checksum, and the keyed digest that is stored instead of it.

Formats are for good: a four-letter prefix, a base62 body, six base62 characters of CRC-32 over all before them. The
checksum lets scanners and typing errors be caught before any look-up; it proves nothing.
"""

import hashlib
import hmac
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from latchgate.core.late_loading import ONE_AT_A_TIME

__all__ = [
    "NONCE_BYTES",
    "PEPPER_BYTES",
    "Digest",
    "Pepper",
    "Peppers",
    "Purpose",
    "Sealed",
    "Secret",
    "TokenKind",
    "derive_pepper",
    "entropy_bytes",
    "has_our_prefix",
    "issue_token",
    "verify_checksum",
]

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH = 6
PEPPER_BYTES = 32
NONCE_BYTES = 12
"""Source: NIST SP 800-38D, section 5.2.1.1: 96 bits."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that must not be printed, logged or shown; its repr hides it."""

    text: str

    def __repr__(self) -> str:
        """Hide the text."""
        return "Secret(…)"


class TokenKind(StrEnum):
    """What a text of ours is, by its prefix."""

    KEY_ID = "lgk_"
    KEY_SECRET = "lgs_"
    ACCESS_TOKEN = "lga_"
    REFRESH_TOKEN = "lgr_"
    CLIENT_SECRET = "lgc_"
    LINK = "lgl_"
    AUTHORIZATION_CODE = "lgo_"
    DEVICE_CODE = "lgd_"
    SIGN_IN_STEP = "lgi_"


_PREFIXES = tuple(TokenKind)


def entropy_bytes(kind: TokenKind) -> int:
    """Tell how many random bytes `issue_token` needs: 12 for the public key id, 24 (192 bits) for every secret."""
    return 12 if kind is TokenKind.KEY_ID else 24


def issue_token(kind: TokenKind, entropy: bytes) -> str:
    """Write random bytes as a text of that kind.

    Args:
        kind: Which prefix it bears.
        entropy: Exactly `entropy_bytes(kind)` bytes from a cryptographic source.
    """
    if len(entropy) != entropy_bytes(kind):
        raise AssertionError(f"{kind.name} takes {entropy_bytes(kind)} random bytes")
    # 12 bytes fit in 17 base62 characters, 24 in 33: the body has the same length whatever the number.
    body = kind + _base62(int.from_bytes(entropy), 17 if kind is TokenKind.KEY_ID else 33)
    return body + _checksum(body)


def has_our_prefix(text: str) -> bool:
    """Whether a text claims to be one of ours, right or not."""
    return text.startswith(_PREFIXES)


def verify_checksum(text: str) -> bool:
    """Whether a text with a prefix of ours carries its right checksum."""
    body, checksum = text[:-_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
    return has_our_prefix(body) and text.isascii() and _checksum(body) == checksum


class Purpose(StrEnum):
    """What a digest is of; each purpose has a key of its own, so that no digest serves another."""

    API_KEY = "api_key"
    ACCESS_TOKEN = "access_token"
    ACCESS_TOKEN_LOOKUP = "access_token_lookup"
    SESSION = "session"
    CSRF = "csrf"
    LINK = "link"
    SIGN_IN_PROOF = "sign_in_proof"
    KEY_CHECK = "key_check"
    CLIENT_SECRET = "client_secret"
    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"
    REFRESH_TOKEN_LOOKUP = "refresh_token_lookup"
    SUCCESSOR = "successor"
    DEVICE_CODE = "device_code"
    USER_CODE = "user_code"
    ASSERTION = "assertion"
    SIGNING_KEY = "signing_key"
    SECOND_FACTOR = "second_factor"
    RECOVERY_CODE = "recovery_code"
    SIGN_IN_STEP = "sign_in_step"
    PASSWORD_MARK = "password_mark"
    ENROLMENT = "enrolment"


@dataclass(frozen=True, slots=True)
class Digest:
    """What is stored of a secret: the number of the pepper, and HMAC-SHA-256 under it (32 bytes)."""

    pepper: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Bytes encrypted under a pepper (AES-256-GCM): its number, and nonce and ciphertext."""

    pepper: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pepper:
    """One secret of the key file, already spread into a key for each purpose."""

    number: int
    keys: dict[Purpose, bytes] = field(repr=False)


def derive_pepper(number: int, secret: bytes) -> Pepper:
    """Spread one secret of the key file into a key for each purpose (HKDF-SHA-256, RFC 5869).

    Args:
        number: Its number in the key file; stored beside each digest.
        secret: `PEPPER_BYTES` random bytes.
    """
    if len(secret) != PEPPER_BYTES:
        raise AssertionError(f"a pepper has {PEPPER_BYTES} bytes")
    return Pepper(number, {purpose: _hkdf(secret, b"latchgate/" + purpose.encode()) for purpose in Purpose})


class Peppers:
    """The list of peppers: digests are made with the newest and recognised under any."""

    def __init__(self, peppers: Sequence[Pepper]) -> None:
        if not peppers:
            raise AssertionError("there is always a pepper")
        self._by_number = {pepper.number: pepper for pepper in peppers}
        if len(self._by_number) < len(peppers):
            raise AssertionError("each pepper has a number of its own")
        self._current = max(peppers, key=lambda pepper: pepper.number)

    def digest(self, purpose: Purpose, *parts: str) -> Digest:
        """Make the digest of parts under the newest pepper."""
        return Digest(self._current.number, _hmac(self._current.keys[purpose], parts))

    def candidates(self, purpose: Purpose, *parts: str) -> list[bytes]:
        """List the digest under each pepper, newest first: the values under which a secret may be stored."""
        numbers = sorted(self._by_number, reverse=True)
        return [_hmac(self._by_number[number].keys[purpose], parts) for number in numbers]

    def matches(self, stored: Digest, purpose: Purpose, *parts: str) -> bool:
        """Whether parts give the stored digest, in time that does not depend on the answer.

        A digest under a pepper that the key file does not hold matches nothing, after the same work.
        """
        pepper = self._by_number.get(stored.pepper, self._current)
        same = hmac.compare_digest(_hmac(pepper.keys[purpose], parts), stored.value)
        return same and pepper.number == stored.pepper

    def seal(self, purpose: Purpose, plain: bytes, nonce: bytes, context: str) -> Sealed:
        """Encrypt bytes under the newest pepper, bound to a context without which they do not open.

        Args:
            purpose: Whose key is used; no digests are made with it.
            plain: What is hidden.
            nonce: `NONCE_BYTES` random bytes, never the same twice.
            context: What the bytes belong to.
        """
        with ONE_AT_A_TIME:
            from latchgate.core.ciphers import encrypt  # noqa: PLC0415  # megabytes that verifying needs nothing of
        hidden = encrypt(self._current.keys[purpose], nonce, plain, context.encode())
        return Sealed(self._current.number, nonce + hidden)

    def unseal(self, purpose: Purpose, sealed: Sealed, context: str) -> bytes | None:
        """Decrypt what `seal` gave; None if it was changed, belongs elsewhere, or its pepper is not in the key file."""
        pepper = self._by_number.get(sealed.pepper)
        if pepper is None:
            return None
        with ONE_AT_A_TIME:
            from latchgate.core.ciphers import decrypt  # noqa: PLC0415  # as above
        nonce, hidden = sealed.value[:NONCE_BYTES], sealed.value[NONCE_BYTES:]
        return decrypt(pepper.keys[purpose], nonce, hidden, context.encode())


def _hkdf(secret: bytes, info: bytes) -> bytes:
    # RFC 5869, sections 2.2 and 2.3, without salt, for 32 bytes: one block. In the standard library's terms, since
    # every start needs it, and the library that has it takes a tenth of a worker's memory.
    extracted = hmac.digest(bytes(32), secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def _hmac(key: bytes, parts: Sequence[str]) -> bytes:
    # Each part carries its length, so that ("ab", "c") and ("a", "bc") differ.
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
    return hmac.digest(key, message, hashlib.sha256)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("utf-8", "surrogatepass")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
