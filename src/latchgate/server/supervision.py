"""Put the processes together: what each does after its fork, and what they share."""

import gc
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import closing

from latchgate.bootstrap import open_latchgate, open_upkeep
from latchgate.request_log.ingest_process import run_ingester
from latchgate.server.families import INGESTER_SLOT, MASTER_SLOT, SLOTS_BESIDES_WORKERS, SLOTS_PER_WORKER
from latchgate.server.links import UpLink
from latchgate.server.members import Kind, Work
from latchgate.server.run import run_server
from latchgate.server.supervisor import Supervisor, Works
from latchgate.services.clock import SystemClock
from latchgate.settings import Settings
from latchgate.storage.shared_slots import SharedSlots, Slot
from latchgate.wiring.inheritance import Inherited, share_memory

__all__ = ["supervise"]


def supervise(settings: Settings, sockets: Sequence[socket.socket]) -> None:
    """Let workers serve on the sockets until SIGTERM or SIGINT.

    Args:
        settings: As they stay until the end, whatever becomes of the file and the environment.
        sockets: Bound and listening; closed at the end.

    Raises:
        LatchgateError: No worker can serve, for a reason that will not pass.
    """
    shared = share_memory(settings, SLOTS_BESIDES_WORKERS + SLOTS_PER_WORKER * settings.workers)
    own, clock = shared.slot(MASTER_SLOT), SystemClock()
    of_a_worker = _share(settings)

    def serve(slot: int, link: UpLink) -> None:
        inherited = Inherited(shared.slot(slot), clock)
        with closing(open_latchgate(of_a_worker, create=False, cached=True, inherited=inherited)) as latchgate:
            # Read anew by each, so that a restart takes over what was changed; one that cannot be read starts none.
            latchgate.load_access_rules()
            run_server(latchgate, sockets, link)

    def look_after() -> None:
        shared.mend()
        # It goes on from the latest time that the wall clock has shown, also for workers that start later.
        clock.now()

    works = Works(
        serve=serve,
        ingest=_ingester(settings, shared),
        count_start=_count_by_kind(own, "starts"),
        count_death=_count_by_kind(own, "deaths"),
        note_family=lambda kind, there: own.write(f"{kind}s", there),
        note_free_slot=shared.clear_gauges,
        look_after=look_after,
    )
    # What was loaded stays where it is: a collection that marks it would copy every page of it into each worker.
    gc.collect()
    gc.freeze()
    try:
        Supervisor(works, sockets, settings.workers, settings.shutdown_seconds).run()
    finally:
        shared.remove()


def _share(settings: Settings) -> Settings:
    """Give a worker its share of what the settings allow all of them together."""
    hashes = max(1, settings.password_hashes_at_once // settings.workers)
    return settings.model_copy(update={"password_hashes_at_once": hashes})


def _count_by_kind(own: Slot, what: str) -> Callable[[Kind], None]:
    counters = {kind: own.lasting_counter(f"{kind}_{what}") for kind in Kind}
    return lambda kind: counters[kind](1)


def _ingester(settings: Settings, shared: SharedSlots) -> Work:
    def ingest(link: UpLink) -> None:
        # A service manager may tell every process to end; this one ends after those whose rows it moves.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open_upkeep(settings) as upkeep:
            run_ingester(settings, link, measures=shared.slot(INGESTER_SLOT).measures(), upkeep=upkeep)

    return ingest
