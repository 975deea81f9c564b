"""How many tokens a second: client credentials, refresh, introspection, beside django-oauth-toolkit, in alternation.

    python bench/oauth.py [--rounds 5] [--seconds 3]

The peer is installed into a temporary environment. It gets SQLite with the same write-ahead log and synchronous writes,
and keeps its clients' secrets as they are: by default it hashes them slowly, at each request.
Absolute figures say nothing on a machine that others use too; the ratio is of runs that followed each other at once.
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import Server
from servers import Load, Measured, cli, free_port, machine, measure, require_wrk, running, serve_latchgate

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.core.clients import GrantType, StoredClient
from latchgate.core.token_families import Approval, StoredCode
from latchgate.oauth.backing import CodeOrder, Issued, TokenOrder
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from latchgate.services.oauth_state import OAuthState
from latchgate.settings import load_settings

_PEER = ("django-oauth-toolkit", "gunicorn")
_CHAINS = 4
"""Connections that refresh, each with a token that goes on by itself."""
_USER = "ann@example.com"
_METHODS = "/api/method/frappe.integrations.oauth2"


@dataclass(frozen=True)
class Known:
    """What a server was prepared with."""

    machine: tuple[str, str]
    """Client id and secret of the one that runs by its own."""
    web: tuple[str, str]
    access: str
    refresh: tuple[str, ...]
    """A refresh token for each chain of each round."""


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    wrk = require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        home, peer_home = Path(folder) / "home", Path(folder) / "peer"
        python = _install_peer(peer_home)
        theirs = _prepare_peer(python, peer_home, options.rounds)
        with serve_latchgate(home) as server, _serve_peer(python, peer_home) as peer:
            known = _prepare(home, options.rounds)
            runs: dict[str, list[tuple[Measured, Measured]]] = {}
            for number in range(options.rounds):
                loads = _loads(
                    f"http://127.0.0.1:{server.port}{_METHODS}.", ("get_token", "introspect_token"), known, number
                )
                peers = _loads(f"http://127.0.0.1:{peer.port}/o/", ("token/", "introspect/"), theirs, number)
                for name, load in loads.items():
                    base = measure(wrk, peers[name], peer, options.seconds)
                    runs.setdefault(name, []).append((measure(wrk, load, server, options.seconds), base))
    _print(runs, options)


def _loads(base: str, names: tuple[str, str], known: Known, number: int) -> dict[str, Load]:
    token, introspect = (base + name for name in names)
    chains = known.refresh[number * _CHAINS : (number + 1) * _CHAINS]
    return {
        "client credentials": _post(token, known.machine, "grant_type=client_credentials&scope=read"),
        "refresh": _post(token, known.web, "grant_type=refresh_token", *chains),
        "introspection": _post(introspect, known.web, f"token={known.access}"),
    }


def _post(url: str, client: tuple[str, str], body: str, *chains: str) -> Load:
    pair = base64.b64encode(":".join(client).encode()).decode()
    return Load(url, "", "oauth.lua", (f"Basic {pair}", body, *chains), _CHAINS, _CHAINS if chains else 32)


def _prepare(home: Path, rounds: int) -> Known:
    cli(home, "user", "create", _USER, "--first-name", "Ann")
    latchgate = open_latchgate(load_settings({"home": home}), create=False)
    scopes = frozenset({"read"})
    own = ClientOrder("machine", grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), scopes=scopes, user=_USER)
    web = ClientOrder("web", ("https://app.example/cb",), scopes=scopes)
    made = [latchgate.clients.create(COMMAND_LINE, order) for order in (own, web)]
    pairs = [(one.client.client_id, one.secret.text) for one in made if one.secret]
    issued = [_issue(latchgate, made[1].client) for _ in range(rounds * _CHAINS)]
    latchgate.close()
    refresh = tuple(one.refresh_token.text for one in issued if one.refresh_token)
    return Known(pairs[0], pairs[1], issued[0].access_token.text, refresh)


def _issue(latchgate: Latchgate, client: StoredClient) -> Issued:
    tokens = latchgate.tokens
    with latchgate.store.write() as tx:
        state = OAuthState(tx, tokens.peppers, tokens.clock, tokens.entropy, tokens.lifetimes, "")
        user = latchgate.users.get(_USER)
        approval = Approval(client.scopes, frozenset(), tokens.clock.now())
        code = state.make_code(
            CodeOrder(
                client=client,
                user=user,
                auth_time=approval.auth_time,
                redirect_uri=client.redirect_uris[0],
                redirect_uri_given=True,
                scopes=client.scopes,
                audience=frozenset(),
                code_challenge="",
                nonce="",
            )
        )
        found: StoredCode | None = state.find_code(code.text, client)
        issued = state.issue(TokenOrder(client, user, client.scopes, frozenset(), found, refreshable=True))
    if issued is None:
        raise AssertionError("a fresh code gives tokens")
    return issued


def _install_peer(folder: Path) -> Path:
    print("Installing the peer ...", file=sys.stderr)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "--quiet", "--quiet", "install", *_PEER], check=True)
    return python


def _prepare_peer(python: Path, folder: Path, rounds: int) -> Known:
    script = str(Path(__file__).with_name("peer_django.py"))
    command = [str(python), script, str(folder), str(rounds * _CHAINS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    document = json.loads(done.stdout)
    return Known(tuple(document["machine"]), tuple(document["web"]), document["access"], tuple(document["refresh"]))


@contextmanager
def _serve_peer(python: Path, folder: Path) -> Iterator[Server]:
    """Serve the peer by one worker with four threads."""
    port = free_port()
    command = [str(python), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--keep-alive", "60"]
    command += ["--pythonpath", str(Path(__file__).parent), f"peer_django:application({str(folder)!r})"]
    with running(command, dict(os.environ), port) as server:
        yield server


def _print(runs: dict[str, list[tuple[Measured, Measured]]], options: argparse.Namespace) -> None:
    print(
        f"{machine()}. One worker on one processor, wrk on the other (32 connections; {_CHAINS} that refresh), SQLite"
    )
    print(
        f"with synchronous writes; medians of {options.rounds} rounds of {options.seconds} s, each beside the peer.\n"
    )
    print("| a second | Latchgate | p50 / p99 ms | django-oauth-toolkit | p50 / p99 ms | ratio |")
    print("|---|---:|---|---:|---|---:|")
    for name, pairs in runs.items():
        ratio = statistics.median(own.per_second / base.per_second for own, base in pairs)
        print(f"| {name} {_row([own for own, _ in pairs])} {_row([base for _, base in pairs])}| {ratio:.1f} |")


def _row(measured: list[Measured]) -> str:
    median = statistics.median
    latencies = f"{median(one.p50_ms for one in measured):.1f} / {median(one.p99_ms for one in measured):.1f}"
    return f"| {median(one.per_second for one in measured):,.0f} | {latencies} "


if __name__ == "__main__":
    main()
