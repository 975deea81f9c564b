"""How values of the rules lie in columns: lists as JSON, digests as two columns, text that both engines can hold."""

import json
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from latchgate.core.addresses import Network
from latchgate.core.tokens import Digest
from latchgate.errors import Invalid

__all__ = [
    "StoredText",
    "decode_digest",
    "decode_networks",
    "decode_roles",
    "decode_scopes",
    "decode_texts",
    "encode_networks",
    "encode_scopes",
    "encode_texts",
    "is_storable",
]

# What is stored before a digest is bound to its row: no pepper has the number 0, so that nothing matches it.
_NO_DIGEST = Digest(0, b"")


class StoredText(TypeDecorator[str]):
    """Text that is compared and sorted byte by byte on both engines.

    Storing NUL (which PostgreSQL cannot) or half a surrogate pair (which is no Unicode) raises Invalid.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Name the collation where the engine would otherwise take that of the operating system."""
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Refuse what one of the engines could not hold."""
        if value is not None and not is_storable(value):
            raise Invalid({"text": "may hold neither NUL nor half a surrogate pair"})
        return value


def is_storable(text: str) -> bool:
    """Whether a text can stand in the database; what cannot is not there either."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


def encode_scopes(scopes: Iterable[str]) -> str:
    """Write scopes as one text, in a steady order."""
    return json.dumps(sorted(scopes), ensure_ascii=False)


@lru_cache(maxsize=1024)
def decode_scopes(text: str) -> frozenset[str]:
    """Read scopes."""
    return frozenset(json.loads(text))


def encode_texts(texts: Iterable[str]) -> str:
    """Write texts as one, in their order."""
    return json.dumps(list(texts), ensure_ascii=False)


@lru_cache(maxsize=1024)
def decode_texts(text: str) -> tuple[str, ...]:
    """Read texts in their order."""
    return tuple(json.loads(text))


def encode_networks(networks: Iterable[Network]) -> str:
    """Write ranges of addresses as one text, in their order."""
    return json.dumps([str(network) for network in networks])


@lru_cache(maxsize=1024)
def decode_networks(text: str) -> tuple[Network, ...]:
    """Read ranges of addresses."""
    return tuple(ip_network(network) for network in json.loads(text))


@lru_cache(maxsize=1024)
def decode_roles(lines: str | None) -> frozenset[str]:
    """Read role names, one a line; None is no role."""
    return frozenset(lines.split("\n")) if lines else frozenset()


def decode_digest(pepper: int | None, value: bytes | None) -> Digest:
    """Read a digest; one that is not there yet matches nothing."""
    return _NO_DIGEST if pepper is None or value is None else Digest(pepper, value)
