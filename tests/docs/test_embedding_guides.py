"""The guides to FastAPI, Flask, Django and the client for Python do what they say; the examples are what they show."""

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.documents import ROOT, find_blocks
from support.families import kill_family
from support.reader import Reader, reading
from support.running import free_port

_DEFAULT_ADDRESS = "http://127.0.0.1:8000"
_PATIENCE_SECONDS = 60.0
_GUIDES = ROOT / "docs" / "howto"
_STARTS = 'LATCHGATE_HOME="$PWD/data" '


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a server of its own."""
    with reading(tmp_path) as reader:
        yield reader


@contextmanager
def _serving(command: str, folder: Path, reader: Reader, port: int) -> Iterator[None]:
    """Run an application as the reader's other terminal does, until it answers."""
    printed = folder / "application.txt"
    with printed.open("w") as output:
        process = subprocess.Popen(
            ["sh", "-c", f"exec env {command}"],
            cwd=folder,
            env=reader.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < deadline, printed.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10):
                    break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        kill_family(process)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guides need curl; install it")
@pytest.mark.parametrize("name", ["fastapi", "flask", "django"])
def test_a_guide_does_what_it_says(name: str, reader: Reader) -> None:
    """The application that the guide shows starts, answers each command with what is printed, and is the example."""
    port = free_port()
    blocks = find_blocks((_GUIDES / f"{name}.md").read_text())
    [application] = [block.text for block in blocks if block.language == "python"]
    assert application == (ROOT / "examples" / f"{name}_app.py").read_text()
    (reader.folder / "app.py").write_text(application)
    [start] = [block.text for block in blocks if block.text.startswith(_STARTS)]
    compared = 0

    with _serving(start.strip().replace("9000", str(port)), reader.folder, reader, port), reader.shell() as shell:
        output = ""
        for block in blocks:
            text = block.text.strip()
            match block.language:
                case "sh" if block.text != start:
                    output = shell.run(text.replace("127.0.0.1:9000", f"127.0.0.1:{port}"))
                case "json":
                    assert json.loads(output.strip().splitlines()[-1]) == json.loads(text), block
                    compared += 1
                case "text":
                    assert text in output, block
                    compared += 1
                case _:
                    pass

    assert compared == 6


def test_the_guide_to_the_client_does_what_it_says(reader: Reader) -> None:
    """Each example of the guide prints the user that it calls as."""
    values: dict[str, str] = {}
    output = ""
    compared = 0
    with reader.shell() as shell:
        for block in find_blocks((_GUIDES / "python-client.md").read_text()):
            text = block.text.replace(_DEFAULT_ADDRESS, reader.base)
            for placeholder, value in values.items():
                text = text.replace(placeholder, value)
            match block.language:
                case "sh":
                    output = shell.run(text)
                    found = re.findall(r"^(api|client) (key|id|secret) +(\S+)$", output, re.MULTILINE)
                    values |= {f"<{whose}_{half}>": value for whose, half, value in found}
                case "python":
                    output = reader.python(text)
                case "json":
                    assert text.strip() == output.strip().splitlines()[-1], block
                    compared += 1
                case _:
                    pass

    assert compared == 3


def test_the_example_elsewhere_asks_the_server(tmp_path: Path) -> None:
    """The application that asks a server answers with the user, by the commands that the list of examples has."""
    listed = (ROOT / "examples" / "README.md").read_text()
    command = re.search(r"`(LATCHGATE_SERVER=[^`]*)`", listed)
    assert command is not None
    port = free_port()
    with reading(tmp_path, LATCHGATE_TRUSTED_PROXIES="127.0.0.1") as reader:
        reader.latchgate("rule", "create", "--path", "/health", "--allow-guest")
        reader.latchgate("rule", "create", "--path", "/*")
        (reader.folder / "examples").symlink_to(ROOT / "examples")
        text = command[1].replace(_DEFAULT_ADDRESS, reader.base).replace("9000", str(port))
        with _serving(text, reader.folder, reader, port):
            header = reader.latchgate("key", "generate", "Administrator", "--header").strip().partition(": ")[2]
            request = urllib.request.Request(f"http://127.0.0.1:{port}/whoami", headers={"Authorization": header})
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer) == {"user": "Administrator"}


def test_each_example_is_listed() -> None:
    """Every example has its line, and no line names one that is not there."""
    listed = re.findall(r"\]\(([a-z_]+\.py)\)", (ROOT / "examples" / "README.md").read_text())

    assert sorted(listed) == sorted(path.name for path in (ROOT / "examples").glob("*.py"))
