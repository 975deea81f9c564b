"""Where everything lies in a segment: header, tallies, records, and a copy of the header at the end.

All numbers are little-endian. A segment is `<32 hex>.segment`, named by the id in its header.

    0      magic 8s · version u32 · checksum u32 · id 16s · boot id 16s · made u64 · size u64 · seed u32 · tallies u32
    512    how many records were appended, u64
    4096   tallies, 80 bytes each: count u64 · checksum u32 · minute u32 · length u16 · address
    then   records, each at a multiple of 8: length u32 · checksum u32 · sequence u64 · payload
    at the end, 128 bytes: the header once more

The length of a record and the count of a tally are stored last, by one aligned store: 0 means that there is none. The
sequence begins with 1 in each segment. Every checksum is a CRC-32 that begins with the segment's seed, but for the
header's own: no caller can make a payload that holds what would pass for a record.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from zlib import crc32

from latchgate.request_log.records import RECORD_BYTES_MAX

__all__ = [
    "ADDRESS_BYTES_MAX",
    "APPENDED",
    "APPENDED_AT",
    "COUNT",
    "HEADER_BYTES",
    "LENGTH",
    "RECORD_HEAD",
    "SEQUENCE",
    "SLOT_BYTES",
    "SUFFIX",
    "TALLIES",
    "TALLY_BYTES",
    "VERSION",
    "VERSIONS",
    "Header",
    "aligned",
    "counted_tallies",
    "find_version",
    "parse_header",
    "parse_tally",
    "record_checksum",
    "tally_at",
    "write_header",
    "write_tally",
]

SUFFIX = ".segment"
VERSION = 2
"""Of what is written. The records of version 1, of the release before, tell of no host; all else is the same."""
VERSIONS = (1, VERSION)
"""Of what is read. A process of the release before leaves alone what it could not read."""
HEADER_BYTES = 128
"""Of every version, and so are the places of magic, version and checksum."""
APPENDED_AT = 512
APPENDED = Struct("<Q")
TALLIES = 1024
TALLY_BYTES = 80
ADDRESS_BYTES_MAX = 62
COUNT = Struct("<Q")
LENGTH = Struct("<I")
RECORD_HEAD = Struct("<IIQ")
SEQUENCE = Struct("<IQ")
"""Length and sequence, as the checksum covers them."""

_MAGIC = b"lgatelog"
_START = Struct("<8sII")
_FIELDS = Struct("<16s16sQQII")
_TALLY = Struct("<QIIH62s")
_TALLY_FIELDS = Struct("<IIH62s")
_TALLIES_AT = 4096
_BOOT_ID_BYTES = 16


def aligned(offset: int) -> int:
    """Give the next multiple of 8."""
    return (offset + 7) & -8


SLOT_BYTES = aligned(RECORD_HEAD.size + RECORD_BYTES_MAX)
"""What the largest record takes."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says about itself."""

    id: bytes
    """Sixteen random bytes."""
    boot_id: bytes
    """Sixteen bytes that name the start of the machine that made it; all zero where the system does not tell."""
    made_us: int
    """Microseconds since 1970."""
    size: int
    """In bytes, all of it."""
    seed: int
    """What each checksum begins with."""
    tallies: int = TALLIES

    @property
    def records_at(self) -> int:
        """Where the first record lies."""
        return aligned(_TALLIES_AT + self.tallies * TALLY_BYTES)

    @property
    def records_end(self) -> int:
        """Where no record reaches."""
        return (self.size - HEADER_BYTES) & -8


def write_header(header: Header) -> bytes:
    """Write a header, HEADER_BYTES long."""
    fields = _FIELDS.pack(header.id, header.boot_id, header.made_us, header.size, header.seed, header.tallies)
    fields = fields.ljust(HEADER_BYTES - _START.size, b"\0")
    return _START.pack(_MAGIC, VERSION, crc32(fields, VERSION)) + fields


def find_version(raw: bytes) -> int | None:
    """Tell of which version a header is; None if it is none, or damaged."""
    if len(raw) != HEADER_BYTES:
        return None
    magic, version, checksum = _START.unpack_from(raw)
    whole = magic == _MAGIC and checksum == crc32(raw[_START.size :], version)
    return version if whole else None


def parse_header(raw: bytes) -> Header | None:
    """Read a header; None if it is none, damaged, or not of a version that is read."""
    if find_version(raw) not in VERSIONS:
        return None
    header = Header(*_FIELDS.unpack_from(raw, _START.size))
    return header if header.records_at <= header.records_end else None


def record_checksum(seed: int, length: int, sequence: int, payload: bytes) -> int:
    """Compute the checksum of a record."""
    return crc32(payload, crc32(SEQUENCE.pack(length, sequence), seed))


def tally_at(entry: int) -> int:
    """Tell where a tally lies; its count is its first word."""
    return _TALLIES_AT + entry * TALLY_BYTES


def write_tally(seed: int, entry: int, minute: int, address: bytes) -> bytes:
    """Write all of a tally but its count, which lies before it."""
    checksum = crc32(_TALLY_FIELDS.pack(entry, minute, len(address), address), seed)
    return _TALLY.pack(0, checksum, minute, len(address), address)[COUNT.size :]


def counted_tallies(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Go through tallies one after the other, and give number and bytes of each that has counted anything.

    They are begun in their order, but two may have been begun of which only the second was counted.
    """
    # Most of thousands are empty, and whoever reads the log reads them: the counts are looked at together.
    whole = len(raw) // TALLY_BYTES * TALLY_BYTES
    counts = memoryview(raw)[:whole].cast("Q")[:: TALLY_BYTES // 8].tolist()
    for entry, count in enumerate(counts):
        if count:
            yield entry, raw[entry * TALLY_BYTES : (entry + 1) * TALLY_BYTES]


def parse_tally(seed: int, entry: int, raw: bytes) -> tuple[int, int, bytes] | None:
    """Read a tally: count, minute, address; None if it is damaged."""
    count, checksum, minute, length, address = _TALLY.unpack(raw)
    if length > ADDRESS_BYTES_MAX or checksum != crc32(_TALLY_FIELDS.pack(entry, minute, length, address), seed):
        return None
    return count, minute, address[:length]
