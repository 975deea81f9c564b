"""A server and all processes that it forked: found, and ended together."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["find_children", "has_open", "kill_family", "list_family", "wait_until"]

_DEADLINE_SECONDS = 60.0


def find_children(pid: int) -> list[int]:
    """Find the living processes that a process forked, the oldest first."""
    return sorted(child for child, (parent, _, state) in _processes().items() if parent == pid and state != "Z")


def list_family(group: int) -> list[int]:
    """Find the living processes of a process group."""
    return sorted(pid for pid, (_, of, state) in _processes().items() if of == group and state != "Z")


def has_open(pid: int, name: str) -> bool:
    """Tell whether a process has a file of this name open."""
    try:
        return any(entry.readlink().name == name for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def kill_family(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a process that was started in a session of its own, and all that it forked, as a power cut would.

    Returns once none of them is left, and with them their sockets and locks.
    """
    if list_family(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not list_family(process.pid), "the family is gone")


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so, and fail if it never is."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def _processes() -> dict[int, tuple[int, int, str]]:
    """Read of each process its parent, its group and its state."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(folder.name)] = int(fields[1]), int(fields[2]), fields[0]
    return found
