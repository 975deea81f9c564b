"""Whether time tells an unknown key from a known key with a wrong secret.

    python bench/timing.py [--pairs 4000]

Both are asked in alternation over one connection. What counts is the difference of the medians beside the spread of
each, and beside the difference that two halves of the very same question show.
"""

import argparse
import http.client
import statistics
import tempfile
import time
from pathlib import Path

from servers import cli, machine, serve_latchgate

from latchgate.core.tokens import TokenKind, entropy_bytes, issue_token

_PATH = "/api/method/frappe.auth.get_logged_user"
_WARM_UP = 200


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with serve_latchgate(home) as server:
            cli(home, "user", "create", "api@example.com")
            key = cli(home, "key", "generate", "api@example.com")["api_key"]
            unknown = _unknown_key()
            wrong = "token {}:" + "x" * 43
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            kinds = {"wrong secret": wrong.format(key), "unknown key": wrong.format(unknown)}
            kinds["wrong secret, again"] = kinds["wrong secret"]
            for header in list(kinds.values()) * _WARM_UP:
                _ask(connection, header)
            taken: dict[str, list[float]] = {kind: [] for kind in kinds}
            for _ in range(options.pairs):
                for kind, header in kinds.items():
                    taken[kind].append(_ask(connection, header))
    print(f"{machine()}. {options.pairs} of each, in turn, over one connection.\n")
    print("| question | median µs | quartiles µs | of a wrong secret |")
    print("|---|---:|---|---:|")
    base = statistics.median(taken["wrong secret"])
    for kind, seconds in taken.items():
        low, middle, high = statistics.quantiles(seconds, n=4)
        print(f"| {kind} | {middle * 1e6:.1f} | {low * 1e6:.1f} – {high * 1e6:.1f} | {middle / base:.3f} |")


def _unknown_key() -> str:
    return issue_token(TokenKind.KEY_ID, b"\x5a" * entropy_bytes(TokenKind.KEY_ID))


def _ask(connection: http.client.HTTPConnection, header: str) -> float:
    started = time.perf_counter()
    connection.request("GET", _PATH, headers={"Authorization": header})
    response = connection.getresponse()
    response.read()
    taken = time.perf_counter() - started
    if response.status != http.HTTPStatus.UNAUTHORIZED:
        raise SystemExit(f"expected 401, got {response.status}")
    return taken


if __name__ == "__main__":
    main()
