"""The one source of randomness: the operating system's."""

import secrets

__all__ = ["SystemEntropy"]


class SystemEntropy:
    """Fulfils the port Entropy."""

    def random_bytes(self, count: int) -> bytes:
        """Give bytes that nobody can foresee."""
        return secrets.token_bytes(count)
