"""What the processes of one server have in common: the memory in which they count, and the clock."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from limits.storage import Storage

from latchgate.services.clock import SystemClock
from latchgate.services.entropy import SystemEntropy
from latchgate.settings import Settings
from latchgate.storage.joined_counters import JoinedCounters, JoinedMemory
from latchgate.storage.shared_counters import SharedCounters
from latchgate.storage.shared_slots import GUESTS, SharedSlots, Slot
from latchgate.storage.slot_files import make_shared_slots

__all__ = ["Inherited", "find_counters", "share_memory"]

_SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a worker has from its master, all else being opened anew after the fork."""

    slot: Slot
    """Where it counts, so that all workers count together."""
    clock: SystemClock
    """Begun before the fork: a worker that starts after the wall clock was set back must not live in another time."""


def share_memory(settings: Settings, slots: int) -> SharedSlots:
    """Make the memory in which so many processes count together, before they are forked. Raises StorageError."""
    return make_shared_slots(
        settings.home / "run", slots=slots + GUESTS, salt=SystemEntropy().random_bytes(_SALT_BYTES)
    )


def find_counters(
    settings: Settings, clock: SystemClock, inherited: Inherited | None, stack: ExitStack, *, serves: bool
) -> Callable[[str], Storage] | None:
    """Tell where each kind of limit is counted; None: in this process alone."""
    if inherited is not None:
        slot = inherited.slot
        return lambda kind: SharedCounters(slot.shared.table(kind), slot.number, clock)
    if not serves:
        return None
    memory = JoinedMemory(settings.home / "run", clock)
    stack.callback(memory.close)
    return lambda kind: JoinedCounters(memory, kind, clock)
