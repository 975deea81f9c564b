"""Which refusals and spellings a gate remembers: none that could outlive its truth, and none without end."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchgate.core.access_tokens import digest_token, lookup_values
from latchgate.core.credentials import Scheme
from latchgate.core.policy import SIGNED_IN
from latchgate.core.principals import Principal, Reason, Rejected
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import NewToken
from support.cached_house import CachedHouse, is_remembered, reason
from support.house import PEPPERS, TOKEN_TEXT, USER, present_pair, present_token


class TestRefusals:
    def test_unknown_key_that_is_made(self, remembering: CachedHouse) -> None:
        """It works at its first request after it was made, however often it was refused before."""
        house = remembering.house
        presented = present_pair("made-elsewhere", "secret-made-elsewhere")
        assert reason(remembering.verify(presented)) is Reason.UNKNOWN_KEY
        assert is_remembered(remembering, presented)

        issued = house.add_key()
        assert not is_remembered(remembering, presented)
        with house.store.write() as tx:
            connection = tx._connection  # under an id that was asked for before
            connection.exec_driver_sql("UPDATE api_key SET key_id = 'made-elsewhere'")

        assert issued.key.key_id != "made-elsewhere"
        assert reason(remembering.verify(presented)) is Reason.WRONG_SECRET

    def test_unknown_token_that_is_imported(self, remembering: CachedHouse) -> None:
        """An import ends no verdict and notes no change: so a token that is not there is looked up every time."""
        presented = present_token(TOKEN_TEXT)
        assert reason(remembering.verify(presented)) is Reason.UNKNOWN_TOKEN

        remembering.house.add_token()

        assert isinstance(remembering.verify(presented), Principal)

    def test_token_that_gets_its_digest_later(self, remembering: CachedHouse) -> None:
        """Nor does a token's first digest: its row alone opens nothing, and that is not remembered either."""
        house, token = remembering.house, Secret(TOKEN_TEXT)
        house.add_token(text="another-token-of-the-house")
        with house.store.write() as tx:
            user = tx.users.find(USER)
            assert user is not None
            lookup = lookup_values(PEPPERS, token)[0]
            row = NewToken("later", lookup, user.id, "client", frozenset({"all"}), 1, house.clock.now() + 60, None)
            token_id = tx.access_tokens.add(row)
        assert reason(remembering.verify(present_token(TOKEN_TEXT))) is Reason.UNKNOWN_TOKEN

        with house.store.write() as tx:
            tx.access_tokens.set_digest(token_id, digest_token(PEPPERS, token_id, "later", token))

        assert isinstance(remembering.verify(present_token(TOKEN_TEXT)), Principal)

    def test_unknown_source_that_is_made(self, remembering: CachedHouse) -> None:
        """It is then the key that is unknown."""
        presented = present_pair("a", "b", source="Gate")
        assert reason(remembering.verify(presented)) is Reason.UNKNOWN_SOURCE
        assert is_remembered(remembering, presented)

        remembering.house.sources.create(COMMAND_LINE, "Gate")

        assert reason(remembering.verify(presented)) is Reason.UNKNOWN_KEY

    def test_guesses_count(self, remembering: CachedHouse) -> None:
        """A wrong secret that was refused before counts as a guess all the same."""
        presented = present_pair("nobody's", "secret")
        reasons = {remembering.gate.admit(presented, SIGNED_IN).reason for _ in range(301)}

        assert remembering.cache.misses == 1
        assert reasons == {Reason.UNKNOWN_KEY, Reason.TOO_MANY_FAILURES}

    def test_refusals_push_out_refusals_alone(self, remembering: CachedHouse) -> None:
        """However many guesses are made, good verdicts stay, and the guesses' memory is bounded."""
        presented = remembering.house.carry(Scheme.TOKEN)
        remembering.verify(presented)
        for number in range(1_100):
            remembering.verify(present_pair("nobody's", f"secret-{number}"))

        assert isinstance(remembering.recall(presented), Principal)
        assert is_remembered(remembering, present_pair("nobody's", "secret-1099"))
        assert not is_remembered(remembering, present_pair("nobody's", "secret-0"))

    @pytest.mark.parametrize("text", ["lgk_0000000000000000000000", "lga_0000000000000000000000000000000000000000"])
    def test_typing_errors(self, remembering: CachedHouse, text: str) -> None:
        """What its own checksum refutes is not looked up, and so not remembered."""
        for presented in (present_pair(text, "secret"), present_token(text)):
            assert remembering.verify(presented) == remembering.verify_anew(presented)
        assert remembering.cache.misses <= 1


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(lambda value: value.replace(b"token", b"TOKEN"), id="another case"),
        pytest.param(lambda value: value + b" ", id="a space after it"),
        pytest.param(lambda value: b" " + value, id="a space before it"),
    ],
)
def test_unusual_spelling(remembering: CachedHouse, spelling: Callable[[bytes], bytes]) -> None:
    """It is served, and not remembered: of each credential there would be no end of entries."""
    usual = remembering.house.carry(Scheme.TOKEN)
    presented = replace(usual, authorization=(spelling(usual.authorization[0]),))

    assert remembering.verify(presented) == remembering.verify(usual)
    assert remembering.recall(presented) is None
    assert len(remembering.cache.store) == 1


def test_base64_with_bits_that_mean_nothing(remembering: CachedHouse) -> None:
    """The one spelling that an encoder writes is remembered; the others open as much."""
    usual = present_pair("ab", "secret-7", Scheme.BASIC)
    value = usual.authorization[0]
    assert value.endswith(b"LTc=")
    presented = replace(usual, authorization=(value.replace(b"LTc=", b"LTd="),))

    unknown = Rejected(Reason.UNKNOWN_KEY, Scheme.BASIC, "User")
    assert remembering.verify(usual) == remembering.verify(presented) == unknown
    assert is_remembered(remembering, usual)
    assert remembering.cache.misses == 1


def test_bearer_with_a_source_header(remembering: CachedHouse) -> None:
    """Any value would do, so that none is remembered."""
    usual = remembering.house.carry(Scheme.BEARER)
    presented = replace(usual, source=(b"Any",))

    assert remembering.verify(presented) == remembering.verify(usual)
    assert remembering.recall(presented) is None


def test_two_headers(remembering: CachedHouse) -> None:
    """What is malformed is refused as ever."""
    usual = remembering.house.carry(Scheme.TOKEN)
    for presented in (
        replace(usual, authorization=usual.authorization * 2),
        replace(usual, source=(b"User", b"User")),
        replace(usual, authorization=()),
    ):
        assert remembering.verify(presented) == remembering.verify_anew(presented)
    assert remembering.cache.misses == 0
