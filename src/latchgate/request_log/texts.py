"""What of a row's text a database can keep. The gate escapes before; this is for what came by another way."""

__all__ = ["INDEXED_LENGTH_MAX", "indexable", "storable"]

# PostgreSQL refuses a row with more than 2,704 bytes in an index; a character takes four at most.
INDEXED_LENGTH_MAX = 512


def storable(text: str) -> str:
    r"""Write NUL as \x00 and a lone surrogate as \udc80, which PostgreSQL or UTF-8 cannot hold; all else stays."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", r"\x00")


def indexable(text: str) -> str:
    """Make text storable and cut it where an index could not take it."""
    text = storable(text)
    return text if len(text) <= INDEXED_LENGTH_MAX else text[: INDEXED_LENGTH_MAX - 1] + "…"
