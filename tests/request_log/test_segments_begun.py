"""Making segments while other processes start, which clear away what dead ones have left unfinished."""

import threading
from itertools import count
from pathlib import Path

from latchgate.request_log.segment_files import make_segment, prepare_folder
from latchgate.request_log.segment_layout import Header

_ID_BYTES = 16
_SIZE = 512 * 1024


def test_nobody_clears_away_what_another_is_making(tmp_path: Path) -> None:
    """Between its making and its locking a file looks like a dead one's: then it is made anew, and none is lost."""
    folder = tmp_path / "log"
    prepare_folder(folder)
    done, cleared = threading.Event(), count()

    def clear() -> None:
        while not done.is_set():
            prepare_folder(folder)
            next(cleared)

    clearing = threading.Thread(target=clear)
    clearing.start()
    try:
        for number in range(300):
            header = Header(number.to_bytes(_ID_BYTES, "big"), bytes(_ID_BYTES), 1, _SIZE, 7)
            segment = make_segment(folder, header, mapped=False)
            assert segment.path.exists()
            segment.path.unlink()
            segment.close()
    finally:
        done.set()
        clearing.join()

    assert next(cleared) > 0
    assert list(folder.iterdir()) == []
