"""What a source's records are called on their pages: event consumers have words, and a place, of their own."""

from dataclasses import dataclass

from latchgate.core.sources import EVENT_CONSUMER
from latchgate.server.desk.navigation import HOME, Link

__all__ = ["CONSUMERS", "SOURCES", "SourceWords", "words_of_source"]

SOURCES = "/app/source"
CONSUMERS = "/app/event-consumer"


@dataclass(frozen=True, slots=True)
class SourceWords:
    """How a source's pages speak of its records."""

    title: str
    """Of the list."""
    one: str
    """What a record is called."""
    about: str
    """What they are for; empty where nobody here can know."""
    above: tuple[Link, ...]
    """The pages above the list."""


_CONSUMERS = SourceWords(
    title="Event Consumers",
    one="consumer",
    about="An event consumer is a program with API keys of its own.",
    above=(HOME,),
)


def words_of_source(source: str) -> SourceWords:
    """Give the words for a source's records."""
    if source == EVENT_CONSUMER:
        return _CONSUMERS
    return SourceWords(source, "record", "", (HOME, Link("Sources", SOURCES)))
