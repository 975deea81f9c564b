"""Every subcommand in one place."""

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
    rules,
    sessions,
    settings,
    signing_keys,
    sources,
    system_settings,
    users,
)
from latchgate.cli.app import app

__all__ = ["app"]

app.add_typer(users.app, name="user")
app.add_typer(sessions.app, name="session")
app.add_typer(roles.app, name="role")
app.add_typer(permissions.app, name="permission")
app.add_typer(sources.app, name="source")
app.add_typer(rules.app, name="rule")
app.add_typer(api_keys.app, name="key")
app.add_typer(access_tokens.app, name="token")
app.add_typer(clients.app, name="client")
app.add_typer(signing_keys.app, name="signing-key")
app.add_typer(log.app, name="log")
app.command("import", epilog="Example: latchgate import accounts.json")(imports.import_file)
app.add_typer(database.app, name="database")
app.add_typer(settings.app, name="config")
app.add_typer(system_settings.app, name="setting")
app.command("doctor", epilog="Example: latchgate doctor")(doctor.doctor)
