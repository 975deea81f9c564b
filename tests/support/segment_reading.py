"""Reading whole folders of segments, as tests look at what writers left behind."""

from dataclasses import dataclass, field
from pathlib import Path

from latchgate.core.log_entries import LogEntry
from latchgate.request_log.segment_reader import SegmentFile, Tally, list_segments

__all__ = ["Found", "read_segment", "read_segments"]


@dataclass(slots=True)
class Found:
    """What segments hold."""

    entries: list[LogEntry] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    lost: int = 0
    dead: list[bool] = field(default_factory=list)
    """Of each segment."""

    @property
    def ids(self) -> list[str]:
        """The rows' request ids."""
        return [entry.request_id for entry in self.entries]


def read_segments(folder: Path, rows_max: int = 1000) -> Found:
    """Read all segments of a folder to their present ends, so many rows at a step."""
    found = Found()
    for segment in list_segments(folder):
        read_segment(segment, found, rows_max)
    return found


def read_segment(segment: SegmentFile, found: Found | None = None, rows_max: int = 1000) -> Found:
    """Read one segment to its present end."""
    found = found or Found()
    offset, seq = 0, 1
    while True:
        step = segment.scan(offset, rows_max, seq)
        found.entries += [row.entry for row in step.rows]
        found.lost += step.lost
        offset, seq = step.next_offset, step.next_seq
        if step.at_end:
            found.tallies += step.tallies
            found.dead.append(step.dead)
            return found
