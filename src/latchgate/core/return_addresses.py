"""Where a sign-in may lead once it is done: to a page of this service, or to an application that is named for it.

Anything else that is sent as such an address would let a link to the real sign-in page end on a forged one.
Source: RFC 9700, section 4.11.
"""

from dataclasses import dataclass

__all__ = ["ReturnAddresses"]

_LENGTH_MAX = 16_000
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class ReturnAddresses:
    """The places; all are reached by the scheme of this service, with whose cookie they are opened."""

    public_url: str
    hosts: tuple[str, ...] = ()
    """Of applications, in lower case, with a port where it is not the scheme's own."""

    def read(self, sent: object) -> str:
        """Give a place that was sent: a path of this service with its query, or an application's address.

        Empty for anything else. Nothing that a browser could read as another host gets through: no second slash or
        backslash at the beginning, no character that browsers leave out.
        """
        text = sent if isinstance(sent, str) and sent.isascii() and sent.isprintable() else ""
        if len(text) > _LENGTH_MAX:
            return ""
        path = text.removeprefix(self.public_url)
        if _is_path(path):
            return path
        return text if any(_is_path(text.removeprefix(base)) for base in self._bases) else ""

    def write(self, host: str, target: str) -> str | None:
        """Write the place of an application's page; None if a sign-in may not lead there.

        Args:
            host: As a proxy tells it.
            target: Path and query.
        """
        scheme = self._scheme
        name = host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))
        place = f"{scheme}://{name}{target}"
        return place if name in self.hosts and self.read(place) == place else None

    def source_of(self, place: str) -> str:
        """Give scheme, host and port of a place that `read` gave; empty for one of this service."""
        return next((base for base in self._bases if place.startswith(f"{base}/")), "")

    @property
    def _scheme(self) -> str:
        return self.public_url.partition("://")[0]

    @property
    def _bases(self) -> list[str]:
        return [f"{self._scheme}://{host}" for host in self.hosts]


def _is_path(text: str) -> bool:
    return text.startswith("/") and not text.startswith(("//", "/\\")) and "\\" not in text and " " not in text
