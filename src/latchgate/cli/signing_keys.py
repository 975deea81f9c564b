"""latchgate signing-key: the keys that ID tokens are signed with."""

from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.client_arguments import AlgorithmOption
from latchgate.cli.context import open_instance
from latchgate.cli.output import Record, format_time, print_json, print_line, print_table

if TYPE_CHECKING:
    from latchgate.services.oauth_ports import StoredSigningKey

__all__ = ["app"]

app = typer.Typer(help="The keys that ID tokens are signed with.", no_args_is_help=True)


@app.command("list", epilog="Example: latchgate signing-key list")
def list_keys(as_json: JsonFlag = False) -> None:
    """List the keys, the newest first; never a private half."""
    with open_instance() as latchgate:
        records = [_record(key) for key in latchgate.signing_keys.list_all()]
    if as_json:
        print_json(records)
    else:
        columns = ("kid", "algorithm", "created", "retired", "status")
        print_table(records, columns, empty="There are no signing keys yet. The first is made when it is needed.")


@app.command(epilog="Example: latchgate signing-key rotate --algorithm RS256")
def rotate(
    algorithm: Annotated[
        AlgorithmOption | None,
        typer.Option(metavar="RS256|ES256", case_sensitive=False, help="Of this algorithm alone. Default: of both."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign with new keys from now on; what the former ones signed can be verified for a week."""
    from latchgate.core.clients import SigningAlgorithm
    from latchgate.services.actors import COMMAND_LINE

    wanted = list(SigningAlgorithm) if algorithm is None else [SigningAlgorithm(algorithm.value)]
    with open_instance() as latchgate:
        made = [latchgate.signing_keys.rotate(COMMAND_LINE, one) for one in wanted]
    if as_json:
        print_json([_record(key) for key in made])
        return
    for key in made:
        print_line(f"ID tokens by {key.algorithm.value} are signed with {key.kid} now.")


def _record(key: "StoredSigningKey") -> Record:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm.value,
        "created": format_time(key.created_at),
        "retired": format_time(key.retired_at),
        "status": "signs" if key.retired_at is None else "verifies",
    }
