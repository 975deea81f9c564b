"""One's own second factor: set up, replaced, turned off; each asks for the password again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from latchgate.core.credentials import Scheme
from latchgate.core.policy import Requirement
from latchgate.core.second_factors import RECOVERY_CODES, RecoveryCode, parse_code
from latchgate.core.tokens import Secret
from latchgate.errors import Invalid, RateLimited
from latchgate.server.desk.account import ACCOUNT
from latchgate.server.desk.forms import Told, told_of
from latchgate.server.desk.frame import Frame, Heading, Link
from latchgate.server.desk.qr_codes import draw_qr_code
from latchgate.server.replies import Dialect
from latchgate.server.requests import Call
from latchgate.server.routes import Page
from latchgate.services.enrolments import ShownKey
from latchgate.services.second_factors import SecondFactorService

__all__ = ["SecondFactorPages"]

_BY_SESSION = Requirement(user=True, schemes=frozenset({Scheme.SESSION}))
_PAGE = f"{ACCOUNT}/second-factor"
_FORM = frozenset({"GET", "POST"})
_FIELDS = ("current_password", "code")
_INVALID, _TOO_MANY = 417, 429
_FILE_NAME = "latchgate-recovery-codes.txt"
_FILE_HEADING = "Latchgate recovery codes: each opens the account once."
_AGAIN = "This key was shown too long ago. Begin again."
_ABOVE = (Link("My account", ACCOUNT), Link("Second factor", _PAGE))


@dataclass(frozen=True, slots=True)
class SecondFactorPages:
    """Keys and recovery codes are shown once, to the session that asked; programs have no second factor."""

    frame: Frame
    second_factors: SecondFactorService
    limiter: anyio.CapacityLimiter = field(repr=False)
    """How many passwords are checked at once."""

    def table(self) -> Mapping[str, Page]:
        """List the pages by address."""
        return {
            _PAGE: Page(_BY_SESSION, frozenset({"GET"}), self.show, Dialect.PAGE),
            f"{_PAGE}/set-up": Page(_BY_SESSION, _FORM, self.set_up, Dialect.PAGE),
            f"{_PAGE}/confirm": Page(_BY_SESSION, _FORM, self.confirm, Dialect.PAGE),
            f"{_PAGE}/recovery-codes": Page(_BY_SESSION, _FORM, self.renew_codes, Dialect.PAGE),
            f"{_PAGE}/download": Page(_BY_SESSION, frozenset({"POST"}), self.download, Dialect.PAGE),
            f"{_PAGE}/turn-off": Page(_BY_SESSION, _FORM, self.turn_off, Dialect.PAGE),
        }

    async def show(self, call: Call) -> Response:
        """Tell how one's second factor stands, and what can be done."""
        state = await anyio.to_thread.run_sync(self.second_factors.get_own, call.actor)
        heading = Heading("Second factor", _ABOVE[:1])
        return await self.frame.show(call, "second_factor.html", heading, state=state)

    async def set_up(self, call: Call) -> Response:
        """Ask for the password, and show a new key to whoever knows it."""
        if call.request.method != "POST":
            return await self._ask(call, "set-up")
        shown = await self._try(call, "set-up", self.second_factors.begin)
        return shown if isinstance(shown, Response) else await self._show_key(call, shown)

    async def confirm(self, call: Call) -> Response:
        """Take a code of the key that was shown, and give recovery codes."""
        if call.request.method != "POST":
            # Loaded again, there is nothing to show any more.
            return RedirectResponse(_PAGE, 303)
        typed = await call.read_arguments()
        proof, code = _text(typed, "proof"), _text(typed, "code")
        try:
            codes = await anyio.to_thread.run_sync(self.second_factors.confirm, call.actor, proof, code)
        except (Invalid, RateLimited) as error:
            shown = await anyio.to_thread.run_sync(self.second_factors.show_again, call.actor, proof)
            if shown is None:
                return await self._ask(call, "set-up", Told(problem=_AGAIN), _INVALID)
            return _when(await self._show_key(call, shown, told_of(error, _FIELDS), _status(error)), error)
        return await self._show_codes(call, codes)

    async def renew_codes(self, call: Call) -> Response:
        """Give new recovery codes to whoever knows the password and has a code."""
        if call.request.method != "POST":
            return await self._ask(call, "recovery-codes")
        codes = await self._try(call, "recovery-codes", self.second_factors.renew_codes)
        return codes if isinstance(codes, Response) else await self._show_codes(call, codes)

    async def download(self, call: Call) -> Response:
        """Give recovery codes back as a file to the page that shows them: here they are digests alone."""
        sent = _text(await call.read_arguments(), "codes").split()[:RECOVERY_CODES]
        if not sent or not all(isinstance(parse_code(code), RecoveryCode) for code in sent):
            raise Invalid({"codes": "must be the recovery codes that the page shows"})
        text = "\n".join([_FILE_HEADING, "", *sent, ""])
        return PlainTextResponse(text, headers={"Content-Disposition": f'attachment; filename="{_FILE_NAME}"'})

    async def turn_off(self, call: Call) -> Response:
        """End one's second factor."""
        if call.request.method != "POST":
            return await self._ask(call, "turn-off")
        refused = await self._try(call, "turn-off", self.second_factors.turn_off)
        return refused if isinstance(refused, Response) else RedirectResponse(f"{_PAGE}?done=second-factor-off", 303)

    async def _try(self, call: Call, what: str, act: Callable[..., Any]) -> Any:  # noqa: ANN401  # as `act` gives
        typed = await call.read_arguments()
        password, code = Secret(_text(typed, "current_password")), _text(typed, "code")
        try:
            return await anyio.to_thread.run_sync(partial(act, call.actor, password, code), limiter=self.limiter)
        except (Invalid, RateLimited) as error:
            return _when(await self._ask(call, what, told_of(error, _FIELDS), _status(error)), error)

    async def _ask(self, call: Call, what: str, told: Told | None = None, status: int = 200) -> Response:
        state = await anyio.to_thread.run_sync(self.second_factors.get_own, call.actor)
        titles = {
            "set-up": "Set up another device" if state.since else "Set up a second factor",
            "recovery-codes": "New recovery codes",
            "turn-off": "Turn off the second factor",
        }
        return await self.frame.show(
            call,
            "second_factor_asks.html",
            Heading(titles[what], _ABOVE),
            status=status,
            what=what,
            action=f"{_PAGE}/{what}",
            back=_PAGE,
            state=state,
            told=told or Told(),
        )

    async def _show_key(self, call: Call, shown: ShownKey, told: Told | None = None, status: int = 200) -> Response:
        return await self.frame.show(
            call,
            "second_factor_key.html",
            Heading("Scan the key", _ABOVE),
            status=status,
            key=shown.key.text,
            qr_code=draw_qr_code(shown.address.text),
            proof=shown.proof,
            action=f"{_PAGE}/confirm",
            back=_PAGE,
            told=told or Told(),
        )

    async def _show_codes(self, call: Call, codes: list[Secret]) -> Response:
        heading = Heading("Recovery codes", _ABOVE)
        shown = [code.text for code in codes]
        return await self.frame.show(call.after_change(), "second_factor_codes.html", heading, codes=shown, back=_PAGE)


def _text(typed: Mapping[str, Any], name: str) -> str:
    value = typed.get(name)
    return value if isinstance(value, str) else ""


def _status(error: Invalid | RateLimited) -> int:
    return _TOO_MANY if isinstance(error, RateLimited) else _INVALID


def _when(response: Response, error: Invalid | RateLimited) -> Response:
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response
