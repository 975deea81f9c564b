"""/metrics: what all processes of this host have counted, for Prometheus. Any worker answers for all of them."""

import anyio
import anyio.to_thread
from starlette.responses import Response

from latchgate.core.addresses import Network
from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.core.policy import Requirement
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import StorageError
from latchgate.request_log.request_log import HostRequestLog
from latchgate.server.requests import Call
from latchgate.services.log_ports import LogStanding
from latchgate.services.measures import Measures

__all__ = ["MEDIA_TYPE", "SCOPE", "Metrics", "metrics_requirement"]

SCOPE = "Metrics:read"
"""What a key needs that can read this page and nothing else."""
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_requirement(open_from: tuple[Network, ...]) -> Requirement:
    """Tell who may read the page: a System Manager, and whoever asks from one of these ranges."""
    return Requirement(user=True, scope=SCOPE, roles=frozenset({SYSTEM_MANAGER}), open_from=open_from)


class Metrics:
    """Answers with the page."""

    def __init__(self, measures: Measures, request_log: HostRequestLog) -> None:
        self._measures = measures
        self._request_log = request_log
        # However many ask at the same time: it is files and a database that each looks at.
        self._limiter = anyio.CapacityLimiter(1)

    async def __call__(self, _call: Call) -> Response:
        """Answer with all that is counted."""
        body = await anyio.to_thread.run_sync(self.write, limiter=self._limiter)
        return Response(body, headers={"Content-Type": MEDIA_TYPE})

    def write(self) -> bytes:
        """Write the page; blocks."""
        with ONE_AT_A_TIME:
            # Ten times what the rest of this page needs, and most instances are never asked for it.
            from latchgate.server.exposition import write_page  # noqa: PLC0415  # as the comment says
        return write_page(self._measures.read_totals(), self._find_standing())

    def _find_standing(self) -> LogStanding | None:
        try:
            return self._request_log.standing()
        except StorageError:
            # The rest is to be told all the more.
            return None
