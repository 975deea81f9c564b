"""Files and documents that are the same for everybody: kept in memory, and once more as gzip writes them."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import anyio.to_thread
from starlette.responses import Response

from latchgate.server.requests import Call

__all__ = ["Asset"]

# Less than this comes in one packet either way.
_COMPRESSED_FROM_BYTES = 1400


@dataclass(frozen=True)
class Asset:
    """What is answered, byte for byte. It holds nothing of any caller's: compressing it gives nothing away."""

    body: bytes = field(repr=False)
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

    async def answer(self, call: Call) -> Response:
        """Answer with the file, compressed where that helps and the client takes it. Source: RFC 9110, 12.5.3."""
        if len(self.body) < _COMPRESSED_FROM_BYTES:
            return Response(self.body, media_type=self.media_type, headers=dict(self.headers))
        headers = {**self.headers, "Vary": "Accept-Encoding"}
        body = self.body
        if _takes_gzip(call.request.headers.getlist("accept-encoding")):
            # The first time takes a moment, in which others are to be answered.
            body = await anyio.to_thread.run_sync(lambda: self._compressed)
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=self.media_type, headers=headers)

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self.body, mtime=0)


def _takes_gzip(accepted: list[str]) -> bool:
    """Whether gzip is named, and not with the weight 0 that refuses it; who says nothing gets the file as it is."""
    for choice in ",".join(accepted).lower().split(","):
        coding, _, weight = (part.strip() for part in choice.partition(";"))
        if coding == "gzip":
            return weight.replace(" ", "").rstrip("0") not in {"q=", "q=0."}
    return False
