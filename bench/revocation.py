"""How long it takes until a revocation is acknowledged, over HTTP and by the service in another process.

    python bench/revocation.py [--rounds 5] [--seconds 3] [--keys 100]

In each round so many keys are revoked in each way, one after the other, while nobody asks anything and while wrk asks
as much as the server answers. Right after each acknowledgement the key is presented once more, and must be refused.
"""

import http.client
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from instances import LOGGED_USER, USER, make_instance
from processes import Server
from report import Aim, Table, finish, judge, options_of
from servers import LOAD_CPU, require_wrk, serve_latchgate

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.users import UserOrder
from latchgate.settings import load_settings

_MOST_MS = 10.0
_MANAGER = "manager@example.com"
_UNAUTHORIZED, _ACCEPTED = 401, 202


@dataclass(frozen=True)
class Bench:
    """What the rounds share: a server, its instance opened beside it, a connection, a manager's header."""

    server: Server
    latchgate: Latchgate
    connection: http.client.HTTPConnection
    manager: str

    def ask(self, authorization: str, method: str = "GET", path: str = LOGGED_USER) -> int:
        """Send a request and give the answer's status."""
        self.connection.request(method, path, headers={"Authorization": authorization})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def new_key(self, user: str = USER) -> tuple[str, str]:
        """Make a key; give its id and the header's value."""
        issued = self.latchgate.api_keys.generate(COMMAND_LINE, Owner("User", user), KeyOrder("to be revoked"))
        return issued.key.key_id, f"token {issued.key.key_id}:{issued.secret.text}"

    def revoke_over_http(self, key_id: str) -> None:
        """End a key as a manager's program does."""
        status = self.ask(self.manager, "DELETE", f"/api/resource/{quote('API Key')}/{key_id}")
        if status != _ACCEPTED:
            raise SystemExit(f"A key could not be revoked: {status}.")

    def revoke_by_service(self, key_id: str) -> None:
        """End a key as the command line does, in this process."""
        self.latchgate.api_keys.revoke(COMMAND_LINE, key_id)


def main() -> None:
    """Measure and print tables in Markdown."""
    options = options_of(__doc__, keys=100)
    wrk = require_wrk()
    taken: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        header = make_instance(home).token
        with serve_latchgate(home) as server, _opened(server, home) as bench:
            ways = {"HTTP": bench.revoke_over_http, "service": bench.revoke_by_service}
            for _ in range(options.rounds):
                for name, revoke in ways.items():
                    taken.setdefault((name, "idle"), []).extend(_times(bench, revoke, options.keys))
                    with _under_load(wrk, server, header):
                        taken.setdefault((name, "under load"), []).extend(_times(bench, revoke, options.keys))
    rows = [
        (f"{name}, {how}", *(f"{_quantile(times, of):.1f}" for of in (50, 99))) for (name, how), times in taken.items()
    ]
    caption = f"{options.rounds} times {options.keys} keys in each way, from the first byte of the call to its end."
    worst = max(_quantile(times, 99) for times in taken.values())
    each = ", ".join(f"{name} {how} {_quantile(times, 99):.1f}" for (name, how), times in taken.items())
    aim = Aim(
        "revocation acknowledged, p99 on one host",
        f"under {_MOST_MS:.0f} ms",
        f"{judge(worst, most=_MOST_MS, form='{:.1f} ms')} ({each})",
    )
    finish(options, [Table(caption, ("revocation", "p50 ms", "p99 ms"), tuple(rows))], [aim])


@contextmanager
def _opened(server: Server, home: Path) -> Iterator[Bench]:
    latchgate = open_latchgate(load_settings({"home": home}), create=False)
    with closing(latchgate), closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        latchgate.users.create(COMMAND_LINE, UserOrder(_MANAGER, roles=frozenset({"System Manager"})))
        bench = Bench(server, latchgate, connection, "")
        yield Bench(server, latchgate, connection, bench.new_key(_MANAGER)[1])


@contextmanager
def _under_load(wrk: str, server: Server, header: str) -> Iterator[None]:
    command = ["taskset", "-c", LOAD_CPU, wrk, "-t1", "-c32", "-d3600s", "-H", header]
    process = subprocess.Popen([*command, f"http://127.0.0.1:{server.port}{LOGGED_USER}"], stdout=subprocess.DEVNULL)
    try:
        # It has begun when the server is busy.
        before = server.spent()
        while server.spent().since(before).serving < 0.1:  # noqa: PLR2004  # a tenth of a second, in ten ticks
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait()


def _times(bench: Bench, revoke: Callable[[str], None], count: int) -> list[float]:
    """Revoke keys that were let in just before; give how long each took, in milliseconds."""
    taken = []
    for _ in range(count):
        key_id, authorization = bench.new_key()
        bench.ask(authorization)
        started = time.perf_counter()
        revoke(key_id)
        taken.append((time.perf_counter() - started) * 1000)
        if bench.ask(authorization) != _UNAUTHORIZED:
            raise SystemExit("A key opened something after its revocation was acknowledged.")
    return taken


def _quantile(times: list[float], of: int) -> float:
    return statistics.quantiles(times, n=100)[of - 1]


if __name__ == "__main__":
    main()
