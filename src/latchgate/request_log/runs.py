"""The quick way through a segment: records that follow each other as they should, decoded straight to rows.

Whatever is not as it should be ends a run; `segment_reader.py` then judges what it is.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from latchgate.errors import StorageError
from latchgate.request_log.records import RECORD_BYTES_MAX
from latchgate.request_log.rows import Row, RowDecoder
from latchgate.request_log.segment_layout import HEADER_BYTES, RECORD_HEAD, SEQUENCE, Header, aligned, parse_header

__all__ = ["Run", "read_run"]

_CHUNK_BYTES = 1024 * 1024


@dataclass(slots=True)
class Run:
    """Rows that follow each other, and where the record after them would be."""

    offset: int
    next_seq: int
    rows: list[tuple[int, Row]] = field(default_factory=list)


def read_run(path: Path, start: tuple[int, int], rows_max: int, decoder: RowDecoder) -> Run:
    """Read records from an offset and number on; 0 begins. Raises StorageError if the file cannot be read."""
    run = Run(*start)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = parse_header(os.pread(descriptor, HEADER_BYTES, 0))
            if header is not None:
                run.offset = run.offset or header.records_at
                while _read_chunk(descriptor, header, run, rows_max, decoder):
                    pass
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError("A segment of the request log cannot be read", detail=str(error)) from error
    return run


def _read_chunk(descriptor: int, header: Header, run: Run, rows_max: int, decoder: RowDecoder) -> bool:
    """Read on; tell whether there may be more after what one read gave."""
    wanted = min(_CHUNK_BYTES, header.records_end - run.offset)
    chunk = os.pread(descriptor, wanted, run.offset) if wanted > 0 else b""
    place, seq, seed, rows = 0, run.next_seq, header.seed, run.rows
    # Names of this function alone: what is looked up here is looked up a hundred thousand times a second.
    unpack, pack, decode, head, last = RECORD_HEAD.unpack_from, SEQUENCE.pack, decoder.row, RECORD_HEAD.size, len(chunk)
    left = rows_max - len(rows)
    try:
        while left and place + head <= last:
            length, checksum, number = unpack(chunk, place)
            end = place + head + length
            if number != seq or not 0 < length <= RECORD_BYTES_MAX or end > last:
                break
            payload = chunk[place + head : end]
            if crc32(payload, crc32(pack(length, seq), seed)) != checksum:
                break
            rows.append((seq, decode(payload)))
            place, seq, left = aligned(end), seq + 1, left - 1
    except ValueError:
        # A whole record that holds no row: it is lost, which the reader counts.
        left = 0
    run.offset, run.next_seq = run.offset + place, seq
    # A record that goes on beyond the chunk is met again at the beginning of the next.
    return left > 0 and place > 0 and last == wanted == _CHUNK_BYTES
