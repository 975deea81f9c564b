"""Put the service together and run it on sockets that are already bound."""

import gc
import resource
import signal
import socket
from collections.abc import Sequence
from typing import cast

import anyio
import uvicorn
from starlette.types import Scope

from latchgate.bootstrap import Latchgate
from latchgate.core.policy import PUBLIC, SIGNED_IN
from latchgate.server.app import Application, Site
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.pages import build_pages
from latchgate.server.frappe.methods import frappe_methods
from latchgate.server.frappe.resources import record_routes
from latchgate.server.health import Ready, live
from latchgate.server.oauth.devices import DevicePages
from latchgate.server.oauth.documents import metadata_pages
from latchgate.server.oauth.end_session import EndSession
from latchgate.server.oauth.methods import oauth_methods
from latchgate.server.openapi import OpenApi
from latchgate.server.protocol import protocol_class
from latchgate.server.replies import Dialect
from latchgate.server.routes import Page, Table
from latchgate.server.sign_in import Door
from latchgate.server.wire import WireLimits

__all__ = ["build_application", "run_server"]

_GET = frozenset({"GET"})
_OPEN_FILES = 65_536


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
    frame = Frame.on(latchgate.documents, latchgate.peppers, latchgate.clock)
    end_session = EndSession(frame, door, latchgate.log_outs)
    description = OpenApi(settings.public_url)
    table = Table(
        methods={
            **frappe_methods(latchgate.api_keys, latchgate.documents, door),
            **oauth_methods(latchgate, frame, end_session),
        },
        records=record_routes(latchgate.documents),
        pages={
            **build_pages(latchgate, frame, door),
            "/api/openapi.json": Page(PUBLIC, _GET, description, Dialect.PLAIN),
            "/livez": Page(PUBLIC, _GET, live, Dialect.PLAIN),
            "/readyz": Page(PUBLIC, _GET, Ready(latchgate.store, latchgate.request_log), Dialect.PLAIN),
            **metadata_pages(
                settings.public_url, latchgate.signing_keys, registration=settings.oauth_registration != "off"
            ),
            **DevicePages(frame, latchgate.devices).table(),
            "/end-session": Page(SIGNED_IN, frozenset({"POST"}), end_session.confirm, Dialect.PAGE),
        },
    )
    description.describe(table)
    site = Site(
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        gate_may_wait=latchgate.gate_may_wait,
        render_fault_page=frame.fault,
    )
    return Application(latchgate.gate, table, site)


def run_server(latchgate: Latchgate, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT, answer what was begun, and return."""
    _raise_open_files_limit()
    application = build_application(latchgate)
    config = uvicorn.Config(
        application,
        http=protocol_class(WireLimits(), lambda scope, status: application.log_refusal(cast("Scope", scope), status)),
        loop="uvloop",
        ws="none",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=latchgate.settings.shutdown_seconds,
    )
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn listens for signals only once its loop runs, so that one that comes sooner would be lost; and it raises
    # the one that ended it once more, which the default handlers would make a traceback or a status "killed" of.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    _settle()
    server.run(sockets=list(sockets))


def _settle() -> None:
    # What is there by now stays: no collection need look at it again, each of which would keep requests waiting, nor
    # write into pages that processes share.
    gc.collect()
    gc.freeze()


def _raise_open_files_limit() -> None:
    # Service managers start with 1,024 for programs that still use select(); each connection takes one.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
