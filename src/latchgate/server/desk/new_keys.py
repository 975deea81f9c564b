"""The form of a new key: its label, its end, what it may do, from where and how often."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import anyio.to_thread
from starlette.responses import Response

from latchgate.core.addresses import parse_networks
from latchgate.core.documents import API_KEY
from latchgate.core.permissions import Action
from latchgate.core.scopes import ALL, READ, parse_scopes
from latchgate.errors import Invalid
from latchgate.server.desk.forms import Told
from latchgate.server.desk.frame import Frame, Heading
from latchgate.server.desk.key_owners import KeyHome
from latchgate.server.requests import Call
from latchgate.services.documents import DocumentService
from latchgate.services.ports import Clock

__all__ = ["FIELDS", "FIRST", "NewKeyForm", "choice", "picked_scopes"]

FIELDS = ("label", "expires", "expires_on", "scopes", "allowed_networks", "limit_per_minute")
"""Where the form can say what is wrong."""
FIRST: Mapping[str, Any] = {"may": "all", "expires": "90"}
"""What is chosen when it opens."""

_DAY_SECONDS = 86_400
_EXPIRIES = (("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("date", "On a date"), ("", "Never"))
_MAY = (("all", "Everything that {} may"), ("read", "Read only"), ("pick", "What is picked here"))
_SCOPE = "scope:"
_AS_TYPED = ("label", "allowed_networks", "limit_per_minute")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKeyForm:
    """Shows the form, and reads it into the fields of an API Key."""

    frame: Frame
    documents: DocumentService
    clock: Clock
    days_max: int | None = None
    """In how many days a key must end; None for no limit."""

    async def show(
        self, call: Call, home: KeyHome, typed: Mapping[str, Any], told: Told | None = None, status: int = 200
    ) -> Response:
        """Render the form with what was typed, why it was refused, and what the key would come to."""
        allowed = await anyio.to_thread.run_sync(self.documents.list_allowed, call.actor)
        expiries = _offered(self.days_max)
        if typed.get("expires") not in [value for value, _ in expiries]:
            typed = {**typed, "expires": expiries[0][0]}
        return await self.frame.show(
            call,
            "new_key.html",
            Heading("New key", home.trail),
            status=status,
            keyed=home,
            typed=typed,
            told=told or Told(),
            expiries=expiries,
            lasting=_lasting_words(self.days_max),
            may=[(value, words.format(home.acts_as or "its user")) for value, words in _MAY],
            rights=sorted(allowed.items()),
            actions=list(Action),
            preview=self._preview(home, typed),
        )

    def read(self, home: KeyHome, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Read the form into a new API Key's fields; whether they are sound, the service judges. Raises Invalid."""
        wanted: dict[str, Any] = {"source": home.owner.source, "record": home.owner.record}
        wanted |= {name: typed[name] for name in _AS_TYPED if typed.get(name) not in (None, "")}
        problems: dict[str, str] = {}
        for name, read in (("scopes", _scopes), ("expires", self._expires)):
            try:
                wanted[name] = read(typed)
            except Invalid as error:
                problems |= error.fields
        if problems:
            raise Invalid(problems)
        return wanted

    def _expires(self, typed: Mapping[str, Any]) -> str | None:
        chosen = choice("expires", typed, _offered(self.days_max))
        if chosen != "date":
            return _text_of(self.clock.now() + int(chosen) * _DAY_SECONDS) if chosen else None
        try:
            day = date.fromisoformat(typed["expires_on"] if _DATE.fullmatch(str(typed.get("expires_on"))) else "")
        except ValueError:
            raise Invalid({"expires_on": "must be a day such as 2027-02-19"}) from None
        # The whole day counts, in UTC.
        end = int(datetime.combine(day, time(23, 59, 59), UTC).timestamp())
        if end <= self.clock.now():
            raise Invalid({"expires_on": "is over already; choose a day to come"})
        return _text_of(end)

    def _preview(self, home: KeyHome, typed: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the fields that the sentence at the foot is about, None while they make no sense."""
        try:
            wanted = self.read(home, typed)
            fields = API_KEY.fields
            limit = wanted.get("limit_per_minute")
            limit = None if limit is None else fields["limit_per_minute"].parse(limit)
            networks = parse_networks(",".join(fields["allowed_networks"].parse(wanted.get("allowed_networks", []))))
        except (ValueError, Invalid):
            return None
        scopes = parse_scopes(wanted["scopes"])
        if isinstance(scopes, str) or isinstance(networks, str):
            return None
        return {
            "scopes": sorted(scopes),
            "user": home.acts_as,
            "allowed_networks": list(map(str, networks)),
            "expires": wanted["expires"],
            "limit_per_minute": limit,
        }


def _offered(days_max: int | None) -> list[tuple[str, str]]:
    """Offer what the settings allow, the longest of all by its own name if no other is as long."""
    if days_max is None:
        return list(_EXPIRIES)
    shorter = [(days, words) for days, words in _EXPIRIES if days.isdigit() and int(days) < days_max]
    known = dict(_EXPIRIES).get(str(days_max), f"In {days_max} day{'' if days_max == 1 else 's'}")
    return [*shorter, (str(days_max), known), ("date", "On a date")]


def _lasting_words(days_max: int | None) -> str:
    if days_max is None:
        return "A key that never expires works for whoever finds it years from now."
    return f"Within {days_max} day{'' if days_max == 1 else 's'}: the settings let no key live longer."


def choice(name: str, sent: Mapping[str, Any], offered: Sequence[tuple[str, str]]) -> str:
    """Give what was chosen of what a form offers. Raises Invalid."""
    value = sent.get(name)
    if not isinstance(value, str) or value not in dict(offered):
        raise Invalid({name: f"must be one of: {', '.join(words for _, words in offered)}"})
    return value


def _text_of(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _scopes(typed: Mapping[str, Any]) -> list[str]:
    match typed.get("may"):
        case "all":
            return [ALL]
        case "read":
            return [READ]
        case "pick":
            return picked_scopes(typed)
        case _:
            raise Invalid({"scopes": "must be everything, reading alone, or what is picked"})


def picked_scopes(typed: Mapping[str, Any]) -> list[str]:
    """Read the scopes that were ticked and typed. Raises Invalid."""
    others = typed.get("other_scopes", "")
    if not isinstance(others, str):
        raise Invalid({"scopes": "other scopes must be a text, with commas between them"})
    named = [name.removeprefix(_SCOPE) for name in typed if name.startswith(_SCOPE)]
    picked = list(filter(None, (name.strip() for name in (*named, *re.split("[,\n]", others)))))
    if not picked:
        # None at all would mean every scope there is.
        raise Invalid({"scopes": "pick at least one, or choose what is above"})
    return picked
