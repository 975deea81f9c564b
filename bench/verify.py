"""How fast `get_logged_user` answers, beside the same server with an empty ASGI application, in alternation.

    python bench/verify.py [--rounds 5] [--seconds 3]

Absolute figures say nothing on a machine that others use too; the ratio is of runs that followed each other at once.
"""

import argparse
import base64
import statistics
import tempfile
from pathlib import Path

from servers import Load, Measured, cli, machine, measure, require_wrk, serve_empty, serve_latchgate

from latchgate.bootstrap import open_latchgate
from latchgate.core.tokens import Secret, TokenKind, entropy_bytes, issue_token
from latchgate.services.access_tokens import TokenOrder
from latchgate.services.actors import COMMAND_LINE
from latchgate.settings import load_settings

_PATH = "/api/method/frappe.auth.get_logged_user"
_TOKEN_SECONDS = 3600


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    wrk = require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with serve_latchgate(home) as (port, pid), serve_empty() as (empty_port, empty_pid):
            loads = {scheme: Load(f"http://127.0.0.1:{port}{_PATH}", header) for scheme, header in _headers(home)}
            empty = Load(f"http://127.0.0.1:{empty_port}/")
            runs: dict[str, list[tuple[Measured, Measured]]] = {scheme: [] for scheme in loads}
            for _ in range(options.rounds):
                for scheme, load in loads.items():
                    base = measure(wrk, empty, empty_pid, options.seconds)
                    runs[scheme].append((measure(wrk, load, pid, options.seconds), base))
    _print(runs, options)


def _headers(home: Path) -> list[tuple[str, str]]:
    cli(home, "user", "create", "api@example.com", "--first-name", "Api")
    key = cli(home, "key", "generate", "api@example.com")
    pair = f"{key['api_key']}:{key['api_secret']}"
    return [
        ("token", f"Authorization: token {pair}"),
        ("Basic", f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"),
        ("Bearer", f"Authorization: Bearer {_import_token(home)}"),
    ]


def _import_token(home: Path) -> str:
    # By the service itself: issuing access tokens comes with OAuth 2.
    latchgate = open_latchgate(load_settings({"home": home}), create=False)
    kind = TokenKind.ACCESS_TOKEN
    token = issue_token(kind, latchgate.access_tokens.entropy.random_bytes(entropy_bytes(kind)))
    expires_at = latchgate.clock.now() + _TOKEN_SECONDS
    order = TokenOrder(Secret(token), "api@example.com", "benchmark", frozenset({"all"}), expires_at)
    latchgate.access_tokens.import_token(COMMAND_LINE, order)
    latchgate.close()
    return token


def _print(runs: dict[str, list[tuple[Measured, Measured]]], options: argparse.Namespace) -> None:
    print(f"{machine()}. One worker on one processor, wrk with 32 connections on the other;")
    print(f"medians of {options.rounds} rounds of {options.seconds} s, each beside a run of the empty application.\n")
    print("| `get_logged_user` | requests/s | p50 / p99 ms | processor µs | of the empty application |")
    print("|---|---:|---|---:|---:|")
    for scheme, pairs in runs.items():
        ratio = statistics.median(own.per_second / base.per_second for own, base in pairs)
        print(f"| {scheme} {_row([own for own, _ in pairs])} {ratio:.2f} |")
    print(f"| empty application {_row([base for pairs in runs.values() for _, base in pairs])} 1 |")


def _row(measured: list[Measured]) -> str:
    median = statistics.median
    latencies = f"{median(one.p50_ms for one in measured):.2f} / {median(one.p99_ms for one in measured):.2f}"
    per_second = median(one.per_second for one in measured)
    return f"| {per_second:,.0f} | {latencies} | {median(one.cpu_us for one in measured):.0f} |"


if __name__ == "__main__":
    main()
