"""latchgate doctor: is everything as it should be, and if not, what to do."""

import shutil
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from latchgate.cli.arguments import JsonFlag
from latchgate.cli.database import find_problems
from latchgate.cli.output import print_json, print_line
from latchgate.cli.serve import exposure_warning
from latchgate.errors import LatchgateError, SettingsError

if TYPE_CHECKING:
    from latchgate.bootstrap import Latchgate
    from latchgate.core.api_keys import StoredKey
    from latchgate.settings import Settings

__all__ = ["doctor"]

_SPACE_WARNED_BYTES = 1024**3
_SPACE_NEEDED_BYTES = 64 * 1024**2
_SOON_SECONDS = 14 * 86_400
_FUTURE_US = 60 * 1_000_000
_NAMED_MAX = 5
_ROWS_BEHIND = 100_000


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the diagnosis."""

    name: str
    verdict: Verdict
    detail: str


def doctor(as_json: JsonFlag = False) -> None:
    """Look at folder, key file, database, settings and credentials; exit code 1 if something fails."""
    checks = list(_diagnose())
    if as_json:
        print_json([{"check": one.name, "verdict": one.verdict.value, "detail": one.detail} for one in checks])
    else:
        for one in checks:
            print_line(f"{one.verdict.value:<4}  {one.name}: {one.detail}")
    if any(one.verdict is Verdict.FAIL for one in checks):
        raise typer.Exit(1)


def _diagnose() -> Iterator[Check]:
    from latchgate.bootstrap import open_latchgate
    from latchgate.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        yield from (Check("settings", Verdict.FAIL, problem) for problem in error.problems)
        return
    yield Check("settings", Verdict.OK, "readable and complete")
    yield from _check_listening(settings)
    if settings.home.is_dir():
        yield from _check_folder(settings)
    try:
        latchgate = open_latchgate(settings, create=False)
    except LatchgateError as error:
        yield Check("instance", Verdict.FAIL, _told(error))
        return
    with closing(latchgate):
        yield Check("instance", Verdict.OK, "key file and database fit each other and this release")
        yield from _check_integrity(settings)
        yield from _check_log(latchgate)
        yield from _check_clock(latchgate)
        yield from _check_cache(settings)
        yield from _check_accounts(latchgate)
        yield from _check_keys(latchgate)
        yield from _check_rules(latchgate)


def _check_listening(settings: "Settings") -> Iterator[Check]:
    warning = exposure_warning(settings)
    if warning:
        yield Check("listening", Verdict.WARN, warning)
    else:
        yield Check("listening", Verdict.OK, f"{settings.host} port {settings.port}, known as {settings.public_url}")
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        told = (
            "public_url is https, so that a proxy stands before this; name its address in LATCHGATE_TRUSTED_PROXIES, "
        )
        yield Check("proxies", Verdict.WARN, told + "or all requests seem to come from it")
    if settings.password_profile != "standard":
        yield Check("passwords", Verdict.WARN, "password_profile is for tests alone; unset LATCHGATE_PASSWORD_PROFILE")


def _check_folder(settings: "Settings") -> Iterator[Check]:
    files = (settings.home, settings.database_path, settings.log_database_path)
    loose = [path for path in files if path is not None and path.exists() and _others_may(path)]
    if loose:
        yield Check("permissions", Verdict.WARN, f"others may read; run: chmod go= {' '.join(map(str, loose))}")
    else:
        yield Check("permissions", Verdict.OK, "only the owner may read the data folder")
    free = shutil.disk_usage(settings.home).free
    told = f"{free // 1024**2} MiB are free at {settings.home}"
    if free < _SPACE_NEEDED_BYTES:
        yield Check("disk space", Verdict.FAIL, f"{told}; requests are refused when the log cannot be written")
    else:
        yield Check("disk space", Verdict.WARN if free < _SPACE_WARNED_BYTES else Verdict.OK, told)


def _check_integrity(settings: "Settings") -> Iterator[Check]:
    from latchgate.storage.whole_backups import InstanceFiles

    if settings.database_path is None or settings.log_database_path is None:
        yield Check("integrity", Verdict.OK, "left to PostgreSQL (pg_amcheck)")
        return
    files = InstanceFiles(settings.database_path, settings.log_database_path, settings.key_file)
    problems = find_problems(files)
    yield from (Check("integrity", Verdict.FAIL, problem) for problem in problems)
    if not problems:
        yield Check("integrity", Verdict.OK, "database and request log are sound")


def _check_log(latchgate: "Latchgate") -> Iterator[Check]:
    before = latchgate.request_log.state()
    missing = latchgate.request_log.reader.catch_up()
    if missing:
        told = (
            f"{missing:,} rows cannot come into its database: is that locked, or its disk full? They wait in segments"
        )
        yield Check("request log", Verdict.FAIL, told)
    elif before.pending > _ROWS_BEHIND:
        told = f"{before.pending:,} rows waited in segments: the process that moves them is behind, or does not run"
        yield Check("request log", Verdict.WARN, told)
    if before.lost_at is not None:
        told = (
            f"{before.lost:,} rows were damaged on disk and are lost ({before.damaged_bytes:,} bytes); look at the disk"
        )
        yield Check("request log", Verdict.WARN, told)
    if before.unreadable:
        files = [f"{name}.segment, {reason}" for name, reason in before.unreadable.items()]
        told = f"segments that cannot be read are left in {latchgate.settings.log_folder}: {_some(files)}"
        yield Check("request log", Verdict.WARN, told)
    if not missing and before.pending <= _ROWS_BEHIND and before.lost_at is None and not before.unreadable:
        yield Check("request log", Verdict.OK, f"all {before.rows + before.pending:,} rows ever written came in")


def _check_clock(latchgate: "Latchgate") -> Iterator[Check]:
    from latchgate.services.port_values import LogQuery

    now_us = latchgate.clock.now_us()
    newest = next(iter(latchgate.request_log.search(LogQuery(limit=1))), None)
    if newest is not None and newest.time > now_us + _FUTURE_US:
        told = "the newest row of the request log lies in the future: the clock was set back, expiry cannot be trusted"
        yield Check("clock", Verdict.FAIL, told)
    else:
        yield Check("clock", Verdict.OK, "not behind the request log")


def _check_cache(settings: "Settings") -> Iterator[Check]:
    from latchgate.storage.file_systems import shares_mapped_files

    path = settings.database_path
    if path is None:
        yield Check("cache", Verdict.OK, "none on PostgreSQL: every request asks the database")
    elif not shares_mapped_files(path.parent):
        told = "is on a file system that may not show each process what another wrote, so that every request asks the"
        yield Check("cache", Verdict.WARN, f"{path.parent} {told} database; put it on a local disk (ext4, XFS, Btrfs)")
    elif not settings.cache_bytes:
        yield Check("cache", Verdict.OK, "switched off by LATCHGATE_CACHE_BYTES=0: every request asks the database")
    else:
        size = f"{settings.cache_bytes / 1024**2:.1f} MiB"
        yield Check("cache", Verdict.OK, f"at most {size} of verdicts are remembered by each serving process")


def _check_accounts(latchgate: "Latchgate") -> Iterator[Check]:
    from latchgate.core.users import ADMINISTRATOR

    users = {user.name: user for user in latchgate.users.list_users()}
    if users[ADMINISTRATOR].password_hash is None:
        yield Check("Administrator", Verdict.WARN, "has no password yet; run: latchgate user setup-link")
    enabled = sum(user.enabled for user in users.values())
    yield Check("users", Verdict.OK, f"{len(users)}, of which {enabled} enabled")
    sources = [(name, count) for name, count in latchgate.sources.list_sources() if name != "User"]
    records = [record for name, _ in sources for record in latchgate.sources.list_records(name)]
    idle = [f"{one.source} {one.name}" for one in records if one.user is None or not users[one.user].enabled]
    if idle:
        yield Check("sources", Verdict.WARN, f"these name no enabled user, their keys are refused: {_some(idle)}")
    else:
        yield Check("sources", Verdict.OK, f"{len(sources)} besides User, with {len(records)} records")


def _check_keys(latchgate: "Latchgate") -> Iterator[Check]:
    from latchgate.services.port_values import KeyFilter

    now = latchgate.clock.now()
    with latchgate.store.read() as tx:
        keys = [key for key in tx.api_keys.list_some(KeyFilter(include_ended=True), now) if key.revoked_at is None]
    expired = [_named(key) for key in keys if key.limits.expires_at is not None and key.limits.expires_at <= now]
    soon = [_named(key) for key in keys if now < (key.limits.expires_at or 0) <= now + _SOON_SECONDS]
    if expired:
        yield Check("keys", Verdict.WARN, f"expired, to be revoked or replaced: {_some(expired)}")
    if soon:
        yield Check("keys", Verdict.WARN, f"will expire within 14 days: {_some(soon)}")
    if not expired and not soon:
        yield Check("keys", Verdict.OK, f"{len(keys)}, none expired or about to")


def _check_rules(latchgate: "Latchgate") -> Iterator[Check]:
    from latchgate.core.access_rules import ANY_SCOPES
    from latchgate.core.rule_explanations import find_hidden
    from latchgate.services.actors import COMMAND_LINE

    rules = latchgate.access_rules.get_all(COMMAND_LINE)
    unasked = bool(rules.rules) and not latchgate.settings.trusted_proxies
    if unasked:
        told = "there are rules, but /auth/verify answers no proxy: name yours in LATCHGATE_TRUSTED_PROXIES"
        yield Check("access rules", Verdict.WARN, f"{told} (middleware within the application needs none)")
    hidden = [f"{rule.name} by {hiding.name}" for rule, hiding in find_hidden(rules)]
    if hidden:
        told = "these never decide, because one before them is for all that they are for; move or delete them"
        yield Check("access rules", Verdict.WARN, f"{told}: {_some(hidden)}")
    if not unasked and not hidden:
        wide = [rule.name for rule in rules.rules if rule.scopes == ANY_SCOPES]
        taken = f"; these take credentials of any scopes: {_some(wide)}" if wide else ""
        told = f"{len(rules.rules)}, each of which can decide{taken}" if rules.rules else "none"
        yield Check("access rules", Verdict.OK, told)


def _named(key: "StoredKey") -> str:
    return f"{key.key_id} of {key.owner.record}"


def _others_may(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {rest} more" if rest > 0 else "")


def _told(error: LatchgateError) -> str:
    return f"{error.public} ({error.detail})" if error.detail else error.public
