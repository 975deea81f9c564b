"""The processes that a master has forked, and who of them is what just now."""

import os
import socket
from collections.abc import Iterable, Iterator

from latchgate.server.members import Kind, Member, Stage, Work, fork_member

__all__ = ["INGESTER_SLOT", "MASTER_SLOT", "SLOTS_BESIDES_WORKERS", "SLOTS_PER_WORKER", "Family"]

SLOTS_PER_WORKER = 4
"""It serves, or makes room twice over for successors of its own, or has just died."""
SLOTS_BESIDES_WORKERS = 2
MASTER_SLOT, INGESTER_SLOT = 0, 1


class Family:
    """All processes that live, or have died and were not buried yet."""

    def __init__(self, workers: int) -> None:
        """Have room for so many workers and their successors."""
        self._wanted = workers
        self._members: dict[int, Member] = {}
        self.generation = 0
        """How many restarts have begun."""

    def fork(self, kind: Kind, slot: int, work: Work, foreign: Iterable[socket.socket] = ()) -> None:
        """Add a process, which keeps none of the foreign sockets open. Raises OSError if the system has no room."""
        links = [member.link for member in self.everybody()]
        pid, link = fork_member(work, [*links, *foreign])
        self._members[pid] = Member(kind, slot, self.generation, pid, link)

    def bury(self) -> Iterator[tuple[Member, int]]:
        """Give each that has died since, and how."""
        while self._members:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            member = self._members.pop(pid, None)
            if member is not None:
                # It may have told why since it was last asked.
                member.read_report()
                member.link.close()
                yield member, wait_status

    def end_all_at_once(self) -> None:
        """Kill everybody, and return when nobody is left."""
        for member in self.everybody():
            member.kill()
        for member in self.everybody():
            os.waitpid(member.pid, 0)
            member.link.close()
        self._members.clear()

    def adopt_outdated(self) -> int:
        """Keep those that were to be replaced; tell how many."""
        kept = self.outdated()
        for member in kept:
            member.generation = self.generation
        return len(kept)

    def find_slot(self) -> int | None:
        """Find a worker's slot whose last owner has died; None if there is none to spare."""
        taken = {member.slot for member in self.everybody()}
        first, end = SLOTS_BESIDES_WORKERS, SLOTS_BESIDES_WORKERS + SLOTS_PER_WORKER * self._wanted
        # A restart leaves some for what dies meanwhile.
        kept = self._wanted if self.outdated() else 0
        free = [number for number in range(first, end) if number not in taken]
        return free[0] if len(free) > kept else None

    def everybody(self) -> list[Member]:
        """List all, the oldest first."""
        return list(self._members.values())

    def workers(self) -> list[Member]:
        """List those that serve, will serve or have served."""
        return [member for member in self.everybody() if member.kind is Kind.WORKER]

    def current(self) -> list[Member]:
        """List the workers that are to stay."""
        return [member for member in self._staying() if member.generation == self.generation]

    def outdated(self) -> list[Member]:
        """List the workers that a restart is still to replace."""
        return [member for member in self._staying() if member.generation < self.generation]

    def serving(self) -> list[Member]:
        """List the workers that take connections."""
        return [member for member in self.workers() if member.stage is Stage.SERVING]

    def is_starting(self) -> bool:
        """Tell whether there is a worker that has not come to serve yet."""
        return any(member.stage is Stage.STARTING for member in self.workers())

    def has_ingester(self) -> bool:
        """Tell whether there is an ingester."""
        return any(member.kind is Kind.INGESTER for member in self.everybody())

    def _staying(self) -> list[Member]:
        return [member for member in self.workers() if member.stage is not Stage.LEAVING]
