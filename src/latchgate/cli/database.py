"""latchgate database: upgrade, back up, restore and check what is stored."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.context import open_instance
from latchgate.cli.output import print_json, print_line, print_note
from latchgate.errors import LatchgateError, SettingsError

if TYPE_CHECKING:
    from latchgate.settings import Settings
    from latchgate.storage.whole_backups import InstanceFiles

__all__ = ["app", "find_problems"]

app = typer.Typer(help="The database: upgrade, backup, restore, check.", no_args_is_help=True)

_ON_POSTGRESQL = "{} is on PostgreSQL: use pg_dump and pg_restore, and keep a copy of the key file {}"


@app.command(epilog="Example: latchgate database upgrade")
def upgrade(as_json: JsonFlag = False) -> None:
    """Bring the database to this release's revision, making it where there is none."""
    from latchgate.bootstrap import upgrade_latchgate
    from latchgate.settings import load_settings

    before, after = upgrade_latchgate(load_settings())
    if as_json:
        print_json({"before": before, "after": after})
    elif before is None:
        print_line(f"Made a database of revision {after}.")
    elif before == after:
        print_line(f"The database has revision {after} already.")
    else:
        print_line(f"Upgraded the database from revision {before} to {after}.")


@app.command(epilog="Example: latchgate database backup backups/monday")
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there; holds no backup yet.")],
    as_json: JsonFlag = False,
) -> None:
    """Copy database, request log and key file into a folder, a file each, while the server runs."""
    from latchgate.storage.whole_backups import write_backup

    with open_instance() as latchgate, _told_steps() as tell:
        tell("Moving the request log's last rows into its database")
        missing = latchgate.request_log.reader.catch_up()
        files = write_backup(_files(latchgate.settings), folder.absolute(), lambda path: tell(f"Writing {path}"))
    if as_json:
        print_json({"files": [str(path) for path in files], "missing_log_rows": missing})
    else:
        for path in files:
            print_line(str(path))
        print_note("Keep the key file apart from the databases: together they open what each alone does not.")
    if missing:
        print_note(
            f"warning: {missing:,} rows of the request log are still in segments and not in this backup; what keeps "
            "them there is told by: latchgate doctor"
        )


@app.command(epilog="Example: latchgate database restore backups/monday")
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `latchgate database backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the instance that is there; its files are kept aside.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup in the place of an instance that nobody is using; keys of the backup work at once."""
    from latchgate.bootstrap import upgrade_latchgate
    from latchgate.opening import prepare_home
    from latchgate.services.clock import SystemClock
    from latchgate.settings import load_settings
    from latchgate.storage.data_folder import DataFolder
    from latchgate.storage.whole_backups import discard_staged, put_in_place, stage_backup, staging_folder

    settings = load_settings()
    target, staging = _files(settings), staging_folder(settings.home)
    aside = settings.home / f"replaced-{SystemClock().now()}"
    prepare_home(settings)
    with closing(DataFolder(settings.home)) as hold, hold.alone(patience_seconds=0), _told_steps() as tell:
        replaced = target.present()
        if replaced and not force:
            raise _occupied(settings)
        try:
            tell(f"Copying {folder}")
            staged = stage_backup(folder.absolute(), staging)
            tell("Checking the copy")
            # Opened as an instance of its own before anything is replaced: its revision, whether the key file fits.
            upgrade_latchgate(_staged_settings(staged))
        except LatchgateError:
            discard_staged(staging)
            raise
        kept_rows = _complete(settings) if replaced else True
        put_in_place(staged, target, aside)
        discard_staged(staging)
    if as_json:
        kept = str(aside) if replaced else None
        print_json({"restored": [str(path) for path in target if path.exists()], "replaced": kept})
    else:
        print_line(
            f"Restored {folder} to {settings.home}. What was revoked since the backup works again: revoke it anew."
        )
        if replaced:
            print_line(f"What was there is kept in {aside}; delete it once you are sure.")
    if not kept_rows:
        print_note(
            "The last rows of the request log could not be moved into its replaced database; they come into the "
            "restored one."
        )


@app.command(epilog="Example: latchgate database check")
def check(as_json: JsonFlag = False) -> None:
    """Look through database and request log for damage; exit code 1 if there is any."""
    with open_instance() as latchgate, _told_steps() as tell:
        tell("Checking")
        problems = find_problems(_files(latchgate.settings))
    if as_json:
        print_json({"problems": problems})
    else:
        for line in problems or ["Database and request log are sound."]:
            print_line(line)
    if problems:
        raise typer.Exit(1)


def find_problems(files: "InstanceFiles") -> list[str]:
    """Tell what is damaged in an instance's databases, a line each. Raises StorageError."""
    from latchgate.storage.backups import check_sqlite
    from latchgate.storage.database import open_database

    problems = []
    for name, path in (("database", files.database), ("request log", files.log_database)):
        with closing(open_database(f"sqlite:///{path}")) as database:
            problems += [f"{name}: {line}" for line in check_sqlite(database)]
    return problems


def _files(settings: "Settings") -> "InstanceFiles":
    from latchgate.storage.whole_backups import InstanceFiles

    if settings.database_path is None:
        raise SettingsError(_ON_POSTGRESQL.format("The database", settings.key_file))
    if settings.log_database_path is None:
        raise SettingsError(_ON_POSTGRESQL.format("The request log", settings.key_file))
    return InstanceFiles(settings.database_path, settings.log_database_path, settings.key_file)


def _complete(settings: "Settings") -> bool:
    """Move what waits in segments into the log that is about to be replaced; tell whether all of it could be had."""
    from latchgate.request_log.log_entries import open_request_log

    if settings.log_database_path is None or not settings.log_database_path.exists():
        return False
    try:
        with closing(open_request_log(settings.log_database_path, folder=settings.log_folder)) as log:
            return log.catch_up() == 0
    except LatchgateError:
        # A database that is damaged, or of an earlier release, is a reason to restore, not one against it.
        return False


def _staged_settings(staged: "InstanceFiles") -> "Settings":
    from latchgate.settings import load_settings

    return load_settings(
        {
            "home": staged.key_file.parent,
            "database_url": f"sqlite:///{staged.database}",
            "log_database_url": f"sqlite:///{staged.log_database}",
        }
    )


def _occupied(settings: "Settings") -> SettingsError:
    error = SettingsError(f"{settings.home} holds an instance already")
    error.add_note("latchgate database restore DIR --force, which keeps its files aside")
    return error


@contextmanager
def _told_steps() -> Iterator[Callable[[str], None]]:
    """Give a function that shows what is being done, to a person who waits for it."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update
