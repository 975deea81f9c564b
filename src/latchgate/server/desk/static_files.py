"""The files of the pages: ours, and those of the vendored kits, each under one name that a list gives it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

import anyio.to_thread
from starlette.responses import Response

from latchgate.errors import NotFound
from latchgate.server.desk.assets import Asset
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import WITHOUT_SESSION, Page

__all__ = ["StaticFiles"]

# The versions that lie in static/vendor; they stand in the addresses, so that no browser mixes two.
_SWAGGER_UI, _PICO, _HTMX, _UPLOT = "5.35.0", "2.1.1", "2.0.11", "1.6.32"
_CSS, _SCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
# By the name in the address: the file, and what it is.
_FILES = {
    "desk.css": ("desk.css", _CSS),
    "desk.js": ("desk.js", _SCRIPT),
    "mark.svg": ("mark.svg", "image/svg+xml"),
    "api-docs.css": ("api-docs.css", _CSS),
    "api-docs.js": ("api-docs.js", _SCRIPT),
    "chart.js": ("chart.js", _SCRIPT),
    "log.js": ("log.js", _SCRIPT),
    f"pico-{_PICO}.css": ("vendor/pico/pico.conditional.min.css", _CSS),
    f"htmx-{_HTMX}.js": ("vendor/htmx/htmx.min.js", _SCRIPT),
}
# Two megabytes, which one page asks for, and what draws charts, which few pages have.
_READ_WHEN_ASKED = {
    f"uplot-{_UPLOT}.css": ("vendor/uplot/uPlot.min.css", _CSS),
    f"uplot-{_UPLOT}.js": ("vendor/uplot/uPlot.iife.min.js", _SCRIPT),
    f"swagger-ui-{_SWAGGER_UI}.css": ("vendor/swagger-ui/swagger-ui.css", _CSS),
    f"swagger-ui-{_SWAGGER_UI}.js": ("vendor/swagger-ui/swagger-ui-bundle.js", _SCRIPT),
}
_KITS = {
    "htmx": f"htmx-{_HTMX}.js",
    "swagger-ui.css": f"swagger-ui-{_SWAGGER_UI}.css",
    "swagger-ui.js": f"swagger-ui-{_SWAGGER_UI}.js",
    "uplot.css": f"uplot-{_UPLOT}.css",
    "uplot.js": f"uplot-{_UPLOT}.js",
}
_HEADERS = {"Cache-Control": "public, max-age=3600"}


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All files: read at start, but large ones that few pages need, which are read when they are first asked for."""

    assets: dict[str, Asset] = field(repr=False)

    @classmethod
    def read(cls) -> "StaticFiles":
        """Read what every page needs."""
        return cls({name: _read(*file) for name, file in _FILES.items()})

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {"/assets/{name}": Page(WITHOUT_SESSION, frozenset({"GET"}), self.give, Dialect.PLAIN)}

    def address(self, name: str) -> str:
        """Give the address of a file, which changes when the file does; a kit's file may be named without version."""
        name = _KITS.get(name, name)
        if name in _KITS.values():
            return f"/assets/{name}"
        return f"/assets/{name}?{hashlib.sha256(self.assets[name].body).hexdigest()[:8]}"

    async def give(self, call: Call) -> Response:
        """Answer with a file."""
        name = call.parts["name"]
        asset = self.assets.get(name)
        if asset is None:
            file = _READ_WHEN_ASKED.get(name)
            if file is None:
                raise NotFound(f"There is no file {name[:60]}")
            # Of two that are first at once, both read it, and either's is kept.
            asset = self.assets[name] = await anyio.to_thread.run_sync(_read, *file)
        return await asset.answer(call)


def _read(path: str, media_type: str) -> Asset:
    return Asset(files("latchgate.server.desk").joinpath("static").joinpath(path).read_bytes(), media_type, _HEADERS)
