"""The pages between a right password and a session: the code, and the second factor that must be set up first."""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import RedirectResponse, Response

from latchgate.core.sessions import csrf_token
from latchgate.core.tokens import Secret
from latchgate.errors import Invalid, RateLimited, SignInFailed
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.qr_codes import draw_qr_code
from latchgate.server.desk.responses import with_cookies
from latchgate.server.desk.sign_in import (
    CODE,
    SET_UP,
    SignInPages,
    home_of,
    status_of,
    told_when,
    with_target,
)
from latchgate.server.frappe.sessions import browser_of
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import WITHOUT_SESSION, Page
from latchgate.server.sign_in import Door, require_same_site
from latchgate.services.enrolments import ShownKey
from latchgate.services.sign_in_steps import SignInStepService, WaitingSignIn

__all__ = ["SignInStepPages"]

_FORM = frozenset({"GET", "POST"})
_INVALID = 417
_SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class SignInStepPages:
    """They run no script. What binds them to the browser is the cookie that the right password set."""

    frame: Frame
    door: Door
    sign_in: SignInPages

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            CODE: Page(WITHOUT_SESSION, _FORM, self.code, Dialect.PAGE),
            SET_UP: Page(WITHOUT_SESSION, _FORM, self.set_up, Dialect.PAGE),
        }

    async def code(self, call: Call) -> Response:
        """Ask for the code, and open the session by it."""
        step = self.door.find_step(call)
        waiting = await self._find(step)
        if step is None or waiting is None:
            return await self.sign_in.begin_again(call)
        target = await self._target(call)
        if not waiting.enrolled:
            return RedirectResponse(with_target(SET_UP, target), _SEE_OTHER)
        if call.request.method != "POST":
            return await self._ask_code(call, target)
        require_same_site(call)
        typed = await self._text(call, "code")
        try:
            signed_in = await anyio.to_thread.run_sync(self._steps.finish, step, typed, browser_of(call))
        except (SignInFailed, RateLimited) as error:
            if await self._find(step) is None:
                return told_when(await self.sign_in.begin_again(call), error)
            return told_when(await self._ask_code(call, target, error.public, status_of(error)), error)
        cookies = (*self.door.cookies(signed_in), self.door.cleared_step())
        return with_cookies(RedirectResponse(target or home_of(signed_in), _SEE_OTHER), cookies)

    async def set_up(self, call: Call) -> Response:
        """Show a key to whoever must have a second factor, and open the session by a code of it."""
        step = self.door.find_step(call)
        waiting = await self._find(step)
        if step is None or waiting is None:
            return await self.sign_in.begin_again(call)
        target = await self._target(call)
        if waiting.enrolled:
            return RedirectResponse(with_target(CODE, target), _SEE_OTHER)
        try:
            if call.request.method != "POST":
                shown = await anyio.to_thread.run_sync(self._steps.begin_enrolment, step)
                return self._show_key(waiting, shown, target)
            require_same_site(call)
            return await self._enrol(call, step, waiting, target)
        except SignInFailed as error:
            return await self.sign_in.begin_again(call, error.public)

    async def _enrol(self, call: Call, step: Secret, waiting: WaitingSignIn, target: str) -> Response:
        proof, typed = await self._text(call, "proof"), await self._text(call, "code")
        try:
            enrolled = await anyio.to_thread.run_sync(self._steps.enrol, step, proof, typed, browser_of(call))
        except (Invalid, RateLimited) as error:
            shown = await anyio.to_thread.run_sync(self._steps.show_again, step, proof)
            if isinstance(error, RateLimited):
                return told_when(self._show_key(waiting, shown, target, error.public, status_of(error)), error)
            return self._show_key(waiting, shown, target, error.fields["code"], _INVALID)
        signed_in = enrolled.signed_in
        response = self.frame.plain(
            "login_recovery_codes.html",
            codes=[code.text for code in enrolled.recovery_codes],
            goes_on=target or home_of(signed_in),
            csrf_token=csrf_token(self.frame.peppers, signed_in.sid),
        )
        return with_cookies(response, (*self.door.cookies(signed_in), self.door.cleared_step()))

    def _show_key(
        self, waiting: WaitingSignIn, shown: ShownKey, target: str, error: str = "", status: int = 200
    ) -> Response:
        return self.frame.plain(
            "login_second_factor.html",
            status,
            user=waiting.user.name,
            key=shown.key.text,
            qr_code=draw_qr_code(shown.address.text),
            proof=shown.proof,
            target=target,
            error=error,
        )

    async def _ask_code(self, call: Call, target: str, error: str = "", status: int = 200) -> Response:
        leads_to, client = await self.sign_in.find_application(target)
        recovery = (await call.read_arguments()).get("recovery") == "1"
        chosen = {} if recovery else {"recovery": "1"}
        return self.frame.plain(
            "login_code.html",
            status,
            leads_to=leads_to,
            client=client,
            target=target,
            error=error,
            recovery=recovery,
            other=with_target(CODE, target, **chosen),
            start=with_target("/login", target),
        )

    @property
    def _steps(self) -> SignInStepService:
        return self.door.steps

    async def _find(self, step: Secret | None) -> WaitingSignIn | None:
        return await anyio.to_thread.run_sync(self._steps.find, step) if step else None

    async def _target(self, call: Call) -> str:
        return self.sign_in.returns.read((await call.read_arguments()).get("redirect-to"))

    @staticmethod
    async def _text(call: Call, name: str) -> str:
        sent = (await call.read_arguments()).get(name)
        return sent if isinstance(sent, str) else ""
