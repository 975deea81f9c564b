"""The errors of databases as the errors of this project, told apart by class and code, never by their wording."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from latchgate.errors import Conflict, LatchgateError, StorageError

__all__ = ["failure_of", "translated"]

# A second row of one name, and a reference to a row that is gone. PostgreSQL: SQLSTATE, class 23.
_DUPLICATE = frozenset({"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
_GONE = frozenset({"23503", "SQLITE_CONSTRAINT_FOREIGNKEY"})
# PostgreSQL: lock_not_available, query_canceled (a timeout), deadlock_detected. SQLite: the low byte is the family.
_BUSY = frozenset({"55P03", "57014", "40P01"})
_SQLITE_BUSY_FAMILY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a database driver raises into Conflict or StorageError.

    Raises:
        Conflict: a name is taken, or the row that is referred to was deleted meanwhile.
        StorageError: everything else; `detail` holds the driver's words for the operator.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise _translation(error) from error
    except sqlite3.Error as error:
        raise failure_of(error) from error


def failure_of(error: sqlite3.Error) -> StorageError:
    """Tell of what SQLite raised to those who use it without SQLAlchemy."""
    return StorageError(_words(error), detail=str(error))


def _translation(error: SQLAlchemyError) -> LatchgateError:
    origin = error.orig if isinstance(error, StatementError) else None
    if isinstance(origin, LatchgateError):
        return origin
    if isinstance(error, IntegrityError):
        if _code(origin) in _DUPLICATE:
            return Conflict("There is such a record already", detail=_detail(error))
        if _code(origin) in _GONE:
            return Conflict("A record that this one refers to does not exist any more", detail=_detail(error))
    return StorageError(_words(origin), detail=_detail(error))


def _words(origin: BaseException | None) -> str:
    if _code(origin) in _BUSY or getattr(origin, "sqlite_errorcode", 0) & 0xFF in _SQLITE_BUSY_FAMILY:
        return "The database is busy: another process holds its lock"
    return "The database cannot be reached or did not answer"


def _code(origin: BaseException | None) -> str | None:
    return getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None)


def _detail(error: SQLAlchemyError) -> str:
    # Without the statement and its parameters, which may hold what nobody should read in a log.
    return str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
