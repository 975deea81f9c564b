"""Log-out that an application asks for. Source: OpenID Connect RP-Initiated Logout 1.0."""

from dataclasses import dataclass
from urllib.parse import urlencode

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.errors import BadRequest, OAuthError
from latchgate.oauth.redirects import origin_source
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.responses import with_cookies
from latchgate.server.frappe.sessions import end_session
from latchgate.server.oauth.authorize import read_query
from latchgate.server.replies import Fault
from latchgate.server.requests import Call, read_parameters
from latchgate.server.sign_in import Door, cleared_cookies
from latchgate.services.log_outs import LogOut, LogOutService

__all__ = ["END_SESSION", "EndSession"]

END_SESSION = "/api/method/frappe.integrations.oauth2.end_session"
_SIGN_IN = "/login"
_OURS = frozenset({"csrf_token", "decision"})


@dataclass(frozen=True, slots=True)
class EndSession:
    """Ends the session of a browser that an application sends here, asking its user wherever that is not certain."""

    frame: Frame
    door: Door
    log_outs: LogOutService

    async def __call__(self, call: Call) -> Response:
        """End the session, or ask."""
        if call.request.method == "POST":
            # From any site, so that no cookie came along: the browser asks again by itself.
            return RedirectResponse(f"{END_SESSION}?{urlencode(await read_parameters(call.request))}", 303)
        parameters = read_query(call.request)
        actor = call.actor if call.admission.principal else None
        try:
            asked = await anyio.to_thread.run_sync(self.log_outs.check, parameters, actor)
        except OAuthError as error:
            told = f"{error.public}. You are signed in as before."
            return self.frame.fault(Fault(400, "OAuthError", told), call.admission.principal)
        if actor is None:
            return _leave(asked)
        if asked.certain:
            return await self._end(call, asked)
        return self.frame.plain(
            "log_out.html",
            leads_to=origin_source(asked.location) if asked.location else "",
            client=asked.client,
            principal=call.principal,
            parameters=[(name, value) for name, value in parameters if value and name not in _OURS],
            csrf_token=self.frame.csrf_token(call),
        )

    async def confirm(self, call: Call) -> Response:
        """Take what the user says, by a form of ours that the session's token guards."""
        sent = await read_parameters(call.request)
        parameters = [(name, value) for name, value in sent if name not in _OURS]
        try:
            asked = await anyio.to_thread.run_sync(self.log_outs.check, parameters, call.actor)
        except OAuthError as error:
            told = f"{error.public}. You are signed in as before."
            return self.frame.fault(Fault(400, "OAuthError", told), call.admission.principal)
        decisions = [value for name, value in sent if name == "decision"]
        if decisions not in (["leave"], ["stay"]):
            raise BadRequest("decision: must be leave or stay")
        if decisions == ["stay"]:
            return RedirectResponse("/", 303)
        return await self._end(call, asked)

    async def _end(self, call: Call, asked: LogOut) -> Response:
        await end_session(self.door.sign_in, call)
        return with_cookies(_leave(asked), cleared_cookies())


def _leave(asked: LogOut) -> Response:
    return RedirectResponse(asked.location or _SIGN_IN, 303)
