"""How a path may be read: by us as it was sent, and by whatever stands behind us perhaps in another way.

A proxy, a framework and a file system each decode, resolve and cut a path by rules of their own. Which of them stand
behind Latchgate nobody knows, so that a rule counts only where every reading falls under it.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

__all__ = ["is_usual_path", "may_be_path", "path_of_target", "read_path", "write_escapes_alike"]

_Change = Callable[[str], str]

_READINGS_MAX = 48
"""How many readings are followed up; what has more was made to be misread."""
_READ_LENGTH_MAX = 8192
"""How long a path may be that has several readings: they cost time, and anybody may send one."""
_ALL_LENGTH_MAX = 2 * _READ_LENGTH_MAX
"""How long all readings of a path may be together, since each costs as much as it is long. Of the longest path that is
two, as it was sent and decoded; of one of 340 characters all that there may be."""

# Printable ASCII but for what begins an escape, a parameter or a query, and what some take for a slash.
_LETTER = r"[!\"$&'()*+,\-.0-9:<=>@A-Z\[\]^_`a-z{|}~]"
# Not of control characters, dots, slashes, backslashes and semicolons; not twice; not of what in UTF-8 never begins a
# character, but may have begun one of these where it is read carelessly.
_ESCAPE = r"%(?![01]|2[EeFf]|3[Bb]|5[Cc]|7[Ff]|[Cc][01]|[Ee]0%[89]|[Ff][08Cc]%8|25[0-9A-Fa-f]{2})[0-9A-Fa-f]{2}"
_NO_DOTS = r"(?!\.{1,2}(?:/|\Z))"
_PLAIN = re.compile(rf"(?:/{_NO_DOTS}{_LETTER}+)*/?")
_USUAL = re.compile(rf"(?:/{_NO_DOTS}(?:{_LETTER}|{_ESCAPE})+)*/?")
# What a request line can hold at all.
_POSSIBLE = re.compile(r"/[!-~]*")
_HEXADECIMAL = re.compile(r"%[0-9A-Fa-f]{2}")
_SLASHES = re.compile(r"/{2,}")
_PARAMETERS = re.compile(r";[^/]*")
# ASCII in two bytes or more, up to the six that UTF-8 once had (RFC 2279); the last two hold what it is.
_OVERLONG = re.compile(r"(?:[\xc0\xc1]|(?:\xe0|\xf0\x80|\xf8\x80{2}|\xfc\x80{3})[\x80\x81])[\x80-\xbf]")
_WIDE_ESCAPE = re.compile(r"%u([0-9A-Fa-f]{4})")


def path_of_target(target: str) -> str:
    """Give the path of a request target as it was sent; what is no path at all stays what it is."""
    return target.partition("?")[0]


def may_be_path(path: str) -> bool:
    """Whether a text can be the path of a request: it begins with a slash and is printable ASCII."""
    return _POSSIBLE.fullmatch(path) is not None


def is_usual_path(path: str) -> bool:
    """Whether a path is in normal form, so that all who read it are expected to read the same.

    Not so are empty segments, `.` and `..`, backslashes, `;`, escapes of these, of control characters or of escapes,
    escapes that are none, and whatever does not begin with a slash.
    """
    return path != "" and _USUAL.fullmatch(path) is not None


def read_path(path: str) -> frozenset[str] | None:
    r"""List the ways in which a path may be read, as it was sent included; None if they are too many or too long.

    Source: RFC 3986, sections 5.2.4 and 6.2.2, and what is done beyond it: escapes decoded more than once or in forms
    of their own, `\` taken for `/`, slashes merged, and parameters, queries and what follows NUL cut off.

    Args:
        path: One that `may_be_path`.
    """
    if path and _PLAIN.fullmatch(path):
        return frozenset((path,))
    if len(path) > _READ_LENGTH_MAX:
        return None
    first = write_escapes_alike(path)
    found, left = {first}, [first]
    length = len(first)
    while left:
        reading = left.pop()
        for change in _CHANGES:
            other = change(reading)
            if other in found:
                continue
            length += len(other)
            if len(found) >= _READINGS_MAX or length > _ALL_LENGTH_MAX:
                return None
            found.add(other)
            left.append(other)
    return frozenset(found)


def write_escapes_alike(path: str) -> str:
    """Write the digits of escapes in upper case, which changes no meaning (RFC 3986, section 6.2.2.1)."""
    return _HEXADECIMAL.sub(lambda found: found[0].upper(), path) if "%" in path else path


def _decode(path: str) -> str:
    # Byte by byte: what the bytes are in whichever encoding is nothing that rules speak of.
    return unquote(path, "latin-1") if "%" in path else path


def _decode_wide(path: str) -> str:
    return _WIDE_ESCAPE.sub(lambda found: chr(int(found[1], 16)), path)


def _decode_overlong(path: str) -> str:
    return _OVERLONG.sub(lambda found: chr((ord(found[0][-2]) & 1) << 6 | ord(found[0][-1]) & 0x3F), path)


def _turn_backslashes(path: str) -> str:
    return path.replace("\\", "/")


def _merge_slashes(path: str) -> str:
    return _SLASHES.sub("/", path)


def _resolve_dots(path: str) -> str:
    if "/." not in path:
        return path
    kept: list[str] = []
    *segments, last = path[1:].split("/")
    for segment in (*segments, last):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and last in {".", ".."} else "")


def _drop_parameters(path: str) -> str:
    return _PARAMETERS.sub("", path)


def _cut(mark: str) -> _Change:
    return lambda path: path.partition(mark)[0]


_CHANGES: tuple[_Change, ...] = (
    _decode,
    _decode_wide,
    _decode_overlong,
    _turn_backslashes,
    _merge_slashes,
    _resolve_dots,
    _drop_parameters,
    *map(_cut, ";?#\0"),
)
