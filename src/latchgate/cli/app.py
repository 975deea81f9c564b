"""The command latchgate: every subcommand in one place."""

from typing import Annotated, NoReturn

import typer

from latchgate import __version__
from latchgate.cli import (
    access_tokens,
    api_keys,
    clients,
    database,
    doctor,
    imports,
    log,
    permissions,
    roles,
    serve,
    settings,
    signing_keys,
    sources,
    users,
)
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
app.add_typer(users.app, name="user")
app.add_typer(roles.app, name="role")
app.add_typer(permissions.app, name="permission")
app.add_typer(sources.app, name="source")
app.add_typer(api_keys.app, name="key")
app.add_typer(access_tokens.app, name="token")
app.add_typer(clients.app, name="client")
app.add_typer(signing_keys.app, name="signing-key")
app.add_typer(log.app, name="log")
app.command("import", epilog="Example: latchgate import accounts.json")(imports.import_file)
app.add_typer(database.app, name="database")
app.add_typer(settings.app, name="config")
app.command("doctor", epilog="Example: latchgate doctor")(doctor.doctor)


def main() -> NoReturn:
    """Run the command line and end the process."""
    app()
    raise AssertionError("the shell ends the process")
