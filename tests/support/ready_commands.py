"""Commands in processes of their own that begin at once: forked from one process that has loaded all of them before.

A command that begins from nothing spends a second of the processor on what it loads. What is tested there, tests/cli
tests; elsewhere commands only prepare what is tested, or look at it.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO

__all__ = ["run_ready"]

_PATIENCE_SECONDS = 120.0
_REQUEST_BYTES_MAX = 150_000
_STREAMS = 3


def run_ready(arguments: Sequence[str], environment: dict[str, str], typed: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with this on its standard input, and give its exit code and what it printed."""
    request = json.dumps({"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}).encode()
    assert len(request) < _REQUEST_BYTES_MAX
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as printed,
        tempfile.TemporaryFile("w+") as told,
    ):
        given.write(typed)
        given.seek(0)
        code = _order(request, (given, printed, told))
        printed.seek(0)
        told.seek(0)
        return subprocess.CompletedProcess(["latchgate", *arguments], code, printed.read(), told.read())


def _order(request: bytes, streams: tuple[IO[str], ...]) -> int:
    answer, theirs = socket.socketpair()
    with answer:
        with theirs:
            socket.send_fds(_ready_process(), [request], [*(stream.fileno() for stream in streams), theirs.fileno()])
        pid = int(_receive(answer))
        try:
            return int(_receive(answer))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise


def _receive(answer: socket.socket) -> bytes:
    if not select.select([answer], [], [], _PATIENCE_SECONDS)[0]:
        raise TimeoutError("the command does not end")
    received = answer.recv(8)
    assert received, "the process that commands are forked from is gone"
    return received


@cache
def _ready_process() -> socket.socket:
    """Start the process that commands are forked from; it ends with the last who can order from it."""
    orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "support.ready_commands", str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def end() -> None:
        orders.close()
        process.wait()

    atexit.register(end)
    return orders


def _load() -> None:
    commands = importlib.import_module("latchgate.cli")
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"latchgate.cli.{module.name}")
    # What the commands themselves load only when they run.
    for name in ("latchgate.bootstrap", "alembic.command", "alembic.script", "cryptography.fernet", "joserfc.jwk"):
        importlib.import_module(name)
    gc.freeze()


def _take_order(orders: socket.socket) -> bool:
    """Wait for an order; True in the process that is to run it, False once there are no more."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(orders, _REQUEST_BYTES_MAX, _STREAMS + 1)
        if not request:
            return False
        if os.fork() == 0:
            orders.close()
            if _is_command(descriptors[-1]):
                _become(json.loads(request), descriptors)
                return True
        for descriptor in descriptors:
            os.close(descriptor)


def _is_command(answer: int) -> bool:
    """Fork once more; here wait for the command, tell its process id and how it ended, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        return True
    # The reader takes eight bytes at a time.
    os.write(answer, b"%8d" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(answer, b"%8d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(order: dict[str, object], descriptors: Sequence[int]) -> None:
    arguments, environment = order["arguments"], order["environment"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    for number, descriptor in enumerate(descriptors[:_STREAMS]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(order["folder"]))
    sys.argv[:] = ["latchgate", *arguments]
    # Or it would be called by the name of this module in what it says of itself.
    sys.modules["__main__"].__package__ = None


def _main() -> None:
    _load()
    # Those that wait for commands are waited for by nobody.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if _take_order(socket.socket(fileno=int(sys.argv[1]))):
        importlib.import_module("latchgate.cli.app").main()


if __name__ == "__main__":
    _main()
