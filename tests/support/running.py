"""A really running Latchgate: `latchgate serve` in a process of its own, with its command line beside it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

__all__ = ["RunningLatchgate", "free_port"]

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningLatchgate:
    """One instance in a data folder; it may be started, killed and started again."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.output = home.parent / f"{home.name}-output.txt"
        self._settings = {
            "LATCHGATE_PASSWORD_PROFILE": "cheapest",
            # Each request is looked up by its row, refused ones too, and all come from one address.
            "LATCHGATE_LOG_REFUSALS_PER_ADDRESS": "1000000",
            "LATCHGATE_LOG_REFUSALS": "1000000",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command of this instance."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LATCHGATE_")}
        own = {"LATCHGATE_HOME": str(self.home), "LATCHGATE_PORT": str(self.port)}
        return {**kept, **own, **self._settings}

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> "RunningLatchgate":
        """Start the server and wait until it answers."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*_command(), "serve"], env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.base}/livez", timeout=5):
                    return self
            except OSError:  # not there yet, or slow to answer while it begins
                time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the server did not start:\n{self.output.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the server by a signal and tell its exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End the server as a power cut of the process would, at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of this instance, with this on its standard input."""
        return subprocess.run(
            [*_command(), *arguments],
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def ask(self, *arguments: str, typed: str = "") -> Any:  # noqa: ANN401  # whatever the command prints
        """Run a command with --json, which must succeed, and give its document."""
        done = self.run(*arguments, "--json", typed=typed)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return json.loads(done.stdout)


def _command() -> list[str]:
    return [sys.executable, "-m", "latchgate"]
