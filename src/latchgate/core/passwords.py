"""Passwords: which are accepted, and their Argon2id hashes."""

from base64 import b64encode
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
    "decoy_hash",
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


def decoy_hash(profile: Parameters, salt: bytes, digest: bytes) -> str:
    """Write a hash that no password has and that takes as long to compare with as a real one.

    Written, not computed: each command would wait for it.

    Args:
        profile: Of the real ones.
        salt: `SALT_BYTES` random bytes.
        digest: As many as the profile's hashes have, random too.
    """
    told_salt, told_digest = (b64encode(value).rstrip(b"=").decode() for value in (salt, digest))
    cost = f"m={profile.memory_cost},t={profile.time_cost},p={profile.parallelism}"
    return f"$argon2id$v={profile.version}${cost}${told_salt}${told_digest}"


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
