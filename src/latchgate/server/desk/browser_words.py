"""Which browser or program signed in, in a few words; what it says of itself is kept for who wants to read it all."""

import re

__all__ = ["browser_words"]

# The more particular first: most browsers say that they are like others.
_BROWSERS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\bOPR/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Headless)?Chrom(?:e|ium)/|\bCriOS/")),
    ("Safari", re.compile(r"\bSafari/")),
)
_SYSTEMS = (
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMac OS X\b|\bMacintosh\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)
_SHOWN_MAX = 40


def browser_words(user_agent: str) -> str:
    """Say which browser it is and where it runs, as far as it says so; a program is called as it calls itself."""
    browser = next((name for name, sign in _BROWSERS if sign.search(user_agent)), "")
    system = next((name for name, sign in _SYSTEMS if sign.search(user_agent)), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    return user_agent.partition(" ")[0][:_SHOWN_MAX] or "Unknown"
