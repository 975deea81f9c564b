"""What a request is for: its address and method, and for some its parameters, give a target of the table."""

from starlette.requests import Request

from latchgate.core.log_entries import escape
from latchgate.core.policy import PUBLIC
from latchgate.errors import BadRequest, NotFound
from latchgate.server.replies import Dialect, Reply
from latchgate.server.requests import Call, find_raw_path, read_arguments, read_parameters
from latchgate.server.routes import METHOD_PREFIXES, Table, Target

__all__ = ["NAME_LENGTH_MAX", "resolve_target"]

NAME_LENGTH_MAX = 140
"""How much of what a request asked for is told back, in characters."""


async def resolve_target(table: Table, request: Request) -> tuple[Target, BadRequest | None]:
    """Give the target of a request; there is always one, if only the handler that says that nothing is there.

    A body that cannot be read is given beside it: that is told only after the credential was judged.

    Raises:
        UnknownMethod, RefusedMethod: No such remote method, or not by this HTTP method.
    """
    path: str = request.scope["path"]
    asked = "GET" if request.method == "OPTIONS" else request.method
    try:
        target = await _look_up(table, request, path, asked)
    except BadRequest as error:
        return Target(path, PUBLIC, Dialect.FRAPPE_V1, _refuse_not_found), error
    if request.method == "OPTIONS":
        # Asking what is possible needs no user; a bad credential is refused all the same, as recorded.
        target = Target(target.what, PUBLIC, target.dialect, target.handler, cross_origin=target.cross_origin)
    elif target.requires.client:
        try:
            await read_parameters(request)
        except BadRequest as error:
            return target, error
    return target, None


async def _look_up(table: Table, request: Request, path: str, asked: str) -> Target:
    for prefix, dialect in METHOD_PREFIXES.items():
        if path.startswith(prefix):
            return table.find_method(path.removeprefix(prefix).rstrip("/"), asked, dialect)
    if path == "/":
        command = (await read_arguments(request)).get("cmd")
        if isinstance(command, str) and command:
            return table.find_method(command, asked, Dialect.FRAPPE_V1)
    raw_path = find_raw_path(request)
    return table.find_records(raw_path, asked) or table.find_page(raw_path, asked) or _absent(path)


def _absent(path: str) -> Target:
    dialect = Dialect.FRAPPE_V2 if path.startswith("/api/v2/") else Dialect.FRAPPE_V1
    if not path.startswith("/api/"):
        dialect = Dialect.PLAIN
    return Target(path, PUBLIC, dialect, _refuse_not_found)


async def _refuse_not_found(call: Call) -> Reply:
    raise NotFound(f"There is nothing at {escape(call.request.scope['path'], NAME_LENGTH_MAX)}", told=False)
