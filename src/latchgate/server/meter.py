"""Counts the bytes of one request while they are parsed, and stops the parser at a limit."""

from latchgate.server.wire import Refusal, WireLimits, body_too_large, header_too_large

# The parser cannot be stopped inside a piece, so this much may be read beyond a limit.
_PIECE_BYTES_MAX = 8 * 1024
# "GET", two spaces, "HTTP/1.1" and two line ends: what no callback counts.
_HEAD_FRAME_BYTES = 17


class RefusedError(Exception):
    """Stops the parser, from within a callback or after a piece."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class RequestMeter:
    """The bytes of the request now being read, in three accounts.

    The parser reports a header only when it is whole, and the framing of chunks never. So besides what its callbacks
    are given, the meter counts what was parsed since the last of them: that can only be part of a header or trailer,
    a chunk's extension or blank lines, and is what would otherwise grow unseen.
    """

    __slots__ = ("_body_bytes", "_limits", "head_bytes", "silent_bytes")

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self.head_bytes = 0
        """Of the head, or of the trailers, as far as callbacks were given them. To be added to by each of them."""
        self.silent_bytes = 0
        """Parsed since the last callback. To be set to 0 by each, and added to before each piece."""
        self._body_bytes = 0

    def begin_head(self) -> None:
        """Begin a new request."""
        self.head_bytes = 0

    def begin_body(self, headers_count: int) -> None:
        """End the head, and begin the body; trailers get an account of their own.

        Raises:
            RefusedError: if the head was larger than it may be.
        """
        # Only now: a head that arrives byte by byte has these among its silent bytes, and must not be told off for
        # them twice.
        self.head_bytes += _HEAD_FRAME_BYTES
        self.silent_bytes = 0
        self.check_head(headers_count)
        self.head_bytes = 0
        self._body_bytes = 0

    def check_head(self, headers_count: int) -> None:
        """Raise RefusedError if too much of a head, or of anything that is no body, has been parsed."""
        limits = self._limits
        if self.head_bytes + self.silent_bytes > limits.header_bytes_max or headers_count > limits.headers_max:
            raise RefusedError(header_too_large(limits))

    def count_body(self, count: int) -> None:
        """Count a part of the body; raise RefusedError if it is one too many."""
        self.silent_bytes = 0
        self._body_bytes += count
        if self._body_bytes > self._limits.body_bytes_max:
            raise RefusedError(body_too_large(self._limits))


def find_piece_end(data: bytes, start: int, *, in_head: bool) -> int:
    """Return where to stop parsing next, so that a piece is short and completes no more than one head.

    Args:
        in_head: whether a head is unfinished at ``start``.
    """
    if in_head and data[start] in b"\r\n":
        # The blank line that ends the head may have been cut in two.
        return start + 1
    blank_line = data.find(b"\r\n\r\n", start, start + _PIECE_BYTES_MAX)
    return min(start + _PIECE_BYTES_MAX, len(data)) if blank_line < 0 else blank_line + 4
