"""What embedded middleware costs: FastAPI with Latchgate before it beside FastAPI alone, in turns, in one process.

    python bench/embed.py [--rounds 9] [--requests 3000]

No socket and no server: the application is called as a server calls it, and the processor time of this thread is
counted, so that other programs of the machine matter little.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from instances import USER, make_instance
from report import Aim, Table, finish, judge, options_of

from latchgate.middleware import PUBLIC, Identity
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.fastapi import require
from latchgate.middleware.local import LocalKeeper
from latchgate.settings import load_settings

_MOST_US = 60.0
Application = Callable[[Any, Any, Any], Awaitable[None]]


def _plain() -> FastAPI:
    app = FastAPI()

    @app.get("/whoami")
    async def whoami() -> dict[str, str]:
        return {"user": USER}

    return app


def _with_dependency(keeper: LocalKeeper) -> FastAPI:
    app = FastAPI()
    app.add_middleware(AsgiMiddleware, requires=PUBLIC, keeper=keeper)

    @app.get("/whoami")
    async def whoami(identity: Annotated[Identity, Depends(require(scope="*"))]) -> dict[str, str]:
        return {"user": identity.user}

    return app


async def _spend(application: Application, scope: dict[str, Any], requests: int) -> float:
    """Ask so many times; tell the processor's microseconds for each."""
    statuses = set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    began = time.thread_time()
    for _ in range(requests):
        await application({**scope, "state": {}}, receive, send)
    spent = time.thread_time() - began
    if statuses != {200}:
        raise AssertionError(f"answers were {statuses}")
    return spent / requests * 1_000_000


async def _measure(home: Path, authorization: str, rounds: int, requests: int) -> dict[str, list[float]]:
    keeper = LocalKeeper(load_settings({"home": home}))
    keeper.open()
    plain = _plain()
    applications: dict[str, Application] = {
        "FastAPI alone": plain,
        "with the middleware": AsgiMiddleware(plain, keeper=keeper),
        "with the middleware, and `require(…)` at the route": _with_dependency(keeper),
    }
    headers = [(b"host", b"127.0.0.1"), (b"user-agent", b"wrk"), (b"authorization", authorization.encode())]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
    scope |= {"path": "/whoami", "raw_path": b"/whoami", "query_string": b"", "root_path": "", "headers": headers}
    scope |= {"client": ("127.0.0.1", 5000), "server": ("127.0.0.1", 8000)}
    found: dict[str, list[float]] = {name: [] for name in applications}
    try:
        for _ in range(rounds + 1):
            for name, application in applications.items():
                found[name].append(await _spend(application, scope, requests))
    finally:
        keeper.close()
    # The first round is for what is loaded and remembered at first.
    return {name: runs[1:] for name, runs in found.items()}


def main() -> None:
    """Measure and print a table in Markdown."""
    options = options_of(__doc__, rounds=9, requests=3000)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        authorization = make_instance(home).token.partition(": ")[2]
        found = asyncio.run(_measure(home, authorization, options.rounds, options.requests))
    base = found["FastAPI alone"]
    more = {
        name: statistics.median(own - alone for own, alone in zip(runs, base, strict=True))
        for name, runs in found.items()
    }
    rows = tuple((name, f"{statistics.median(runs):.1f}", f"{more[name]:.1f}") for name, runs in found.items())
    caption = (
        f"Processor time of one request, in one process; medians of {options.rounds} rounds of {options.requests}."
    )
    table = Table(caption, ("application", "µs", "more than alone, µs"), rows)
    told = judge(more["with the middleware"], most=_MOST_US, form="{:.0f} µs")
    finish(options, [table], [Aim("embedded middleware, a request", f"under {_MOST_US:.0f} µs", told)])


if __name__ == "__main__":
    main()
