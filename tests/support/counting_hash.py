"""A password's hash that notices being verified: for tests of what costs Argon2's work and what does not."""

__all__ = ["CountingHash"]


class CountingHash(str):
    """Counts how often it is verified: each time it is handed to Argon2 as bytes."""

    __slots__ = ("verified",)
    verified: int

    @classmethod
    def of(cls, text: str) -> "CountingHash":
        counting = cls(text)
        counting.verified = 0
        return counting

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        self.verified += 1
        return super().encode(encoding, errors)
