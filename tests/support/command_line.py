"""The command line, in this process for speed or in one of its own where the process itself is what is tested."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.cli.commands import app
from latchgate.core.credentials import Presented
from latchgate.core.policy import SIGNED_IN
from latchgate.settings import load_settings

__all__ = ["CommandLine", "run_process", "start_process"]

_WAIT_SECONDS = 60


@dataclass(frozen=True)
class CommandLine:
    """Runs commands on one data folder."""

    home: Path

    def run(self, *arguments: str, stdin: str | None = None, code: int = 0) -> Result:
        """Run a command and compare its exit code; whatever goes wrong is one line that is no traceback."""
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        assert result.exit_code == code, f"{arguments}: {result.exit_code}\n{result.output}"
        assert "Traceback" not in result.output
        return result

    def lines(self, *arguments: str, stdin: str | None = None) -> list[str]:
        """Run a command and give the lines of its answer."""
        return self.run(*arguments, stdin=stdin).stdout.splitlines()

    def json(self, *arguments: str, stdin: str | None = None) -> Any:  # noqa: ANN401  # JSON of any form
        """Run a command with --json and give the one document that it prints."""
        return json.loads(self.run(*arguments, "--json", stdin=stdin).stdout)

    def refusal(self, *arguments: str, stdin: str | None = None, code: int = 1) -> str:
        """Run a command that is refused, and give what it says; the answer stays empty."""
        result = self.run(*arguments, stdin=stdin, code=code)
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        return result.stderr

    @contextmanager
    def opened(self) -> Iterator[Latchgate]:
        """Open the instance, as a server would."""
        with closing(open_latchgate(load_settings())) as latchgate:
            yield latchgate

    def whoami(self, authorization: str, source: str | None = None, address: str = "192.0.2.1") -> str:
        """Tell as whom a request with this header would run, or why it is refused."""
        sources = () if source is None else (source.encode(),)
        presented = Presented("GET", "/", address, (authorization.encode(),), sources)
        with self.opened() as latchgate:
            admission = latchgate.gate.admit(presented, SIGNED_IN)
        return admission.principal.user if admission.principal else str(admission.reason)


def start_process(*arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process and a session of its own, its three streams in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "latchgate", *arguments],
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def run_process(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Run a command to its end in a process of its own: exit code, standard output, standard error."""
    with start_process(*arguments) as process:
        stdout, stderr = process.communicate(stdin, timeout=_WAIT_SECONDS)
    return process.returncode, stdout, stderr
