"""Whether the process lives, and whether it can serve."""

from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import JSONResponse, Response

from latchgate.errors import StorageError
from latchgate.server.requests import Call
from latchgate.services.port_values import LogQuery
from latchgate.services.ports import RequestLog, Store

__all__ = ["Ready", "live"]


async def live(_call: Call) -> Response:
    """Tell that the process answers."""
    return JSONResponse({"status": "ok"})


@dataclass(frozen=True, slots=True)
class Ready:
    """Ready means that both databases answer."""

    store: Store
    request_log: RequestLog

    async def __call__(self, _call: Call) -> Response:
        """Tell whether requests can be served: 200 or 503."""
        try:
            await anyio.to_thread.run_sync(self._ask)
        except StorageError:
            return JSONResponse({"status": "unavailable"}, status_code=503)
        return JSONResponse({"status": "ok"})

    def _ask(self) -> None:
        with self.store.read() as tx:
            tx.instance.find_fact("key_check")
        next(iter(self.request_log.search(LogQuery(limit=1))), None)
