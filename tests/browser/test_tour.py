"""The tour of the documents, taken by somebody who has never been there: each step does what the document says."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from support.documents import find_blocks
from support.running import RunningLatchgate
from support.tour import NAME, PICTURES, TOUR, Tour, script_runner

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server that was never started before, whose first password nobody has set."""
    running = RunningLatchgate(Path(tmp_path_factory.mktemp("tour")) / "home").start()
    yield running
    assert running.stop() == 0


def test_the_tour(open_page: OpenPage, running: RunningLatchgate, tmp_path: Path) -> None:
    """From the one-time link to the refusal of the revoked key; each word in bold was met, each picture was taken."""
    page = open_page(viewport={"width": 1200, "height": 720})
    taken: list[str] = []
    tour = Tour(page, running, script_runner(tmp_path, sys.executable), lambda name, _page: taken.append(name))

    tour.walk()

    text = TOUR.read_text()
    bold = set(re.findall(r"\*\*([^*]+)\*\*", text)) - {"bold"}
    assert bold - set(tour.pressed) == set()
    assert [f"tour-{name}.webp" for name in taken] == re.findall(r"\(pictures/([^)]+)\)", text)
    assert all((PICTURES / f"tour-{name}.webp").exists() for name in taken)
    assert {path.name for path in PICTURES.glob("tour-*")} == {f"tour-{name}.webp" for name in taken}


def test_what_the_script_prints_is_what_the_document_shows(running: RunningLatchgate) -> None:
    """The users are those that there are after the walk."""
    (shown,) = [block.text for block in find_blocks(TOUR.read_text()) if block.language == "text"]

    users = sorted(user["name"] for user in running.ask("user", "list"))
    assert users == [line.split()[0] for line in shown.splitlines()]
    assert NAME in users
