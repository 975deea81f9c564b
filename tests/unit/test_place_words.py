"""Where a redirect URI leads, in words."""

import pytest

from latchgate.server.oauth.place_words import place_words


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://Calendar.example.com/back?x=1", "calendar.example.com"),
        ("https://calendar.example.com:8443/back", "calendar.example.com:8443"),
        ("http://127.0.0.1:4711/back", "a program on this computer (127.0.0.1:4711)"),
        ("http://[::1]/back", "a program on this computer ([::1])"),
        ("https://localhost/back", "a program on this computer (localhost)"),
        ("com.example.app:/back", "an app on this device (com.example.app)"),
    ],
)
def test_who_receives(uri: str, words: str) -> None:
    """A host by its name, and what any program of the device could take for itself by being one."""
    assert place_words(uri) == words
