"""The documents, as pages of every running instance: what Help leads to, without any other host."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.policy import PUBLIC
from latchgate.errors import NotFound
from latchgate.server.desk.assets import Asset
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.help_topics import HELP
from latchgate.server.desk.manual_text import RenderedText, render_text
from latchgate.server.desk.navigation import Link
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page

__all__ = ["ManualPages"]

_GET = frozenset({"GET"})
_INDEX = "README.md"
_PICTURES = {".png": "image/png", ".webp": "image/webp", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "public, max-age=3600"}


@dataclass(frozen=True, slots=True)
class ManualPages:
    """Open to everybody, as the documents are; each is rendered when it is first asked for, and kept."""

    frame: Frame
    files: dict[str, Traversable] = field(default_factory=dict, repr=False)
    """By path from the folder `docs`, once somebody asked."""
    rendered: dict[str, RenderedText] = field(default_factory=dict, repr=False)
    pictures: dict[str, Asset] = field(default_factory=dict, repr=False)

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        addresses = (HELP, f"{HELP}/{{name}}", f"{HELP}/{{folder}}/{{name}}")
        return {address: Page(PUBLIC, _GET, self.show, Dialect.PAGE) for address in addresses}

    async def show(self, call: Call) -> Response:
        """Show a document, or a picture in one."""
        path = "/".join(filter(None, (call.parts.get("folder"), call.parts.get("name"))))
        found = await anyio.to_thread.run_sync(self._find, path)
        if isinstance(found, Asset):
            return await found.answer(call)
        heading = Heading(found.title, (Link("Help", HELP),)) if path else Heading("Help")
        if call.admission.principal:
            return await self.frame.show(call, "manual.html", heading, body=found.html)
        return self.frame.plain("manual.html", principal=None, heading=heading, body=found.html)

    def _find(self, path: str) -> RenderedText | Asset:
        if not self.files:
            self.files.update(_list(files("latchgate.server.desk").joinpath("manual"), ""))
        name = f"{path}.md" if path else _INDEX
        if path in self.files and path.endswith(tuple(_PICTURES)):
            if path not in self.pictures:
                media_type = _PICTURES[f".{path.rpartition('.')[2]}"]
                self.pictures[path] = Asset(self.files[path].read_bytes(), media_type, _HEADERS)
            return self.pictures[path]
        if name not in self.files:
            raise NotFound("There is no such document here.")
        if name not in self.rendered:
            text = self.files[name].read_text("utf-8")
            self.rendered[name] = render_text(text, name.rpartition("/")[0], self._address)
        return self.rendered[name]

    def _address(self, path: str) -> str:
        """Give where a file is shown; what is not among the documents is shown nowhere."""
        if path not in self.files:
            return ""
        return HELP if path == _INDEX else f"{HELP}/{path.removesuffix('.md')}"


def _list(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _list(entry, f"{path}{entry.name}/")
        else:
            yield path + entry.name, entry
