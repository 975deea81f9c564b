"""latchgate import: take users, keys, OAuth clients, tokens and sources over from another server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.context import next_step, open_instance
from latchgate.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from latchgate.services.import_reports import ImportReport

__all__ = ["import_file"]

_BYTES_MAX = 256 * 1024 * 1024
_FORM = "nothing was written; docs/import.md describes the form"
_KINDS = {
    "users": "users",
    "passwords": "passwords",
    "roles": "roles",
    "api_keys": "API keys",
    "clients": "OAuth clients",
    "access_tokens": "access tokens",
    "refresh_tokens": "refresh tokens",
    "sources": "sources",
    "records": "records of sources",
}
_NAMED = {
    "new_managers": "New System Managers",
    "new_keys": "Users that were there already and gained a key or token",
    "weak_passwords": "Passwords taken as they are, which nobody could choose here",
    "trusted_clients": "OAuth clients whose users are not asked whether they allow them",
}


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON document; - is standard input.")],
    as_json: JsonFlag = False,
) -> None:
    """Take users, keys, clients, tokens and sources over: all of a document in one transaction, or nothing of it."""
    from latchgate.errors import BadRequest, Invalid
    from latchgate.services.actors import COMMAND_LINE

    with sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
        text = source.read(_BYTES_MAX + 1)
    if len(text) > _BYTES_MAX:
        raise BadRequest(f"{file} is larger than {_BYTES_MAX // 1024 // 1024} MiB; split it")
    with open_instance(makes=True) as latchgate, next_step(_FORM, Invalid):
        report = latchgate.imports.import_document(COMMAND_LINE, text, _show_progress)
    if as_json:
        left = [{"entry": one.entry, "reason": one.reason} for one in report.left]
        names = {name: getattr(report, name) for name in _NAMED}
        print_json({"taken": dict(report.taken), "existed": dict(report.existed), "left": left, **names})
    else:
        _print_report(report)


def _print_report(report: "ImportReport") -> None:
    for sentence, counts in (("Taken", report.taken), ("There already", report.existed)):
        told = ", ".join(f"{counts[kind]} {words}" for kind, words in _KINDS.items() if counts[kind])
        print_line(f"{sentence}: {told or 'nothing'}.")
    for name, sentence in _NAMED.items():
        names = getattr(report, name)
        if names:
            heading = "client" if name == "trusted_clients" else "user"
            print_line(f"{sentence}:")
            print_table([{heading: name_} for name_ in names], (heading,), empty="")
    if report.left:
        print_line("Left:")
        print_table([{"entry": one.entry, "reason": one.reason} for one in report.left], ("entry", "reason"), empty="")


def _show_progress(done: int, wanted: int) -> None:
    if wanted and sys.stderr.isatty():
        end = "\r" if done < wanted else "\n"
        sys.stderr.write(f"Hashing passwords: {done} of {wanted}{end}")
        sys.stderr.flush()
