"""generate_keys: a user's first key and a new secret for it."""

from dataclasses import dataclass

import anyio.to_thread

from latchgate.core.credentials import USER_SOURCE
from latchgate.core.users import parse_user_name
from latchgate.server.replies import Reply
from latchgate.server.requests import Call, require_text
from latchgate.services.api_keys import ApiKeyService, Owner

__all__ = ["GenerateKeys"]


@dataclass(frozen=True, slots=True)
class GenerateKeys:
    """Keep or make the key of the user that the argument `user` names, and replace its secret at once.

    Source: recorded, area `keys`.
    """

    api_keys: ApiKeyService

    async def __call__(self, call: Call) -> Reply:
        """Answer with `api_key` and, this once, `api_secret`."""
        named = require_text(await call.read_arguments(), "user")
        owner = Owner(USER_SOURCE, parse_user_name(named) or named)
        issued = await anyio.to_thread.run_sync(self.api_keys.generate_primary, call.actor, owner)
        return Reply({"api_key": issued.key.key_id, "api_secret": issued.secret.text})
