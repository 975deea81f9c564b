"""Whether the process lives, and whether it can serve."""

from dataclasses import dataclass, field

import anyio.to_thread
from starlette.responses import JSONResponse, Response

from latchgate.errors import StorageError
from latchgate.server.requests import Call
from latchgate.services.port_values import LogQuery
from latchgate.services.ports import RequestLog, Store

__all__ = ["Phase", "Ready", "live"]


async def live(_call: Call) -> Response:
    """Tell that the process answers."""
    return JSONResponse({"status": "ok"})


@dataclass(slots=True)
class Phase:
    """Whether this process serves: not before it takes connections, and no more once the whole service is stopping.

    A worker that only makes room for its successor counts as serving: who asks it asks about the service.
    """

    is_serving: bool = True


@dataclass(frozen=True, slots=True)
class Ready:
    """Ready means that this process serves and both databases answer."""

    store: Store
    request_log: RequestLog
    phase: Phase = field(default_factory=Phase)

    async def __call__(self, _call: Call) -> Response:
        """Tell whether requests can be served: 200 or 503."""
        if self.phase.is_serving and await anyio.to_thread.run_sync(self._answers):
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable"}, status_code=503)

    def _answers(self) -> bool:
        try:
            with self.store.read() as tx:
                tx.instance.find_fact("key_check")
            next(iter(self.request_log.search(LogQuery(limit=1))), None)
        except StorageError:
            return False
        return True
