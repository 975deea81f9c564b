"""The page where a user types the code that a device shows, and allows the device. Source: RFC 8628, section 3.3."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Requirement
from latchgate.errors import NotFound, RateLimited
from latchgate.server.desk.frame import Frame
from latchgate.server.oauth.scope_words import scope_sentences
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.devices import AskingDevice, DeviceService

__all__ = ["DEVICE", "DevicePages"]

DEVICE = "/device"
_SHOWN_LENGTH_MAX = 20
_NOT_FOUND, _TOO_MANY = 404, 429


@dataclass(frozen=True, slots=True)
class DevicePages:
    """Nothing is allowed by following an address: who came by one that holds the code must confirm it too (5.4)."""

    frame: Frame
    devices: DeviceService

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        requires = Requirement(user=False, schemes=frozenset({Scheme.SESSION}))
        return {DEVICE: Page(requires, frozenset({"GET", "POST"}), self.device, Dialect.PAGE)}

    async def device(self, call: Call) -> Response:
        """Ask for the code, show what the device asks for, and take what the user says."""
        arguments = await call.read_arguments()
        typed = arguments.get("user_code")
        code = typed[:_SHOWN_LENGTH_MAX] if isinstance(typed, str) and typed.isprintable() else ""
        if call.admission.principal is None:
            return RedirectResponse(_sign_in(code), 303)
        if call.request.method != "POST":
            return self._ask_code(call, code)
        try:
            decision = arguments.get("decision")
            if decision in {"allow", "deny"}:
                return await self._answer(call, code, allow=decision == "allow")
            asking = await anyio.to_thread.run_sync(self.devices.find, call.actor, code)
        except NotFound as error:
            return self._ask_code(call, code, error.public, _NOT_FOUND)
        except RateLimited as error:
            response = self._ask_code(call, code, error.public, _TOO_MANY)
            response.headers["Retry-After"] = str(error.retry_after_seconds)
            return response
        return self._ask(call, asking)

    async def _answer(self, call: Call, code: str, *, allow: bool) -> Response:
        def answer() -> bool:
            return self.devices.answer(call.actor, code, allow=allow)

        allowed = await anyio.to_thread.run_sync(answer)
        return self.frame.plain("device_done.html", allowed=allowed, refused=allow and not allowed)

    def _ask_code(self, call: Call, code: str, problem: str = "", status: int = 200) -> Response:
        return self.frame.plain(
            "device.html",
            status,
            code=code,
            problem=problem,
            principal=call.principal,
            other=_sign_in(code),
            csrf_token=self.frame.csrf_token(call),
        )

    def _ask(self, call: Call, asking: AskingDevice) -> Response:
        return self.frame.plain(
            "device_consent.html",
            # Not as it was typed, or as a link had it: the user compares it with the device's.
            code=asking.user_code,
            client=asking.client,
            sentences=scope_sentences(asking.code.approval.scopes),
            resources=sorted(asking.code.approval.audience),
            principal=call.principal,
            other=_sign_in(asking.user_code),
            csrf_token=self.frame.csrf_token(call),
        )


def _sign_in(code: str) -> str:
    """Give the address of the sign-in page, which shows its form to whoever is signed in too, and leads back."""
    back = f"{DEVICE}?{urlencode({'user_code': code})}" if code else DEVICE
    return f"/login?{urlencode({'redirect-to': back})}"
