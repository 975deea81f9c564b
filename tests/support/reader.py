"""Somebody who works through a document: in a folder like a clone, with a running server and a shell."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

__all__ = ["Reader", "Shell", "reading"]

_PATIENCE_SECONDS = 60.0
_DONE = "-- block done --"
# Reads the name of one file after the other, so that the commands in them find nothing on their standard input.
# The empty line before the mark: what curl prints does not end in one.
_LOOP = f"set -eu; while read -r block; do . \"$block\" </dev/null; printf '\\n{_DONE}\\n'; done"


@dataclass
class Reader:
    """What a reader has: a folder that looks like a clone after `make serve`, and the server's address."""

    folder: Path
    base: str
    """Where the server is reached."""
    environment: dict[str, str] = field(repr=False)

    def latchgate(self, *arguments: str, text: str = "") -> str:
        """Run a command, and return what it printed."""
        done = subprocess.run(
            [".venv/bin/latchgate", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def python(self, script: str) -> str:
        """Run a script, and return what it printed."""
        (self.folder / "whoami.py").write_text(script)
        done = subprocess.run(
            [".venv/bin/python", "whoami.py"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def shell(self) -> Iterator["Shell"]:
        """Open a shell, which remembers variables from block to block."""
        with (self.folder / "stderr.txt").open("w") as errors:
            process = subprocess.Popen(
                ["sh", "-c", _LOOP],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            yield Shell(process, self.folder)
        finally:
            process.communicate(timeout=_PATIENCE_SECONDS)


@dataclass
class Shell:
    """A shell that stops at the first command that fails."""

    process: subprocess.Popen[str]
    folder: Path

    def run(self, commands: str) -> str:
        """Run a block, and return what it printed on standard output."""
        block = self.folder / "block.sh"
        block.write_text(commands)
        _pipe(self.process.stdin).write(f"{block}\n")
        _pipe(self.process.stdin).flush()
        lines: list[str] = []
        for line in _pipe(self.process.stdout):
            if line.strip() == _DONE:
                return "".join(lines)
            lines.append(line)
        errors = (self.folder / "stderr.txt").read_text()
        pytest.fail(f"a command failed:\n{commands}\n{''.join(lines)}\n{errors}")


@contextmanager
def reading(folder: Path, **settings: str) -> Iterator[Reader]:
    """Let a server run as in a reader's first terminal.

    `make serve` would make an environment of its own, which takes minutes: the command that it ends in runs instead,
    from the environment of the tests, on a free port. No packages are fetched.
    """
    (folder / ".venv").symlink_to(sys.prefix)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LATCHGATE_")}
    environment |= {
        "LATCHGATE_HOME": str(folder / "data"),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **settings,
    }
    printed = folder / "serve.txt"
    with printed.open("w") as output:
        server = subprocess.Popen(
            [".venv/bin/latchgate", "serve", "--port", "0"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Reader(folder, _wait_for_address(server, printed), environment)
    finally:
        server.terminate()
        server.wait(_PATIENCE_SECONDS)


def _wait_for_address(server: subprocess.Popen[bytes], printed: Path) -> str:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:[1-9][0-9]*", printed.read_text())
        if found:
            return found[0]
        time.sleep(0.02)
    pytest.fail(f"the server does not serve: {printed.read_text()}")


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
