"""Answers with the OpenAPI document, which the first request for it builds."""

import json

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.late_loading import ONE_AT_A_TIME
from latchgate.server.desk.assets import Asset
from latchgate.server.requests import Call
from latchgate.server.routes import Table

__all__ = ["OpenApi"]


class OpenApi:
    """Answers with the document of the table that this page itself stands in."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._table = Table({}, {})
        self._asset: Asset | None = None

    def describe(self, table: Table) -> None:
        """Say whose routes the document is of."""
        self._table = table

    async def __call__(self, call: Call) -> Response:
        """Answer with the document."""
        # It takes a moment, and twelve times the memory of its text, which most workers are never asked for.
        asset = self._asset
        if asset is None:
            asset = await anyio.to_thread.run_sync(self._build)
        return await asset.answer(call)

    def _build(self) -> Asset:
        # Of two that come first at once, the second finds what the first has built.
        with ONE_AT_A_TIME:
            asset = self._asset
            if asset is None:
                from latchgate.server.openapi_document import build_document  # noqa: PLC0415  # see `__call__`

                text = json.dumps(build_document(self._table, self._public_url), separators=(",", ":"))
                asset = self._asset = Asset(text.encode(), "application/json")
            return asset
