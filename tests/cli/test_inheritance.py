"""What a worker has from its master."""

from contextlib import closing

from latchgate.bootstrap import open_latchgate
from latchgate.services.clock import SystemClock
from latchgate.settings import load_settings
from latchgate.wiring.inheritance import Inherited, share_memory
from support.command_line import CommandLine


def test_workers_count_together_and_live_in_one_time(cli: CommandLine) -> None:
    """Its memory and its clock; all else each opens for itself."""
    settings, clock = load_settings({"sign_in_failures_per_address": 1}), SystemClock()
    shared = share_memory(settings, 4)
    with (
        closing(open_latchgate(settings, inherited=Inherited(shared.slot(2), clock))) as first,
        closing(open_latchgate(settings, inherited=Inherited(shared.slot(3), clock))) as second,
        closing(open_latchgate(settings)) as alone,
    ):
        first.gate.throttles.count_wrong_password("192.0.2.1")

        assert second.gate.throttles.has_failed_often("192.0.2.1")
        assert not alone.gate.throttles.has_failed_often("192.0.2.1")
        assert first.clock is second.clock is clock
        for latchgate in (first, alone):
            latchgate.measures.counter("cache_misses")(1)
        assert second.measures.read_totals()["cache_misses"] == 1
        assert alone.measures.read_totals()["cache_misses"] == 1
        assert first.store is not second.store
    shared.remove()
