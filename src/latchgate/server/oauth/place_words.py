"""Where a redirect URI leads, in words for whoever is sent there."""

from urllib.parse import urlsplit

from latchgate.oauth.redirects import is_claimed

__all__ = ["place_words"]


def place_words(uri: str) -> str:
    """Say who receives at a redirect URI: a host, a program on this computer, or an app of this device."""
    parts = urlsplit(uri)
    if is_claimed(uri):
        return parts.netloc.lower()
    if parts.scheme in {"http", "https"}:
        return f"a program on this computer ({parts.netloc.lower()})"
    return f"an app on this device ({parts.scheme})"
