"""The command latchgate. A process that serves stays, so that it loads no command but its own."""

import sys
from typing import Annotated, NoReturn

import typer

from latchgate import __version__
from latchgate.cli import serve
from latchgate.cli.shell import Shell

__all__ = ["app", "main"]

app = typer.Typer(
    name="latchgate",
    cls=Shell,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 refused, 2 called wrongly, 3 cannot start, 4 no database, 130 stopped.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"latchgate {__version__}")
        raise typer.Exit


@app.callback()
def latchgate(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Token-based authentication for HTTP APIs: users, API keys, roles and a request log that misses nothing."""


app.command("serve", epilog="Example: latchgate serve --host 127.0.0.1 --port 8000")(serve.serve)


def main() -> NoReturn:
    """Run the command line and end the process."""
    chosen = app
    if sys.argv[1:2] != ["serve"]:
        from latchgate.cli.commands import app as chosen
    chosen()
    raise AssertionError("the shell ends the process")
