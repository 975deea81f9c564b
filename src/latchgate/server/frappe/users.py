"""get_roles: which roles a user has, the automatic ones too."""

from dataclasses import dataclass

import anyio.to_thread

from latchgate.core.users import ALL_ROLE, DESK_USER, GUEST, SYSTEM_MANAGER, automatic_roles
from latchgate.errors import Invalid
from latchgate.server.replies import Reply
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService

__all__ = ["GetRoles"]

_ORDER = (ALL_ROLE, GUEST, DESK_USER, SYSTEM_MANAGER)


@dataclass(frozen=True, slots=True)
class GetRoles:
    """Tell the roles of the user that the argument `uid` names, or one's own.

    Source: recorded, area `keys`, `self: roles after that`.
    """

    documents: DocumentService

    async def __call__(self, call: Call) -> Reply:
        """Answer with the granted roles, then the automatic ones; others' for whoever may read the user."""
        named = (await call.read_arguments()).get("uid") or call.principal.user
        if not isinstance(named, str):
            raise Invalid({"uid": "must be the name of a user"})
        user = await anyio.to_thread.run_sync(self.documents.get, call.actor, "User", named)
        granted = [row["role"] for row in user["roles"]]
        automatic = automatic_roles(user["name"], user["user_type"])
        return Reply(granted + sorted(automatic - {*granted}, key=_ORDER.index))
