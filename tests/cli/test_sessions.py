"""latchgate session."""

import pytest

from latchgate.core.credentials import Presented
from latchgate.core.policy import SIGNED_IN
from latchgate.core.tokens import Secret
from latchgate.services.sign_in import CodeAsked, SignedIn, SignInAttempt
from support.command_line import CommandLine
from support.second_factors import give_device

_PASSWORD = "correct horse battery"
_ANN = "ann@example.com"


@pytest.fixture
def ann_with_password(ann: CommandLine) -> CommandLine:
    """An instance with a user who can sign in."""
    ann.run("user", "set-password", _ANN, "--password-stdin", stdin=_PASSWORD)
    return ann


def _attempt(cli: CommandLine, agent: str) -> SignedIn | CodeAsked:
    with cli.opened() as latchgate:
        return latchgate.sign_in.sign_in(SignInAttempt(_ANN, Secret(_PASSWORD), "192.0.2.1", agent))


def _sign_in(cli: CommandLine, agent: str) -> SignedIn:
    signed_in = _attempt(cli, agent)
    assert isinstance(signed_in, SignedIn)
    return signed_in


def _opens(cli: CommandLine, signed_in: SignedIn) -> bool:
    presented = Presented("GET", "/", "192.0.2.1", session_cookie=signed_in.sid.text)
    with cli.opened() as latchgate:
        return latchgate.gate.admit(presented, SIGNED_IN).principal is not None


def test_the_sessions_of_a_user_are_listed(ann_with_password: CommandLine) -> None:
    """Each by the name that ends it, and none of its secret."""
    cli = ann_with_password
    signed_in = _sign_in(cli, "Firefox")

    (record,) = cli.json("session", "list", _ANN)

    assert (record["user"], record["ip_address"], record["user_agent"]) == (_ANN, "192.0.2.1", "Firefox")
    assert record["second_factor"] is False
    assert record["since"] == record["last_seen"]
    heading, row = cli.lines("session", "list", _ANN)
    assert heading.split()[0] == "SESSION"
    assert row.split()[0] == record["session"]
    assert signed_in.sid.text not in row + str(record)


def test_one_session_is_ended(ann_with_password: CommandLine) -> None:
    """It opens nothing from the next request on; others and another's name are left alone."""
    cli = ann_with_password
    first, second = _sign_in(cli, "Firefox"), _sign_in(cli, "Chrome")
    named = {record["user_agent"]: record["session"] for record in cli.json("session", "list", _ANN)}

    told = cli.lines("session", "end", _ANN, named["Firefox"])

    assert told == [f"Ended {named['Firefox']} of {_ANN}."]
    assert [_opens(cli, one) for one in (first, second)] == [False, True]
    assert "no such session" in cli.refusal("session", "end", "Administrator", named["Chrome"])
    assert _opens(cli, second)


def test_all_sessions_are_ended(ann_with_password: CommandLine) -> None:
    """Where there are none any more, that is said and is no failure."""
    cli = ann_with_password
    signed_in = [_sign_in(cli, agent) for agent in ("Firefox", "Chrome")]

    assert cli.json("session", "end", _ANN, "--all") == {
        "user": _ANN,
        "session": None,
        "ended": 2,
        "sign_ins": 0,
    }

    assert not any(_opens(cli, one) for one in signed_in)
    assert cli.lines("session", "end", _ANN, "--all") == [f"{_ANN} was signed in nowhere."]
    assert cli.json("session", "list", _ANN) == []
    assert f"{_ANN} is signed in nowhere." in cli.run("session", "list", _ANN).stderr
    assert [row["operation"] for row in cli.json("log", "activity")].count("session.others_ended") == 1


def test_with_all_sessions_those_end_that_wait_for_a_code(ann_with_password: CommandLine) -> None:
    """Whoever knows the password is not in by a code a moment later."""
    cli = ann_with_password
    with cli.opened() as latchgate:
        give_device(latchgate.store, latchgate.second_factors.enrolments, _ANN)
    waiting = _attempt(cli, "Firefox")
    assert isinstance(waiting, CodeAsked)

    assert cli.lines("session", "end", _ANN, "--all") == [f"Ended 1 waiting sign-in of {_ANN}."]
    noted = [row["detail"] for row in cli.json("log", "activity") if row["operation"] == "session.others_ended"]

    assert noted == ["1 waiting sign-in ended"]
    assert cli.lines("session", "end", _ANN, "--all") == [f"{_ANN} was signed in nowhere."]
    with cli.opened() as latchgate:
        assert latchgate.sign_in_steps.find(waiting.step) is None


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("list", "nobody@example.com"), 1, "latchgate user list"),
        (("end", _ANN, "session-none"), 1, "latchgate session list ann@example.com"),
        (("end", "nobody@example.com", "--all"), 1, "not found"),
        (("end", _ANN), 2, "name one session, or give --all"),
        (("end", _ANN, "session-none", "--all"), 2, "name one session, or give --all"),
    ],
)
def test_what_cannot_be_is_refused(ann: CommandLine, arguments: tuple[str, ...], code: int, told: str) -> None:
    """With the exit code of its kind and one line that says what is right."""
    assert told in ann.refusal("session", *arguments, code=code)
