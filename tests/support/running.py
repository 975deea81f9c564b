"""A really running Latchgate: `latchgate serve` in processes of its own, with its command line beside it."""

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

from support.families import find_children, has_open, kill_family
from support.ready_commands import run_ready

__all__ = ["RunningLatchgate", "free_port"]

_EVENTS = "anon_inode:[eventpoll]"
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
            "LATCHGATE_WORKERS": "1",
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
        """The process id of the master: the process that was started, and that signals go to."""
        assert self._process is not None
        return self._process.pid

    @property
    def children(self) -> list[int]:
        """The process ids of what the master forked, the oldest first."""
        return find_children(self.pid)

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers, the oldest first: those that wait for events and have opened the accounts.

        The ingester opens the database of accounts too, to know what is decided there, and waits for no events.
        """
        return [pid for pid in self.children if has_open(pid, _EVENTS) and has_open(pid, "latchgate.db")]

    def start(self) -> "RunningLatchgate":
        """Start the server and wait until it answers."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "latchgate", "serve"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
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
        """End the server and all its processes as a power cut would, at once."""
        if self._process is not None:
            kill_family(self._process)

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of this instance, with this on its standard input."""
        return run_ready(arguments, self.environment, typed)

    def ask(self, *arguments: str, typed: str = "") -> Any:  # noqa: ANN401  # whatever the command prints
        """Run a command with --json, which must succeed, and give its document."""
        done = self.run(*arguments, "--json", typed=typed)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return json.loads(done.stdout)
