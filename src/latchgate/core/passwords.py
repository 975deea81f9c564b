"""Passwords: which are accepted, and their Argon2id hashes."""

from dataclasses import replace

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import VerificationError
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY

from latchgate.core.tokens import Secret

__all__ = [
    "PASSWORD_LENGTH_MAX",
    "PASSWORD_LENGTH_MIN",
    "PROFILES",
    "SALT_BYTES",
    "hash_password",
    "needs_rehash",
    "password_problem",
    "password_verifies",
]

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 1024
SALT_BYTES = 16

PROFILES: dict[str, Parameters] = {
    # RFC 9106, section 4: the second recommended option. 64 MiB, three passes.
    "standard": RFC_9106_LOW_MEMORY,
    # Only for tests: worth nothing against a stolen database.
    "cheapest": replace(CHEAPEST, salt_len=SALT_BYTES),
}


def password_problem(password: Secret, user_name: str) -> str | None:
    """Tell why a new password is not accepted, or None.

    Length is what counts (NIST SP 800-63B, section 5.1.1.2); no rules about kinds of characters.
    """
    length = len(password.text)
    if length < PASSWORD_LENGTH_MIN:
        return f"must have at least {PASSWORD_LENGTH_MIN} characters"
    if length > PASSWORD_LENGTH_MAX:
        return f"must have at most {PASSWORD_LENGTH_MAX} characters"
    if password.text.strip().lower() in {user_name.lower(), user_name.partition("@")[0].lower()}:
        return "must not be the user's name"
    return None


def hash_password(password: Secret, salt: bytes, profile: Parameters) -> str:
    """Hash a password with Argon2id, in PHC form. `salt` is `SALT_BYTES` random bytes."""
    return PasswordHasher.from_parameters(profile).hash(_encode(password), salt=salt)


def password_verifies(stored: str, password: Secret) -> bool:
    """Whether a password gives the stored hash; a hash that cannot be read verifies nothing."""
    try:
        return PasswordHasher().verify(stored, _encode(password))
    except (VerificationError, ValueError):
        return False


def needs_rehash(stored: str, profile: Parameters) -> bool:
    """Whether a hash was made under another profile than today's."""
    return PasswordHasher.from_parameters(profile).check_needs_rehash(stored)


def _encode(password: Secret) -> bytes:
    return password.text.encode("utf-8", "surrogatepass")
