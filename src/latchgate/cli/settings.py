"""latchgate config: what is set, and where each value comes from."""

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.output import print_json, print_table

__all__ = ["app"]

app = typer.Typer(help="The settings.", no_args_is_help=True)

_HIDDEN = "********"


@app.callback()
def config() -> None:
    """Settings: environment variables LATCHGATE_… and a TOML file."""


@app.command(epilog="Example: latchgate config show --json")
def show(as_json: JsonFlag = False) -> None:
    """Show every setting, its value and where that comes from; secrets stay hidden."""
    from latchgate.setting_sources import PREFIX
    from latchgate.settings import Settings, find_origins, load_settings

    settings, origins = load_settings(), find_origins()
    records = [
        {
            "name": name,
            "variable": PREFIX + name.upper(),
            "value": _show(name, getattr(settings, name)),
            "from": origins[name],
        }
        for name in Settings.model_fields
    ]
    print_json(records) if as_json else print_table(records, ("name", "value", "from"), empty="")


def _show(name: str, value: object) -> str | int | bool | list[str] | None:
    from pydantic import SecretStr

    match value:
        case SecretStr():
            return _hide_password(value.get_secret_value()) if name.endswith("_url") else _HIDDEN
        case tuple():
            return [str(entry) for entry in value]
        case None | bool() | int():
            return value
        case _:
            return str(value)


def _hide_password(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return url
    user, at, place = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{colon}{_HIDDEN if colon else ''}{at}{place}"
    # libpq takes a password among the parameters too.
    return parts._replace(netloc=netloc, query=_HIDDEN if parts.query else "").geturl()
