"""Servers and load for the benchmarks: each pinned to a processor, each ended when its block ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from answer import ANSWER
from processes import Server

from latchgate.settings import Settings

__all__ = [
    "BOTH_CPUS",
    "LOAD_CPU",
    "SERVER_CPU",
    "Load",
    "Measured",
    "cli",
    "environment_of",
    "free_port",
    "machine",
    "measure",
    "require_wrk",
    "running",
    "serve_bare",
    "serve_empty",
    "serve_latchgate",
    "serve_nginx",
    "setting_is_known",
]

SERVER_CPU, LOAD_CPU, BOTH_CPUS = "0", "1", "0,1"
_START_SECONDS = 60
_STOP_SECONDS = 60
# Only in benchmarks: the throttle of wrong credentials would answer instead of what is measured.
_SETTINGS = {
    "LATCHGATE_CREDENTIAL_FAILURES_PER_MINUTE": "1000000",
    "LATCHGATE_ADMIN_PASSWORD": "for the benchmark",
    "LATCHGATE_WORKERS": "1",
}
_PACKAGES = {"wrk": "wrk", "nginx": "nginx-light"}


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
    cpus: str = LOAD_CPU


@dataclass(frozen=True)
class Measured:
    """What one run gave: requests a second, milliseconds at two quantiles, processor µs a request.

    `cpu_us` is that of the processes that serve, `beside_us` that of those beside them, such as the ingester.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    beside_us: float
    requests: int


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
    return _require("wrk")


def cli(home: Path, *arguments: str) -> dict[str, str]:
    """Run a command of an instance with --json and give its document."""
    command = [sys.executable, "-m", "latchgate", *arguments, "--json"]
    done = subprocess.run(command, env=environment_of(home, 0), capture_output=True, text=True, check=True)
    document: dict[str, str] = json.loads(done.stdout)
    return document


def setting_is_known(name: str) -> bool:
    """Whether this release has a setting, so that a row of a table can be left out where it has not."""
    return name in Settings.model_fields


def environment_of(home: Path, port: int, **settings: str) -> dict[str, str]:
    """Give the environment of an instance's commands; settings of whoever measures do not reach it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LATCHGATE_")}
    own = {"LATCHGATE_HOME": str(home), **({"LATCHGATE_PORT": str(port)} if port else {})}
    return kept | _SETTINGS | own | settings


@contextmanager
def serve_latchgate(
    home: Path, *, cpus: str = SERVER_CPU, without: tuple[str, ...] = (), **settings: str
) -> Iterator[Server]:
    """Serve an instance by one worker unless the settings say else.

    Args:
        home: Its data folder.
        cpus: The processors of the master, and so of all its children.
        without: Parts to leave out, as launch.py knows them, to measure what they cost.
        settings: Environment variables.
    """
    port = free_port()
    launched = (
        [str(Path(__file__).with_name("launch.py")), "--without", ",".join(without)] if without else ["-m", "latchgate"]
    )
    command = [sys.executable, *launched, "serve"]
    with running(command, environment_of(home, port, **settings), port, cpus=cpus) as server:
        yield server


@contextmanager
def serve_empty() -> Iterator[Server]:
    """Serve an empty ASGI application by uvicorn as it comes, with uvloop and httptools."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(Path(__file__).parent), "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "empty:empty"]
    with running(command, dict(os.environ), port) as server:
        yield server


@contextmanager
def serve_bare() -> Iterator[Server]:
    """Serve the same answer by a protocol that parses and writes, and does nothing else."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("bare.py")), str(port)]
    with running(command, dict(os.environ), port) as server:
        yield server


@contextmanager
def serve_nginx(config_name: str = "nginx.conf", **values: str) -> Iterator[Server]:
    """Serve by nginx: one process, connections kept, no log.

    Args:
        config_name: A file beside this one; by default it serves the same answer as the others.
        values: What stands there in @ by these names, beside the port and a folder.
    """
    nginx, port = _require("nginx"), free_port()
    with TemporaryDirectory() as folder:
        text = Path(__file__).with_name(config_name).read_text()
        own = {"PORT": str(port), "FOLDER": folder, "ANSWER_LINE": f"return 200 '{ANSWER.decode()}';"}
        for name, value in (own | values).items():
            text = text.replace(f"@{name}@", value)
        config = Path(folder) / "nginx.conf"
        config.write_text(text)
        command = [nginx, "-c", str(config), "-p", folder, "-e", "stderr"]
        with running(command, dict(os.environ), port) as server:
            yield server


def measure(wrk: str, load: Load, server: Server, seconds: float) -> Measured:
    """Ask for some seconds, from the other processor."""
    before = server.spent()
    document = _generate(wrk, load, seconds)
    spent = server.spent().since(before)
    requests = document["requests"]
    cpu_us, beside_us = (spent_seconds / requests * 1e6 for spent_seconds in (spent.serving, spent.beside))
    per_second = requests / document["seconds"]
    return Measured(per_second, document["p50_ms"], document["p99_ms"], cpu_us, beside_us, requests)


def _generate(wrk: str, load: Load, seconds: float) -> dict[str, float]:
    # wrk counts whole seconds.
    command = ["taskset", "-c", load.cpus, wrk, f"-t{load.threads}", f"-c{load.connections}"]
    command += [f"-d{max(1, round(seconds))}s", "--latency", *(["-H", load.header] if load.header else [])]
    with NamedTemporaryFile("w", suffix=".lua") as script:
        # The load generator takes one script.
        names = ("report.lua", *([load.script] if load.script else []))
        script.write("\n".join(Path(__file__).with_name(name).read_text() for name in names))
        script.flush()
        arguments = ["--", *load.arguments] if load.arguments else []
        command += ["-s", script.name, load.url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    document: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    if document["errors"] or document["timeouts"] or not document["requests"]:
        failed = f"{document['errors']:.0f} failed, {document['timeouts']:.0f} took more than two seconds"
        failed = f"Of {document['requests']:.0f} requests {failed}"
        sys.exit(f"{failed} at {load.url}\n{done.stdout}{done.stderr}")
    return document


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int, *, cpus: str = SERVER_CPU) -> Iterator[Server]:
    """Run a server on these processors, by default the first, until the block ends; give it once it answers."""
    process = subprocess.Popen(
        ["taskset", "-c", cpus, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_answers(process, port)
        yield Server(process.pid, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_SECONDS)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5):
                return
        except OSError:  # not there yet, or slow to answer while it begins
            time.sleep(0.005)
    sys.exit(f"A server for the benchmark did not start: {process.args!r}")


def _require(program: str) -> str:
    package = _PACKAGES[program]
    if not shutil.which(program) and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", package]):
            # Whatever it says: whether the program is there now is what counts.
            subprocess.run(["apt-get", *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    found = shutil.which(program)
    if not found:
        sys.exit(f"The benchmarks need {program}; install it (Debian: apt-get install {package}).")
    return found
