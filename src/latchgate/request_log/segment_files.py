"""Making a segment, and writing into it: through mapped memory where that is safe, else by system calls."""

import fcntl
import mmap
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from latchgate.errors import StorageError
from latchgate.request_log.segment_layout import (
    ADDRESS_BYTES_MAX,
    APPENDED,
    APPENDED_AT,
    COUNT,
    HEADER_BYTES,
    LENGTH,
    SEQUENCE,
    SUFFIX,
    Header,
    tally_at,
    write_header,
    write_tally,
)

__all__ = ["OpenSegment", "can_be_mapped", "make_segment", "prepare_folder", "used_bytes"]

_UNFINISHED = ".new"
# Where blocks that were set aside once are written in place: elsewhere a store into a mapping may need a new block, and
# on a full disk the process dies by SIGBUS. What lies under an overlay cannot be told from here.
_MAPPABLE = frozenset({"ext4", "xfs", "tmpfs"})
_LENGTH_WORD, _COUNT_WORD = LENGTH.size, COUNT.size


@dataclass(slots=True)
class _Maps:
    """A file in memory, and the same as words of 32 and of 64 bits, which are stored whole."""

    bytes: mmap.mmap
    words: memoryview
    long_words: memoryview

    def close(self) -> None:
        self.words.release()
        self.long_words.release()
        self.bytes.close()


class OpenSegment:
    """A segment that this process writes: one thread at a time, which is its caller's to see to.

    Its descriptor holds the lock that says its writer lives.
    """

    __slots__ = ("_maps", "_seed", "_seed_word", "appended", "descriptor", "end", "header", "offset", "path", "tallied")

    def __init__(self, descriptor: int, path: Path, header: Header, *, mapped: bool) -> None:
        self.descriptor = descriptor
        self.path = path
        self.header = header
        self.offset = header.records_at
        """Where the next record goes."""
        self.end = header.records_end
        self.appended = 0
        """How many records it holds."""
        self.tallied = 0
        """How often a tally was counted up."""
        self._seed = header.seed
        self._maps = _map(descriptor, header.size) if mapped else None

    def append(self, payload: bytes) -> None:
        """Store a record, for which there must be room; it is there when this returns, and not before, whole.

        Raises:
            StorageError: The system refused to write; nothing was stored. Never where the file is mapped.
        """
        length, seq, offset = len(payload), self.appended + 1, self.offset
        body = SEQUENCE.pack(length, seq) + payload
        checksum = crc32(body, self._seed)
        maps, after = self._maps, (offset + 23 + length) & -8
        if maps is None:
            # Checksum and sequence in one go: the length is left out of its place, where it follows last.
            rest = SEQUENCE.pack(checksum, seq) + payload
            self._write(offset + _LENGTH_WORD, rest)
            self._write(offset, LENGTH.pack(length))
            self.appended, self.offset = seq, after
            # The record is there already: to say otherwise would have it written twice. The next one mends the count.
            with suppress(StorageError):
                self._write(APPENDED_AT, APPENDED.pack(seq))
            return
        maps.words[(offset >> 2) + 1] = checksum
        maps.bytes[offset + 8 : offset + 16 + length] = body[_LENGTH_WORD:]
        # From here on nothing is called, so that no signal's handler can leave it half done: a record that may have
        # been read already would be overwritten by the next.
        maps.words[offset >> 2] = length
        self.appended, self.offset = seq, after
        maps.long_words[APPENDED_AT >> 3] = seq

    def begin_tally(self, entry: int, minute: int, address: str) -> None:
        """Say whose refusals in which minute an entry counts, which has counted none yet. Raises StorageError."""
        raw = address.encode()[:ADDRESS_BYTES_MAX]
        self._store(tally_at(entry) + _COUNT_WORD, write_tally(self._seed, entry, minute, raw))

    def count_tally(self, entry: int, count: int) -> None:
        """State how many an entry has counted. Raises StorageError as `append`."""
        at = tally_at(entry)
        if self._maps is None:
            self._write(at, COUNT.pack(count))
        else:
            self._maps.long_words[at >> 3] = count
        self.tallied += 1

    def sync(self) -> None:
        """Put on the disk what was stored. Raises OSError: then nobody can tell what of it is there."""
        # Never mmap.flush: it holds the interpreter until the disk is done.
        os.fdatasync(self.descriptor)

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return self.appended == self.tallied == 0

    def close(self) -> None:
        """Let the file go, and with it the lock."""
        if self._maps is not None:
            self._maps.close()
        os.close(self.descriptor)

    def discard(self) -> None:
        """Delete the file if it holds nothing, and let it go."""
        if self.is_empty:
            with suppress(OSError):
                self.path.unlink()
        self.close()

    def _store(self, offset: int, what: bytes) -> None:
        if self._maps is None:
            self._write(offset, what)
        else:
            self._maps.bytes[offset : offset + len(what)] = what

    def _write(self, offset: int, what: bytes) -> None:
        try:
            written = os.pwrite(self.descriptor, what, offset)
        except OSError as error:
            raise StorageError("The request log cannot be written", detail=str(error)) from error
        if written != len(what):
            raise StorageError("The request log cannot be written", detail=f"{written} bytes of {len(what)} fitted")


def make_segment(folder: Path, header: Header, *, mapped: bool) -> OpenSegment:
    """Make a segment with all its room set aside on the disk.

    Raises:
        StorageError: The folder or the file cannot be made, or the disk has not the room.
    """
    path = folder / f"{header.id.hex()}{SUFFIX}"
    unfinished = path.with_suffix(_UNFINISHED)
    try:
        descriptor = _open_locked(unfinished)
        try:
            _give(descriptor, folder)
            _fill(descriptor, header)
            unfinished.rename(path)
            _sync_folder(folder)
            return OpenSegment(descriptor, path, header, mapped=mapped)
        except BaseException:
            for name in (unfinished, path):
                with suppress(OSError):
                    name.unlink()
            os.close(descriptor)
            raise
    except OSError as error:
        raise StorageError("The request log has no room for more", detail=str(error)) from error


def prepare_folder(folder: Path) -> None:
    """Make the folder, mode 0700, and clear away what dead makers left unfinished. Raises StorageError."""
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _give(descriptor, folder.parent)
            finally:
                os.close(descriptor)
        for path in folder.glob(f"*{_UNFINISHED}"):
            _remove_unless_locked(path)
    except OSError as error:
        raise StorageError("The request log's folder cannot be made", detail=str(error)) from error


def can_be_mapped(folder: Path) -> bool:
    """Whether files of a folder may be written through memory; what cannot be told may not."""
    # The words of the layout are stored as the machine has them.
    return sys.byteorder == "little" and _file_system(folder) in _MAPPABLE


def used_bytes(folder: Path) -> int:
    """Tell how much of the disk all segments of a folder take, everybody's. Raises StorageError."""
    total = 0
    try:
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_size if entry.name.endswith(SUFFIX) else 0
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageError("The request log's folder cannot be read", detail=str(error)) from error
    return total


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            # Whoever is making it has the lock, or finds out that the file was taken from under it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)


def _give(descriptor: int, folder: Path) -> None:
    """Let the folder's owner have what root makes in it, or the service could not open it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _open_locked(path: Path) -> int:
    """Make a file and lock it for life."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Another process that starts may hold it for a moment, and has removed it then as nobody's.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _fill(descriptor: int, header: Header) -> None:
    # All of it now: a store into a mapped hole would kill the process if the disk were full by then.
    os.posix_fallocate(descriptor, 0, header.size)
    raw = write_header(header)
    os.pwrite(descriptor, raw, 0)
    os.pwrite(descriptor, raw, header.size - HEADER_BYTES)
    os.fsync(descriptor)


def _map(descriptor: int, size: int) -> _Maps:
    mapping = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    whole = memoryview(mapping)
    return _Maps(mapping, whole.cast("I"), whole.cast("Q"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file_system(folder: Path) -> str | None:
    try:
        device = folder.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        place, _, what = line.partition(" - ")
        if place.split()[2] == wanted:
            return what.split()[0]
    return None
