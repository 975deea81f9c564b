"""latchgate setting: what administrators decide for everybody, as in the desk's page Settings."""

from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag, parse_duration
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, print_json, print_line, print_table

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate

__all__ = ["app"]

app = typer.Typer(help="What administrators decide for everybody: System Settings.", no_args_is_help=True)

_SETTINGS = "System Settings"
_LISTS = "latchgate setting list"
_NONE = "none"
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The setting's name.")]
_Value = Annotated[
    str,
    typer.Argument(metavar="VALUE", help="What it is to be; seconds also as 30m, 24h or 7d; none for no limit."),
]


@app.command("list", epilog="Example: latchgate setting list --json")
def list_settings(as_json: JsonFlag = False) -> None:
    """List the settings, their values and who decided them."""
    with open_instance() as latchgate:
        records = _read(latchgate)
    print_json(records) if as_json else print_table(records, ("name", "value", "from"), empty="")


@app.command("set", epilog="Example: latchgate setting set session_idle_seconds 8h")
def set_setting(name: _Name, value: _Value, as_json: JsonFlag = False) -> None:
    """Decide a setting; a running server goes by it from the next request on."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        _require_known(name)
        latchgate.documents.update(COMMAND_LINE, _SETTINGS, _SETTINGS, {name: _parse(name, value)})
        (record,) = [found for found in _read(latchgate) if found["name"] == name]
    print_json(record) if as_json else print_line(f"{name} is {_shown(record['value'])}.")


@app.command(epilog="Example: latchgate setting reset session_idle_seconds")
def reset(name: _Name, as_json: JsonFlag = False) -> None:
    """Let a setting's default count again."""
    from latchgate.services.actors import COMMAND_LINE

    with open_instance(_LISTS) as latchgate:
        latchgate.system_settings.reset(COMMAND_LINE, name)
        (record,) = [found for found in _read(latchgate) if found["name"] == name]
    print_json(record) if as_json else print_line(f"{name} is {_shown(record['value'])}, which is the default.")


def _read(latchgate: "Latchgate") -> list[Record]:
    from latchgate.core.system_settings import SETTING_NAMES
    from latchgate.services.actors import COMMAND_LINE

    found = latchgate.documents.get(COMMAND_LINE, _SETTINGS, _SETTINGS)
    decided = latchgate.system_settings.list_decided(COMMAND_LINE)
    return [
        {
            "name": name,
            "value": found[name],
            "from": latchgate.system_settings.origin(name) or (_SETTINGS if name in decided else "default"),
        }
        for name in SETTING_NAMES
    ]


def _require_known(name: str) -> None:
    from latchgate.core.system_settings import SETTING_NAMES
    from latchgate.errors import NotFound

    if name not in SETTING_NAMES:
        raise NotFound(f"There is no setting {name[:60]}")


def _parse(name: str, value: str) -> object:
    if value == _NONE:
        # No roles are an empty list; whether there may be no number, the service knows.
        return [] if name == "own_key_roles" else None
    if "_seconds" in name and not value.lstrip("-").isdigit():
        return parse_duration(value)
    return value


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or _NONE
    return _NONE if value is None else str(value)
