"""An instance on the disk with processes around it: some that serve from the cache, one that dies in a commit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.core.api_keys import Limits
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.users import UserOrder
from latchgate.settings import Settings

__all__ = ["Answer", "Reader", "TruthHouse", "kill_in_commit", "open_truth_house", "reading"]

USER = "ann@example.com"
_TESTS = Path(__file__).parents[1]
# Commits, and is killed before it has told anybody.
_DYING = """
import os, signal, sys
from pathlib import Path
from latchgate.bootstrap import open_latchgate
from latchgate.services.actors import COMMAND_LINE
from latchgate.settings import Settings
from latchgate.storage.generation import Generation

latchgate = open_latchgate(Settings(home=Path(sys.argv[1])))
Generation.raise_nonce = lambda generation: os.kill(os.getpid(), signal.SIGKILL)
latchgate.api_keys.revoke(COMMAND_LINE, sys.argv[2])
"""


class Answer(dict[str, object]):
    """What a reader answered."""

    @property
    def accepted(self) -> bool:
        """Whether the credential opened something."""
        return self["user"] is not None

    @property
    def remembered(self) -> bool:
        """Whether memory alone told."""
        return self["remembered"] is True


class Reader:
    """A process that serves from the cache."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.truth_reader", str(home)],
            cwd=_TESTS,
            env={**os.environ, "PYTHONPATH": str(_TESTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == {"ready": True}

    def ask(self, authorization: str) -> Answer:
        """Present a credential."""
        return Answer(self._send({"ask": authorization}))

    def wait_for_beats(self, count: int) -> None:
        """Return once its watcher has looked at the files so often."""
        assert self._send({"beats": count}) == {}

    def close(self) -> None:
        """End it, if it lives."""
        self.process.kill()
        self.process.communicate()

    def _send(self, asked: dict[str, object]) -> dict[str, object]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, object]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the reader ended with {self.process.wait()}")
        answered: dict[str, object] = json.loads(line)
        return answered


class TruthHouse:
    """An instance, and this process as one that writes to it."""

    def __init__(self, latchgate: Latchgate) -> None:
        self.latchgate = latchgate
        self.home = latchgate.settings.home
        path = latchgate.settings.database_path
        assert path is not None
        self.database = path
        self.generation = path.with_name(f"{path.name}-generation")

    def make_key(self) -> tuple[str, str]:
        """Make a key; tell its id and its header."""
        order = KeyOrder(limits=Limits(frozenset({"all"})))
        issued = self.latchgate.api_keys.generate(COMMAND_LINE, Owner("User", USER), order)
        return issued.key.key_id, f"token {issued.key.key_id}:{issued.secret.text}"

    def revoke(self, key_id: str) -> None:
        """Revoke a key; acknowledged when this returns."""
        self.latchgate.api_keys.revoke(COMMAND_LINE, key_id)


@contextmanager
def open_truth_house(home: Path) -> Iterator[TruthHouse]:
    """Make an instance with a user."""
    latchgate = open_latchgate(Settings(home=home, password_profile="cheapest"))
    try:
        latchgate.users.create(COMMAND_LINE, UserOrder(USER))
        yield TruthHouse(latchgate)
    finally:
        latchgate.close()


@contextmanager
def reading(house: TruthHouse, count: int = 2) -> Iterator[list[Reader]]:
    """Start so many readers."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Reader(house.home))) for _ in range(count)]


def kill_in_commit(house: TruthHouse, key_id: str) -> int:
    """Let a process revoke a key and be killed between commit and raise; tell its status."""
    return subprocess.run([sys.executable, "-c", _DYING, str(house.home), key_id], check=False).returncode
