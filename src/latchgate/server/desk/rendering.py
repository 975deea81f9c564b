"""Templates into texts. The library that does it is loaded by the first page that is shown, of few workers ever one."""

from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from latchgate.core.late_loading import ONE_AT_A_TIME

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Renderer", "RenderingError"]


class RenderingError(Exception):
    """A template has a fault, or names what it was not given."""


class Renderer:
    """The templates of the desk, safe to use from any thread."""

    def __init__(
        self, sources: Mapping[str, str], given: Mapping[str, object], filters: Mapping[str, Callable[..., object]]
    ) -> None:
        self._sources, self._given, self._filters = sources, given, filters
        self._environment: Environment | None = None

    @classmethod
    def on(cls, given: Mapping[str, object], filters: Mapping[str, Callable[..., object]]) -> "Renderer":
        """Read the texts of all templates.

        At start: an error page must not need a template's file while there are no descriptors left to open one.

        Args:
            given: What every template may name: values, and functions.
            filters: Functions of one value.
        """
        sources = dict(_read(files("latchgate.server.desk").joinpath("templates"), ""))
        return cls(sources, given, filters)

    @property
    def is_ready(self) -> bool:
        """Whether `make_ready` has nothing left to do."""
        return self._environment is not None

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Render a template. Raises RenderingError, and what `make_ready` raises."""
        environment = self._environment or self.make_ready()
        # Loaded by now; the name is asked for anew, so that nothing is kept of what may never be needed.
        from jinja2 import TemplateError  # noqa: PLC0415  # see above

        try:
            return environment.get_template(template).render(values)
        except TemplateError as error:
            raise RenderingError(str(error)) from error

    def make_ready(self) -> "Environment":
        """Load what rendering needs, so that nothing of it can fail later.

        Raises:
            OSError, ImportError: A file of the library cannot be opened.
        """
        with ONE_AT_A_TIME:
            if self._environment is None:
                import jinja2  # noqa: PLC0415  # as the module says

                environment = jinja2.Environment(
                    loader=jinja2.DictLoader(self._sources),
                    autoescape=jinja2.select_autoescape(default=True, default_for_string=True),
                    undefined=jinja2.StrictUndefined,
                    trim_blocks=True,
                    auto_reload=False,
                    lstrip_blocks=True,
                )
                environment.globals |= self._given
                environment.filters |= self._filters
                self._environment = environment
            return self._environment


def _read(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{path}{entry.name}/")
        else:
            yield path + entry.name, entry.read_text("utf-8")
