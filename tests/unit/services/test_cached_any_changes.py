"""Whatever happens in whatever order, a gate that remembers answers as one that looks everything up."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from hypothesis import example, given, settings
from hypothesis import strategies as st

from latchgate.core.api_keys import Limits
from latchgate.core.credentials import Presented, Scheme
from latchgate.core.principals import Principal
from latchgate.errors import LatchgateError
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import UserChanges
from support.cached_house import cached
from support.house import ADDRESS, USER, House, present_pair

ELSEWHERE = "198.51.100.7"
SOURCE, RECORD = "Event Consumer", "consumer"
NETWORKS = (ip_network("192.0.2.0/24"),)


class Actions:
    """What may happen, each by a letter; what cannot happen now is refused and changes nothing."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.presented: list[Presented] = [
            present_pair("unknown", "secret-0123"),
            present_pair("a", "b", source="Gate"),
        ]
        self._keys: list[tuple[str, str | None]] = []

    def do(self, letter: str) -> None:
        """Do one thing."""
        doing: dict[str, Callable[[], object]] = {
            "u": self.house.add_user,
            "d": lambda: self.house.users.delete(COMMAND_LINE, USER),
            "e": lambda: self.house.users.set_enabled(COMMAND_LINE, USER, enabled=False),
            "E": lambda: self.house.users.set_enabled(COMMAND_LINE, USER, enabled=True),
            "h": lambda: self._change(UserChanges(login_after=9, login_before=17)),
            "H": lambda: self._change(UserChanges(login_after=0, login_before=0)),
            "n": lambda: self._change(UserChanges(restrict_ip=NETWORKS)),
            "N": lambda: self._change(UserChanges(restrict_ip=())),
            "r": lambda: self.house.roles.create(COMMAND_LINE, "Editor"),
            "R": lambda: self.house.roles.delete(COMMAND_LINE, "Editor"),
            "g": lambda: self.house.roles.grant(COMMAND_LINE, USER, "Editor"),
            "G": lambda: self.house.roles.revoke(COMMAND_LINE, USER, "Editor"),
            "k": lambda: self._add_key(Limits(frozenset({"all"}))),
            "l": lambda: self._add_key(Limits(frozenset({"all"}), NETWORKS, None, self.house.clock.now() + 1_000)),
            "o": self._rotate,
            "K": self._revoke,
            "t": lambda: self.presented.append(self.house.carry(Scheme.BEARER)),
            "s": lambda: self.house.sources.create_record(COMMAND_LINE, SOURCE, RECORD, USER, enabled=True),
            "S": lambda: self.house.sources.enable_record(COMMAND_LINE, SOURCE, RECORD, enabled=False),
            "c": self._add_key_of_record,
            "x": lambda: self.house.sources.create(COMMAND_LINE, "Gate"),
            "X": lambda: self.house.sources.delete(COMMAND_LINE, "Gate"),
            "1": lambda: self.house.clock.advance(300),
            "2": lambda: self.house.clock.advance(3_600),
        }
        try:
            doing[letter]()
        except LatchgateError:
            return

    def _change(self, changes: UserChanges) -> None:
        self.house.users.change(COMMAND_LINE, USER, changes)

    def _add_key(self, limits: Limits) -> None:
        issued = self.house.add_key(limits=limits)
        self._keys.append((issued.key.key_id, None))
        scheme = Scheme.BASIC if len(self._keys) % 2 else Scheme.TOKEN
        self.presented.append(present_pair(issued.key.key_id, issued.secret.text, scheme))

    def _add_key_of_record(self) -> None:
        issued = self.house.add_key(RECORD, source=SOURCE)
        self.presented.append(present_pair(issued.key.key_id, issued.secret.text, source=SOURCE))

    def _rotate(self) -> None:
        key_id, _ = self._keys[-1] if self._keys else ("", None)
        issued = self.house.keys.rotate(COMMAND_LINE, key_id, overlap_seconds=600)
        self.presented.append(present_pair(key_id, issued.secret.text))

    def _revoke(self) -> None:
        key_id, _ = self._keys[-1] if self._keys else ("", None)
        self.house.keys.revoke(COMMAND_LINE, key_id)


LETTERS = "udeEhHnNrRgGklokKtsSc" + "xX12" + "k1t"


@settings(max_examples=60)
# A former secret that ends after its key was revoked: the reason of the refusal is another one from then on.
@example(["o", "K", "2"])
@given(st.lists(st.sampled_from(LETTERS), max_size=25))
def test_any_changes(houses: Callable[[], House], letters: list[str]) -> None:
    """After each step every credential, from two addresses, gets the answer that a look-up gives, twice."""
    house = houses()
    house.add_user()
    with cached(house) as remembering:
        actions = Actions(house)
        for letter in ("r", "g", "k", *letters):
            actions.do(letter)
            for presented in actions.presented:
                for address in (ADDRESS, ELSEWHERE):
                    one = replace(presented, peer_address=address)
                    recalled = remembering.recall(one)
                    anew = remembering.verify_anew(one)
                    assert recalled in {None, anew}
                    if len(letters) % 2:
                        assert remembering.let_in(one) == (anew if isinstance(anew, Principal) else None)
                    assert remembering.verify(one) == anew
                    assert remembering.verify(one) == anew
