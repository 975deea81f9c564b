"""The options that say what an access rule is to say, once for all commands that take them."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, cast

import typer

from latchgate.cli.output import Record

__all__ = ["Emptied", "PositionOption", "empty", "takes_rule_fields"]


class Emptied(StrEnum):
    """What of a rule can be taken away."""

    HOST = "host"
    METHODS = "methods"
    ROLES = "roles"
    SCOPES = "scopes"


def _fields(  # noqa: PLR0917  # options of a command
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="For which host; *.example.com for all below it. Default: any.")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="For which path; a final * means any rest, elsewhere one segment."),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", "--methods", metavar="M", help="For which method; several times or by commas."),
    ] = None,
    roles: Annotated[
        list[str] | None,
        typer.Option("--role", "--roles", metavar="ROLE", help="Who has it is let in; several times: any of them."),
    ] = None,
    every_role: Annotated[
        bool | None, typer.Option("--every-role/--any-role", help="Whether each role is asked for.")
    ] = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            "--scopes",
            metavar="S",
            help="What the credential must cover; several times: all of them. Default: it is not limited. *: any.",
        ),
    ] = None,
    allow_guest: Annotated[
        bool | None,
        typer.Option("--allow-guest/--no-guest", help="Whether everybody is let in, without a credential too."),
    ] = None,
    allow_foreign_authorization: Annotated[
        bool | None,
        typer.Option(
            "--allow-foreign-authorization/--no-foreign-authorization",
            help="Whether a credential that is not ours is left to the application.",
        ),
    ] = None,
    allow_unusual_path: Annotated[
        bool | None,
        typer.Option(
            "--allow-unusual-path/--no-unusual-path", help="Whether for paths that are not in normal form too."
        ),
    ] = None,
) -> Record:
    """Give the fields of a record that were named."""
    lists = {"methods": (methods, "--method"), "roles": (roles, "--role"), "scopes": (scopes, "--scope")}
    single = {"host": host, "path": path}
    for name, value in single.items():
        if value is not None and not value.strip():
            raise _nothing(f"--{name}")
    switches = {
        "every_role": every_role,
        "allow_guest": allow_guest,
        "allow_foreign_authorization": allow_foreign_authorization,
        "allow_unusual_path": allow_unusual_path,
    }
    return {
        **{name: value for name, value in single.items() if value is not None},
        **{name: _listed(values, option) for name, (values, option) in lists.items() if values},
        **{name: int(value) for name, value in switches.items() if value is not None},
    }


PositionOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Its place in the order. Default: the last.")
]


def takes_rule_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of a rule, in the place of its parameter `wanted`."""
    options = inspect.signature(_fields).parameters
    own = inspect.signature(command)

    @wraps(command)
    def call(**given: object) -> None:
        wanted = _fields(**{name: cast("Any", given.pop(name)) for name in options})
        command(wanted=wanted, **given)

    listed = [
        one for name, found in own.parameters.items() for one in (options.values() if name == "wanted" else [found])
    ]
    # Typer reads a command's options from its signature.
    cast("Any", call).__signature__ = own.replace(parameters=listed)
    return call


def empty(wanted: Record, emptied: list[Emptied] | None) -> Record:
    """Add what is to be taken away. Raises typer.BadParameter if it is named with a value too."""
    both = sorted(field for field in emptied or () if field in wanted)
    if both:
        raise typer.BadParameter(f"{both[0]} is to be taken away, and given a value too", param_hint="--clear")
    return {**wanted, **{field.value: "" if field is Emptied.HOST else [] for field in emptied or ()}}


def _listed(values: list[str], option: str) -> list[str]:
    parts = [part.strip() for value in values for part in value.split(",")]
    if not all(parts):
        raise _nothing(option)
    return parts


def _nothing(option: str) -> typer.BadParameter:
    # Most likely a variable of the shell that was not set.
    return typer.BadParameter(
        "names nothing; to ask for less, leave it out, or in an update say --clear", param_hint=option
    )
