"""What the release before wrote into its segments, which are read after an update."""

import sqlite3
from contextlib import closing
from pathlib import Path
from struct import Struct
from zlib import crc32

from latchgate.core.log_entries import LogEntry
from latchgate.request_log.segment_layout import HEADER_BYTES

__all__ = ["OLD_RECORDS", "make_old", "make_old_log", "write_as_before"]

_TIME = 1_777_636_800_000_000

OLD_RECORDS = {
    bytes.fromhex(
        "0100c8000100000001f00052c0500600a00f0000000000000123456789abcdef0123456789abcdef07000000000000000f00070005000400"
        "616e6e406578616d706c652e636f6d6c676b5f616e6e746f6b656e557365720300120009000800ffff4745542f7265706f7274732f353f6d"
        "6f6e74683d353139322e302e322e376375726c2f382e35"
    ): LogEntry(
        _TIME + 1,
        "0123456789abcdef0123456789abcdef",
        "ann@example.com",
        "lgk_ann",
        "token",
        "User",
        "GET",
        "/reports/5?month=5",
        200,
        0.004,
        "192.0.2.7",
        "curl/8.5",
        None,
        7,
    ),
    bytes.fromhex(
        "010191010300000002f00052c050060090d0030000000000000000000000000000000000000000000000000000000080ffffffff0600ffff"
        "426561726572040007000b0000000d00504f53542f5c783030c3bc323030313a6462383a3a31756e6b6e6f776e5f746f6b656e7265717565"
        "73742d32"
    ): LogEntry(
        _TIME + 2,
        "request-2",
        None,
        None,
        "Bearer",
        None,
        "POST",
        "/\\x00ü",
        401,
        0.25,
        "2001:db8::1",
        "",
        "unknown_token",
        None,
        3,
    ),
    bytes.fromhex(
        "0100cc000100000003f00052c050060060e3160000000000ffffffffffffffffffffffffffffffff08000000000000000f00070005002d00"
        "626f62406578616d706c652e636f6d6c676b5f626f6242617369634576656e7420436f6e73756d65720a666f726d65722073656372657420"
        "756e74696c20313737373634303030300300010009000000ffff4745542f3139322e302e322e38"
    ): LogEntry(
        _TIME + 3,
        "f" * 32,
        "bob@example.com",
        "lgk_bob",
        "Basic",
        "Event Consumer",
        "GET",
        "/",
        204,
        1.5,
        "192.0.2.8",
        "",
        None,
        8,
        1,
        1_777_640_000,
    ),
}
"""Records of version 1, byte for byte, and the rows that they hold."""

_WHO_AT, _WHO = 40, Struct("<q4H")
_NONE = 0xFFFF


def write_as_before(payload: bytes) -> bytes:
    """Make the record of version 1 of one of version 2 that tells of no host."""
    _, *lengths = _WHO.unpack_from(payload, _WHO_AT)
    host_at = _WHO_AT + _WHO.size + sum(length for length in lengths if length != _NONE) + 4 * 2
    assert payload[0] == 2
    assert payload[host_at : host_at + 2] == b"\xff\xff"
    return b"\x01" + payload[1:host_at] + payload[host_at + 2 :]


def make_old(segment: Path) -> None:
    """Have a segment's header, and the copy of it, say that the release before wrote it."""
    raw = segment.read_bytes()
    fields = raw[16:HEADER_BYTES]
    header = Struct("<8sII").pack(raw[:8], 1, crc32(fields, 1)) + fields
    segment.write_bytes(header + raw[HEADER_BYTES:-HEADER_BYTES] + header)


def make_old_log(database: Path) -> None:
    """Make the log's SQLite file one of the release before."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("ALTER TABLE request_log DROP COLUMN host")
        connection.execute("UPDATE request_log_revision SET version_num = '0002'")
