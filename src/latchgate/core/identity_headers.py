"""The headers by which an application behind a proxy learns who asks.

Each is always there, empty if there is nothing to say: some proxies leave a caller's own header of that name in place
unless another one takes it.
"""

from urllib.parse import quote

from latchgate.core.principals import Principal

__all__ = ["IDENTITY_HEADERS", "identity_values", "write_value"]

IDENTITY_HEADERS = (
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Scopes",
    "X-Auth-Request-Key",
    "X-Auth-Request-Token",
)
"""In the order of `identity_values`."""

# With letters, digits and `-._~`. Neither the comma, which ends a name, nor what proxies and shells expand or quote.
_PLAIN = " !#$&'()*+/:=?@"
_NOBODY = ("",) * len(IDENTITY_HEADERS)


def identity_values(who: Principal | None, token: str) -> tuple[str, ...]:
    """Give the headers' values, printable ASCII all of them; of nobody all are empty.

    Args:
        who: The caller.
        token: What is signed about it.
    """
    if who is None:
        return _NOBODY
    user = write_value(who.user)
    return (
        user,
        user if "@" in who.user else "",
        ",".join(map(write_value, sorted(who.roles))),
        ",".join(map(write_value, sorted(who.scopes))),
        write_value(who.credential),
        token,
    )


def write_value(text: str) -> str:
    """Write a name such that no character of it splits a header or a list, or is lost at its ends.

    What is not plain stands as `%` and the digits of its UTF-8: an application splits at commas first, and decodes each
    part then.
    """
    written = quote(text, safe=_PLAIN, errors="surrogatepass")
    if written != written.strip(" "):
        inner = written.strip(" ")
        before, _, after = written.partition(inner) if inner else (written, "", "")
        written = before.replace(" ", "%20") + inner + after.replace(" ", "%20")
    return written
