"""Put the service together and run it on sockets that are already bound."""

import signal
import socket
import sys
from collections.abc import Sequence

import anyio
import structlog
import uvicorn

from latchgate.bootstrap import Latchgate
from latchgate.core.policy import PUBLIC
from latchgate.server.app import Application, Site
from latchgate.server.desk.pages import Pages
from latchgate.server.frappe.methods import frappe_methods
from latchgate.server.health import Ready, live
from latchgate.server.metadata import ProtectedResource
from latchgate.server.protocol import protocol_class
from latchgate.server.replies import Dialect
from latchgate.server.routes import Page, Table
from latchgate.server.sign_in import Door
from latchgate.server.wire import WireLimits

__all__ = ["build_application", "run_server"]

_GET = frozenset({"GET"})


def build_application(latchgate: Latchgate) -> Application:
    """Wire the routes to the services. Needs no running event loop."""
    settings = latchgate.settings
    door = Door(
        sign_in=latchgate.sign_in,
        clock=latchgate.clock,
        lifetime=latchgate.rules.lifetime,
        secure=settings.public_url.startswith("https://"),
        limiter=anyio.CapacityLimiter(settings.password_hashes_at_once),
    )
    pages = Pages.on(door, latchgate.peppers)
    table = Table(
        methods=frappe_methods(latchgate.api_keys, door),
        pages={
            **pages.table(),
            "/livez": Page(PUBLIC, _GET, live, Dialect.PLAIN),
            "/readyz": Page(PUBLIC, _GET, Ready(latchgate.store, latchgate.request_log), Dialect.PLAIN),
            "/.well-known/oauth-protected-resource": Page(
                PUBLIC, _GET, ProtectedResource(settings.public_url), Dialect.PLAIN
            ),
        },
    )
    site = Site(
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        gate_may_wait=latchgate.gate_may_wait,
        render_fault_page=pages.fault,
    )
    return Application(latchgate.gate, table, site)


def run_server(latchgate: Latchgate, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT, answer what was begun, and return."""
    _configure_operator_log()
    application = build_application(latchgate)
    config = uvicorn.Config(
        application,
        http=protocol_class(WireLimits(), lambda scope, status: application.log_refusal({**scope}, status)),
        loop="uvloop",
        ws="none",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=latchgate.settings.shutdown_seconds,
    )
    # uvicorn raises the signal that ended it once more; with the default handlers that would be a traceback or a
    # status that says "killed" for what was a clean stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=list(sockets))


def _configure_operator_log() -> None:
    """One JSON line a happening on standard error, where service managers look for it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
