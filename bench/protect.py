"""What it costs nginx to ask Latchgate before each request, beside asking nobody, and asking one that always says yes.

    python bench/protect.py [--rounds 5] [--seconds 3]

nginx serves a small file: alone, with a password of its own (`auth_basic`), asking Latchgate (`auth_request`, answered
by the fast lane, with the log), and asking another nginx that answers an empty 204: asking cannot cost less. nginx and
whoever it asks have one processor together, the load generator the other one. Absolute figures say nothing on a machine
that others use too; the ratio is of runs that followed each other at once.
"""

import base64
import hashlib
import tempfile
from contextlib import ExitStack
from pathlib import Path

from instances import make_instance
from report import Aim, Table, columns, finish, judge, options_of, ratio_of
from servers import Load, Measured, cli, measure, require_wrk, serve_latchgate, serve_nginx

_OF_YES = 0.6
_WARM_UP_SECONDS = 1
_HEAD = ("nginx serves a file", "requests/s", "p50 / p99 ms", "processor µs", "beside it µs", "of the last")
_WAYS = {
    "alone": "and asks nobody",
    "password": "with `auth_basic` (SHA-1)",
    "latchgate": "with `auth_request` to Latchgate",
    "yes": "with `auth_request` to an empty 204",
}
_PASSWORD = "benchmark"


def main() -> None:
    """Measure and print a table in Markdown."""
    options = options_of(__doc__)
    wrk = require_wrk()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home, site = folder / "home", _make_site(folder / "site")
        credentials = make_instance(home)
        cli(home, "rule", "create", "--path", "/*")
        latchgate = stack.enter_context(serve_latchgate(home, LATCHGATE_TRUSTED_PROXIES="127.0.0.1"))
        yes = stack.enter_context(serve_nginx(ANSWER_LINE="return 204;"))
        ports = {"LATCHGATE": str(latchgate.port), "YES": str(yes.port)}
        nginx = stack.enter_context(serve_nginx("protect.conf", SITE=str(site), **ports))
        pair = base64.b64encode(f"{_PASSWORD}:{_PASSWORD}".encode()).decode()
        headers = {"alone": "", "password": f"Authorization: Basic {pair}"}
        loads = {
            way: Load(f"http://127.0.0.1:{nginx.port}/{way}/file.txt", headers.get(way, credentials.token))
            for way in _WAYS
        }
        asked = {"latchgate": latchgate, "yes": yes}
        for way, load in loads.items():
            measure(wrk, load, asked.get(way, nginx), _WARM_UP_SECONDS)
        runs: dict[str, list[Measured]] = {way: [] for way in _WAYS}
        for _ in range(options.rounds):
            for way, load in loads.items():
                runs[way].append(measure(wrk, load, asked.get(way, nginx), options.seconds))
    caption = (
        "One processor for nginx and whoever it asks, wrk with 32 connections on the other; medians of "
        f"{options.rounds} rounds of {options.seconds:g} s. Processor time is that of whoever is asked, else nginx's."
    )
    rows = tuple(
        (label, *columns(runs[way]), f"{ratio_of(runs[way], runs['yes']):.2f}") for way, label in _WAYS.items()
    )
    measured = ratio_of(runs["latchgate"], runs["yes"])
    aim = Aim(
        "a request through nginx that asks `/auth/verify`, of one that asks an empty 204",
        f"at least {_OF_YES}",
        judge(measured, _OF_YES),
    )
    finish(options, [Table(caption, _HEAD, rows)], [aim])


def _make_site(site: Path) -> Path:
    site.mkdir(mode=0o755)
    site.parent.chmod(0o755)
    (site / "file.txt").write_text("a small file\n")
    digest = base64.b64encode(hashlib.sha1(_PASSWORD.encode()).digest()).decode()  # noqa: S324  # what nginx knows
    (site / "passwords").write_text(f"{_PASSWORD}:{{SHA}}{digest}\n")
    return site


if __name__ == "__main__":
    main()
