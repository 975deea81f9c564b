"""Servers and load for the benchmarks: each pinned to a processor, each ended when its block ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

__all__ = [
    "Load",
    "Measured",
    "cli",
    "free_port",
    "machine",
    "measure",
    "require_wrk",
    "running",
    "serve_empty",
    "serve_latchgate",
]

_SERVER_CPU, _LOAD_CPU = "0", "1"
_START_SECONDS = 30
# Only in benchmarks: the throttle of wrong credentials would answer instead of what is measured.
_SETTINGS = {"LATCHGATE_CREDENTIAL_FAILURES_PER_MINUTE": "1000000", "LATCHGATE_ADMIN_PASSWORD": "for the benchmark"}


@dataclass(frozen=True)
class Load:
    """What to ask: an address and a header, or what a script of the load generator makes of its arguments."""

    url: str
    header: str = ""
    script: str = ""
    """A file beside this one."""
    arguments: tuple[str, ...] = ()
    threads: int = 1
    connections: int = 32


@dataclass(frozen=True)
class Measured:
    """What one run gave: requests a second, milliseconds at two quantiles, processor µs a request of the server."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def machine() -> str:
    """Name the machine, as a table's caption."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} processors, Linux {os.uname().release}, CPython {sys.version.split()[0]}"


def require_wrk() -> str:
    """Find the load generator wrk, installing Debian's package where that is possible."""
    if not shutil.which("wrk") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=False, stdout=subprocess.DEVNULL)
    found = shutil.which("wrk")
    if not found:
        sys.exit("The benchmarks need the load generator wrk; install it (Debian: apt-get install wrk).")
    return found


def cli(home: Path, *arguments: str) -> dict[str, str]:
    """Run a command of an instance with --json and give its document."""
    environment = os.environ | {"LATCHGATE_HOME": str(home)}
    command = [sys.executable, "-m", "latchgate", *arguments, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    document: dict[str, str] = json.loads(done.stdout)
    return document


@contextmanager
def serve_latchgate(home: Path) -> Iterator[tuple[int, int]]:
    """Serve an instance; give its port and process id."""
    port = free_port()
    environment = os.environ | {"LATCHGATE_HOME": str(home), "LATCHGATE_PORT": str(port)} | _SETTINGS
    with running([sys.executable, "-m", "latchgate", "serve"], environment, port) as pid:
        yield port, pid


@contextmanager
def serve_empty() -> Iterator[tuple[int, int]]:
    """Serve an empty ASGI application on the same protocol; give its port and process id."""
    port = free_port()
    script = str(Path(__file__).with_name("empty.py"))
    with running([sys.executable, script, str(port)], dict(os.environ), port) as pid:
        yield port, pid


def measure(wrk: str, load: Load, pid: int, seconds: int) -> Measured:
    """Ask for some seconds, from the other processor."""
    before = _cpu_seconds(pid)
    command = ["taskset", "-c", _LOAD_CPU, wrk, f"-t{load.threads}", f"-c{load.connections}", f"-d{seconds}s"]
    command += ["--latency", *(["-H", load.header] if load.header else [])]
    with NamedTemporaryFile("w", suffix=".lua") as script:
        # The load generator takes one script.
        names = ("report.lua", *([load.script] if load.script else []))
        script.write("\n".join(Path(__file__).with_name(name).read_text() for name in names))
        script.flush()
        arguments = ["--", *load.arguments] if load.arguments else []
        command += ["-s", script.name, load.url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout.strip().splitlines()[-1])
    if document["errors"] or document["timeouts"]:
        failed = f"{document['errors']} requests failed and {document['timeouts']} took more than two seconds"
        sys.exit(f"{failed} at {load.url}")
    cpu_us = (_cpu_seconds(pid) - before) / document["requests"] * 1e6
    return Measured(document["requests"] / document["seconds"], document["p50_ms"], document["p99_ms"], cpu_us)


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int) -> Iterator[int]:
    """Run a server on the first processor until the block ends; give its process id once it answers."""
    process = subprocess.Popen(
        ["taskset", "-c", _SERVER_CPU, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_answers(process, port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    sys.exit("A server for the benchmark did not start.")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
