"""How arguments are read that several commands share: durations, limits of keys, secrets."""

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from latchgate.core.addresses import Network
    from latchgate.core.api_keys import Limits
    from latchgate.core.tokens import Secret
    from latchgate.services.ports import Clock

__all__ = [
    "DURATIONS",
    "JsonFlag",
    "SourceOption",
    "parse_duration",
    "parse_limits",
    "parse_networks_option",
    "read_secret",
    "require_yes",
]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SourceOption = Annotated[
    str | None, typer.Option(help="The document type that owns the key, if it is not User.", metavar="DOCTYPE")
]

DURATIONS = "such as 30m, 24h, 90d or 2w"
_DURATION = re.compile(r"(?P<count>[0-9]{1,9})(?P<unit>[smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION_MAX_SECONDS = 100 * 366 * 86_400
_SECRET_LENGTH_MAX = 4096


def parse_duration(text: str) -> int:
    """Read a duration as seconds. Raises typer.BadParameter."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"'{text[:40]}' is not a duration {DURATIONS}")
    seconds = int(found["count"]) * _UNIT_SECONDS[found["unit"]]
    if seconds > _DURATION_MAX_SECONDS:
        raise typer.BadParameter("a hundred years is the longest")
    return seconds


def parse_limits(
    clock: "Clock", expires: int | None, scopes: list[str] | None, allow_ip: list[str] | None, limit: int | None
) -> "Limits":
    """Read what narrows a key. Raises typer.BadParameter."""
    from latchgate.core.api_keys import Limits
    from latchgate.core.scopes import parse_scopes

    parsed = parse_scopes(scopes or [])
    if isinstance(parsed, str):
        raise typer.BadParameter(parsed, param_hint="--scope")
    networks = parse_networks_option(allow_ip or [])
    return Limits(parsed, networks, limit, None if expires is None else clock.now() + expires)


def parse_networks_option(allow_ip: list[str]) -> "tuple[Network, ...]":
    """Read the values of --allow-ip. Raises typer.BadParameter."""
    from latchgate.core.addresses import parse_networks

    networks = parse_networks(" ".join(allow_ip))
    if isinstance(networks, str):
        raise typer.BadParameter(networks, param_hint="--allow-ip")
    return networks


def require_yes(question: str) -> None:
    """Ask at a terminal whether to go on; no ends the command with exit code 1, having changed nothing."""
    if not typer.confirm(question, err=True):
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(1)


def read_secret(what: str, *, from_stdin: bool, twice: bool = False) -> "Secret":
    """Read a secret from a hidden prompt, or one line of standard input where that is no terminal or was asked for.

    Args:
        what: What to ask for, such as `Password`.
        from_stdin: Whether to read standard input even from a terminal.
        twice: Whether to have it typed twice at a prompt.

    Raises:
        typer.BadParameter: There was none, or more than one line.
    """
    from latchgate.core.tokens import Secret

    if sys.stdin.isatty() and not from_stdin:
        return Secret(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    text = sys.stdin.read(_SECRET_LENGTH_MAX + 1).removesuffix("\n").removesuffix("\r")
    if not text or "\n" in text or len(text) > _SECRET_LENGTH_MAX:
        raise typer.BadParameter(f"{what.lower()}: standard input must hold one line with it and nothing more")
    return Secret(text)
