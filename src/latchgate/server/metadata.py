"""What the service tells about itself to programs. Source: RFC 9728."""

from dataclasses import dataclass

from starlette.responses import JSONResponse, Response

from latchgate.server.requests import Call

__all__ = ["ProtectedResource"]


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """The metadata that WWW-Authenticate points to; only what is true is in it. Source: RFC 9728, section 2."""

    public_url: str

    async def __call__(self, _call: Call) -> Response:
        """Answer with the metadata."""
        document = {
            "resource": self.public_url,
            "resource_name": "Latchgate",
            "bearer_methods_supported": ["header"],
        }
        return JSONResponse(document)
