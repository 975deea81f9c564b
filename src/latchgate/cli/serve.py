"""latchgate serve: bind the port, open the instance, say what to do next, and let workers serve."""

import errno
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latchgate import __version__
from latchgate.cli.output import print_line, print_note
from latchgate.errors import SettingsError

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate
    from latchgate.settings import Settings

__all__ = ["exposure_warning", "serve", "typed_command"]

_BACKLOG = 2048


def serve(
    *,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="The port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="How many processes serve.")] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; the first start makes database and key file. SIGHUP restarts the workers."""
    from latchgate.bootstrap import open_latchgate
    from latchgate.settings import load_settings

    given = {"host": host, "port": port, "workers": workers}
    options = {name: value for name, value in given.items() if value is not None}
    settings = load_settings(options)
    with ExitStack() as stack:
        stack.enter_context(_clean_stop())
        # Before anything is made or opened, so that a second start by mistake does nothing at all.
        sockets = _listen(settings, stack)
        if settings.port == 0:
            settings = load_settings({**options, "port": sockets[0].getsockname()[1]})
        with closing(open_latchgate(settings)) as latchgate:
            # Loaded after the instance was opened: whatever keeps that from opening is told sooner.
            from latchgate.server.supervision import supervise

            _greet(latchgate)
        # Closed again: nothing that is open goes across a fork.
        supervise(settings, sockets)


def exposure_warning(settings: "Settings") -> str | None:
    """Tell why the listening address is a danger, or None."""
    from latchgate.core.addresses import normal_address

    address = normal_address(settings.host)
    loopback = settings.host == "localhost" or (address is not None and address.is_loopback)
    if loopback or settings.public_url.startswith("https://"):
        return None
    return (
        f"{settings.host} can be reached from other machines without https, so that keys and passwords can be read on "
        "the way; put a proxy with https before it and set LATCHGATE_PUBLIC_URL=https://…"
    )


def typed_command(settings: "Settings") -> str:
    """Write the command as it can be typed in another terminal that stands in the same folder."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        words = [sys.executable, "-m", "latchgate"]
    elif shutil.which("latchgate") == str(program.absolute()):
        words = ["latchgate"]
    else:
        words = [str(program)]
    return " ".join([*_assignments(settings), shlex.join(words)])


def _assignments(settings: "Settings") -> list[str]:
    from latchgate.setting_sources import CONFIG_VARIABLE, find_variables

    # The settings file may name the home; it is read from a path that may begin at the current folder.
    wanted = {name: value for name, value in find_variables().items() if name == CONFIG_VARIABLE}
    if settings.home != (Path.cwd() / "data").absolute():
        wanted["LATCHGATE_HOME"] = str(settings.home)
    return [f"{name}={shlex.quote(value)}" for name, value in wanted.items()]


def _unprinted_settings() -> str:
    """Name the variables that another terminal needs too, and that may hold a password; empty if there are none."""
    from latchgate.setting_sources import find_variables

    names = [name for name in find_variables() if name.endswith("_URL")]
    return f", with the same {' and '.join(names)}" if names else ""


@contextmanager
def _clean_stop() -> Iterator[None]:
    """Let a signal that comes before the server can take it end the process without a failure."""
    before = {number: signal.signal(number, lambda *_: sys.exit(0)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(settings: "Settings", stack: ExitStack) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # A name such as localhost may have an address of each family.
        addresses = list(dict.fromkeys((family, address[0]) for family, _, _, _, address in found))
        sockets: list[socket.socket] = []
        for family, address in addresses:
            port = sockets[0].getsockname()[1] if sockets else settings.port
            both = family == socket.AF_INET6 and address == "::" and socket.has_dualstack_ipv6()
            listener = socket.create_server((str(address), port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
            sockets.append(stack.enter_context(listener))
    except OSError as error:
        raise _cannot_listen(settings, error) from None
    return sockets


def _cannot_listen(settings: "Settings", error: OSError) -> SettingsError:
    place = f"port {settings.port} of {settings.host}"
    if error.errno == errno.EADDRINUSE:
        problem = SettingsError(f"Another program listens on {place}")
        problem.add_note("another port: latchgate serve --port N, or LATCHGATE_PORT")
        return problem
    return SettingsError(f"Cannot listen on {place}: {error.strerror}")


def _greet(latchgate: "Latchgate") -> None:
    from latchgate.core.questions import Asked
    from latchgate.services.actors import COMMAND_LINE

    settings = latchgate.settings
    print_line(f"Latchgate {__version__} serves {settings.public_url}, data in {settings.home}. Ctrl-C stops it.")
    warning = exposure_warning(settings)
    if warning:
        print_note(f"warning: {warning}")
    link = latchgate.sign_in.make_setup_link()
    if link is not None:
        print_line("\nAdministrator has no password yet. Set one within an hour, on this page, which works once:")
        print_line(f"  {latchgate.setup_url(link)}")
    # One is enough to know: a million of them would take the start a minute, and a gigabyte.
    if not latchgate.documents.list_rows(COMMAND_LINE, "API Key", Asked(limit=1)).rows:
        if link is None:
            print_line(f"\nSign in as Administrator: {settings.public_url}/login")
        print_line(f"\nIn another terminal{_unprinted_settings()}, make a first API key and use it:")
        print_line(
            f"  {typed_command(settings)} key generate Administrator --header | "
            f"curl -H @- {settings.local_url}/api/method/frappe.auth.get_logged_user"
        )
    sys.stdout.flush()
