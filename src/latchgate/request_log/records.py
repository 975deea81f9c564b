"""The bytes of one row in a segment: three pieces, two of which can be prepared once and used for many requests.

A payload is a head (version, how the request id is written, status, requests, time, microseconds, request id), then who
asked, then what for. Texts are UTF-8, in which lone surrogates may stand; each has its length before it, and None is a
length of its own. That a key came with its former secret stands in the text of its source, as a second line.

Version 1, which the release before wrote, tells of no host, and is only read.
"""

import re
from functools import lru_cache
from struct import Struct, error

from latchgate.core.log_entries import PATH_LENGTH_MAX, USER_AGENT_LENGTH_MAX, Asked, Caller, LogEntry
from latchgate.request_log.texts import INDEXED_LENGTH_MAX
from latchgate.services.log_ports import PreparedRow

__all__ = ["RECORD_BYTES_MAX", "decode", "encode", "encode_what", "encode_who", "join", "prepare"]

_VERSION = 2
_ID_IS_BYTES, _ID_IS_TEXT = 0, 1
_HEAD = Struct("<BBHIqQ16s")
_WHO = Struct("<q4H")
_WHAT = Struct("<6H")
_WHAT_OF = {1: Struct("<5H"), _VERSION: _WHAT}
"""By version."""
_NONE = 0xFFFF
_NO_USER_ID = -(2**63)
# Thirty-five years; up to here a float tells every microsecond apart.
_MICROS_END = 2**50
_CALLERS, _KINDS_OF_REQUEST, _USUAL_LENGTH = 1024, 1024, 400
_NO_ID = bytes(16)
_ID = re.compile(r"[0-9a-f]{32}")
# Sources have no line breaks in their names.
_FORMER = re.compile(r"(?P<source>.*)\nformer secret until (?P<until>[0-9]{1,15})", re.DOTALL)

# In characters. The gate makes none longer but of names, which the database cuts likewise.
_SHORT, _NAME = 100, 256
_WHO_LENGTHS = (INDEXED_LENGTH_MAX, INDEXED_LENGTH_MAX, _SHORT, _NAME)
_WHAT_LENGTHS = (_SHORT, PATH_LENGTH_MAX, _SHORT, USER_AGENT_LENGTH_MAX, _NAME, _NAME)
_CHARACTER_BYTES_MAX = 4

RECORD_BYTES_MAX = (
    _HEAD.size + _WHO.size + _WHAT.size + _CHARACTER_BYTES_MAX * (sum(_WHO_LENGTHS) + sum(_WHAT_LENGTHS) + _NAME)
)
"""The most bytes that a payload has, however long the texts were that it was made of."""


def encode_who(  # the fields of a Caller
    user: str | None,
    user_id: int | None,
    api_key: str | None,
    scheme: str | None,
    source: str | None,
    former_until: int | None = None,
) -> bytes:
    """Write whom and which credential a row names; a text that is too long is cut, which an ellipsis shows."""
    if former_until is not None:
        source = f"{source}\nformer secret until {former_until}"
    lengths, texts = _encode_texts((user, api_key, scheme, source), _WHO_LENGTHS)
    return _WHO.pack(_NO_USER_ID if user_id is None else user_id, *lengths) + texts


def encode_what(  # the fields of an Asked, and the reason
    method: str, path: str, ip_address: str, user_agent: str, host: str | None, reason: str | None
) -> bytes:
    """Write what was asked for, from where, and why it was refused; a text that is too long is cut."""
    lengths, texts = _encode_texts((method, path, ip_address, user_agent, host, reason), _WHAT_LENGTHS)
    return _WHAT.pack(*lengths) + texts


_encode_who_once = lru_cache(maxsize=_CALLERS)(encode_who)
"""The same callers come again and again."""
_encode_what_once = lru_cache(maxsize=_KINDS_OF_REQUEST)(encode_what)
"""Many credentials are used alike, and so have one object in common."""


def _write_what(asked: Asked, reason: str | None) -> bytes:
    # What is refused is told apart by whatever was tried, and would push out what comes again.
    if reason is None and len(asked.path) + len(asked.user_agent) <= _USUAL_LENGTH:
        return _encode_what_once(*asked, None)
    return encode_what(*asked, reason)


def join(time_us: int, request_id: bytes, status: int, micros: int, who: bytes, what: bytes) -> bytes:
    """Make a payload of prepared pieces.

    Args:
        time_us: When the request came, in microseconds since 1970.
        request_id: Its sixteen bytes.
        status: The reply's.
        micros: How long the request took, in microseconds.
        who: What `encode_who` gave.
        what: What `encode_what` gave.
    """
    return _HEAD.pack(_VERSION, _ID_IS_BYTES, status, 1, time_us, micros, request_id) + who + what


def prepare(caller: Caller, asked: Asked, status: int) -> PreparedRow:
    """Encode what is the same in each row of one caller, request and answer, where nothing was refused."""
    return PreparedRow(status, _encode_who_once(*caller), _write_what(asked, None))


def encode(entry: LogEntry) -> bytes:
    """Write a whole row; `decode` gives it back, its seconds to the microsecond.

    Raises:
        ValueError: A number has no place in a row: no time took less than nothing.
    """
    if _ID.fullmatch(entry.request_id):
        kind, request_id, told = _ID_IS_BYTES, bytes.fromhex(entry.request_id), b""
    else:
        kind, request_id, told = _ID_IS_TEXT, _NO_ID, _encode_text(entry.request_id, _NAME)
    try:
        micros = round(entry.seconds * 1_000_000)
        head = _HEAD.pack(_VERSION, kind, entry.status, entry.requests, entry.time, micros, request_id)
        who = encode_who(entry.user, entry.user_id, entry.api_key, entry.scheme, entry.source, entry.former_until)
    except (error, OverflowError, ValueError) as failure:
        raise ValueError(f"a number of the row is out of range: {failure}") from None
    if micros >= _MICROS_END or not entry.requests:
        raise ValueError("a number of the row is out of range: it took too long, or tells of no request")
    asked = Asked(entry.method, entry.path, entry.ip_address, entry.user_agent, entry.host)
    return head + who + _write_what(asked, entry.reason) + told


def decode(payload: bytes) -> LogEntry:
    """Read a payload.

    Raises:
        ValueError: It is none, or of a later version.
    """
    try:
        version, kind, status, requests, time, micros, request_id = _HEAD.unpack_from(payload)
        user_id, *who_lengths = _WHO.unpack_from(payload, _HEAD.size)
        who_start = _HEAD.size + _WHO.size
        what_head = who_start + _extent(who_lengths)
        what_lengths = _WHAT_OF[version].unpack_from(payload, what_head)
    except error:
        raise ValueError("it is too short for a row") from None
    except KeyError:
        raise ValueError("it is no row of a version that is known here") from None
    what_start = what_head + _WHAT_OF[version].size
    end = what_start + _extent(what_lengths)
    if kind > _ID_IS_TEXT or requests < 1 or micros >= _MICROS_END or _NONE in what_lengths[:4]:
        raise ValueError("it is no row of this version")
    user, api_key, scheme, source = _decode_texts(payload, who_start, who_lengths)
    former = _FORMER.fullmatch(source) if source else None
    method, path, ip_address, user_agent, *host, reason = _decode_texts(payload, what_start, what_lengths)
    return LogEntry(
        time,
        _decode_id(request_id, payload[end:], kind),
        user,
        api_key,
        scheme,
        former["source"] if former else source,
        method or "",
        path or "",
        status,
        micros / 1_000_000,
        ip_address or "",
        user_agent or "",
        reason,
        None if user_id == _NO_USER_ID else user_id,
        requests,
        int(former["until"]) if former else None,
        host[0] if host else None,
    )


def _encode_texts(texts: tuple[str | None, ...], lengths_max: tuple[int, ...]) -> tuple[list[int], bytes]:
    encoded = [
        None if text is None else _encode_text(text, length_max)
        for text, length_max in zip(texts, lengths_max, strict=True)
    ]
    return [_NONE if text is None else len(text) for text in encoded], b"".join(filter(None, encoded))


def _encode_text(text: str, length_max: int) -> bytes:
    if len(text) > length_max:
        text = text[: length_max - 1] + "…"
    return text.encode("utf-8", "surrogatepass")


def _extent(lengths: "list[int] | tuple[int, ...]") -> int:
    return sum(length for length in lengths if length != _NONE)


def _decode_texts(payload: bytes, start: int, lengths: "list[int] | tuple[int, ...]") -> list[str | None]:
    texts: list[str | None] = []
    for length in lengths:
        if length == _NONE:
            texts.append(None)
            continue
        end = start + length
        if end > len(payload):
            raise ValueError("it ends within a text")
        texts.append(payload[start:end].decode("utf-8", "surrogatepass"))
        start = end
    return texts


def _decode_id(request_id: bytes, told: bytes, kind: int) -> str:
    if kind == _ID_IS_BYTES:
        if told:
            raise ValueError("something follows the row")
        return request_id.hex()
    text = told.decode("utf-8", "surrogatepass")
    if request_id != _NO_ID or _ID.fullmatch(text):
        raise ValueError("its request id is written in two ways")
    return text
