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
from uvicorn._types import HTTPScope

from latchgate.bootstrap import Latchgate
from latchgate.core.policy import PUBLIC, SIGNED_IN
from latchgate.server.app import Application, Site
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.pages import build_pages
from latchgate.server.fast_lane import FastLane, lane_targets
from latchgate.server.forward_auth import ForwardAuth
from latchgate.server.frappe.methods import frappe_methods
from latchgate.server.frappe.resources import record_routes
from latchgate.server.health import Phase, Ready, live
from latchgate.server.lane_protocol import lane_protocol_class
from latchgate.server.links import Order, UpLink
from latchgate.server.metrics import Metrics, metrics_requirement
from latchgate.server.oauth.devices import DevicePages
from latchgate.server.oauth.documents import metadata_pages
from latchgate.server.oauth.end_session import EndSession
from latchgate.server.oauth.methods import oauth_methods
from latchgate.server.openapi import OpenApi
from latchgate.server.protocol import WireProtocol, protocol_class
from latchgate.server.replies import Dialect
from latchgate.server.routes import Page, Table
from latchgate.server.serving import WorkerServer
from latchgate.server.sign_in import Door
from latchgate.server.wire import WireLimits
from latchgate.services.identity_tokens import IdentityTokens

__all__ = ["build_application", "run_server"]

_GET = frozenset({"GET"})
_OPEN_FILES = 65_536


def build_application(latchgate: Latchgate, phase: Phase | None = None) -> Application:
    """Wire the routes to the services. Needs no running event loop.

    Args:
        latchgate: What serves.
        phase: Whether this process serves; without it, it always does.
    """
    settings = latchgate.settings
    door = Door(
        sign_in=latchgate.sign_in,
        steps=latchgate.sign_in_steps,
        clock=latchgate.clock,
        secure=settings.public_url.startswith("https://"),
        limiter=anyio.CapacityLimiter(settings.password_hashes_at_once),
    )
    frame = Frame.on(latchgate.documents, latchgate.undos, latchgate.peppers, latchgate.clock)
    end_session = EndSession(frame, door, latchgate.log_outs)
    description = OpenApi(settings.public_url)
    table = Table(
        methods={
            **frappe_methods(latchgate.api_keys, latchgate.documents, latchgate.access_rules, door),
            **oauth_methods(latchgate, frame, end_session),
        },
        records=record_routes(latchgate.documents),
        pages={
            **build_pages(latchgate, frame, door),
            "/api/openapi.json": Page(PUBLIC, _GET, description, Dialect.PLAIN),
            **_operator_pages(latchgate, phase or Phase()),
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
    tokens = IdentityTokens(latchgate.store, latchgate.signing_keys, latchgate.clock, settings.public_url)
    forward_auth = ForwardAuth(latchgate.gate, tokens, settings.trusted_proxies, settings.proxy, settings.returns)
    lane = None
    if _has_lane(latchgate):
        lane = FastLane(latchgate.gate, lane_targets(table), settings.trusted_proxies, forward_auth)
    return Application(latchgate.gate, table, site, lane, forward_auth)


def _operator_pages(latchgate: Latchgate, phase: Phase) -> dict[str, Page]:
    ready = Ready(latchgate.store, latchgate.request_log, phase)
    metrics = Metrics(latchgate.measures, latchgate.request_log)
    return {
        "/livez": Page(PUBLIC, _GET, live, Dialect.PLAIN),
        "/readyz": Page(PUBLIC, _GET, ready, Dialect.PLAIN),
        "/metrics": Page(metrics_requirement(latchgate.settings.metrics_from), _GET, metrics, Dialect.PLAIN),
    }


def _has_lane(latchgate: Latchgate) -> bool:
    # Where a reply waits for the disk, it waits in a thread, which the lane has not.
    return latchgate.settings.fast_lane != "off" and not latchgate.request_log.waits_for_disk


def _find_protocol(application: Application, fast_lane: str) -> type[WireProtocol]:
    def observe(scope: HTTPScope, status: int) -> None:
        application.log_refusal(cast("Scope", scope), status)

    base = WireProtocol
    if application.lane is not None and fast_lane == "parser":
        base = lane_protocol_class(application.lane)
    return protocol_class(WireLimits(), observe, base)


def run_server(latchgate: Latchgate, sockets: Sequence[socket.socket], link: UpLink) -> None:
    """Serve until SIGTERM, or until the master orders an end or is gone; answer what was begun, and return."""
    _raise_open_files_limit()
    phase = Phase(is_serving=False)
    application = build_application(latchgate, phase)
    protocol = _find_protocol(application, latchgate.settings.fast_lane)
    config = uvicorn.Config(
        application,
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    server = WorkerServer(config, protocol, phase, latchgate.settings.shutdown_seconds, link)
    # Once is as good as often: a service manager may tell every process, and the master then tells them once more.
    signal.signal(signal.SIGTERM, lambda *_: server.end(Order.STOP))
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
