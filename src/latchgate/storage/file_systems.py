"""Which file systems show one process at once what another wrote into a mapped file."""

import os
import sys
from pathlib import Path

__all__ = ["shares_mapped_files"]

# Only such as lie in this machine's own memory and disks: ext2–4, XFS, Btrfs, tmpfs, and overlayfs of containers, whose
# files that are written lie on one of these. Over a network, or through FUSE, another host's write may come later.
_KNOWN = frozenset({0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x794C7630})
_STATFS_BYTES = 512
"""More than the structure takes on any machine."""
_WORD_MASK = 0xFFFFFFFF


def shares_mapped_files(folder: Path) -> bool:
    """Whether files of a folder, mapped by many processes of this host, are the same to all; False if unknown."""
    return _find_type(folder) in _KNOWN


def _find_type(folder: Path) -> int | None:
    if sys.platform != "linux":
        return None
    # Imported where it is needed: most commands do without.
    import ctypes  # noqa: PLC0415  # see above

    library = ctypes.CDLL(None, use_errno=True)
    answer = ctypes.create_string_buffer(_STATFS_BYTES)
    if library.statfs(os.fsencode(folder), answer) != 0:
        return None
    # The first word is the type on every Linux; a C long, of which some machines fill the lower half alone.
    return ctypes.c_long.from_buffer(answer).value & _WORD_MASK
