"""Between a right password and a session: a code, once, soon, by whoever began, or nothing."""

from collections.abc import Callable
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from latchgate.core.policy import SIGNED_IN
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import Invalid, RateLimited, SignInFailed
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import UserChanges
from latchgate.services.sign_in import STEP_SECONDS, Browser, CodeAsked, SignedIn, SignInAttempt
from latchgate.services.sign_in_steps import ATTEMPTS_MAX
from latchgate.services.throttles import SignInLimits, Throttles
from latchgate.services.users import UserOrder
from support.house import ADDRESS, OTHER_PEPPERS, PASSWORD, THROTTLES, USER, House, present_session
from support.second_factors import Device, give_device, wrong_code

BROWSER = Browser(ADDRESS, "browser")
OTHER = "other@example.com"


@pytest.fixture
def device(house: House) -> Device:
    """The device of a user who can sign in by password."""
    house.add_user()
    return give_device(house.store, house.enrolments, USER)


def _finish(house: House, asked: CodeAsked, code: str, browser: Browser = BROWSER) -> SignedIn:
    """Type a code, as if nobody had tried any from there."""
    house.throttles.forget_sign_ins(USER, browser.ip_address)
    return house.sign_in_steps.finish(asked.step, code, browser)


def _opens(house: House, signed_in: SignedIn) -> bool:
    return house.admit(present_session(signed_in.sid.text), SIGNED_IN).principal is not None


def _sessions(house: House) -> int:
    return int(house.execute("SELECT count(*) FROM session")[0][0])


def test_the_password_alone_opens_nothing(house: House, device: Device) -> None:
    """It is answered by what waits for a code; there is no session before."""
    asked = house.ask_code()

    assert asked.enrolled
    assert _sessions(house) == 0
    assert house.admit(present_session(asked.step.text), SIGNED_IN).principal is None
    assert asked.step.text not in repr(asked)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_opens_the_session(house: House, device: Device, steps: int) -> None:
    """Of the present half minute or one beside it; the log says by what."""
    signed_in = _finish(house, house.ask_code(), device.code(house.clock.now(), steps))

    assert _opens(house, signed_in)
    told = house.activity()[-1]
    assert (told.operation, told.user, told.detail) == ("session.started", USER, "with a code of the app")


def test_a_code_is_good_once(house: House, device: Device) -> None:
    """Whoever looked over the shoulder is refused, with that code and an older one."""
    now = house.clock.now()
    _finish(house, house.ask_code(), device.code(now))

    for code in (device.code(now), device.code(now, -1)):
        with pytest.raises(SignInFailed, match="not right"):
            _finish(house, house.ask_code(), code)
    assert _opens(house, _finish(house, house.ask_code(), device.code(now, 1)))


def test_a_code_is_good_once_in_two_processes(house: House, device: Device) -> None:
    """Of two that come with it at the same moment, one gets in."""
    both = [house, house.with_peppers(house.peppers)]
    asked = [house.ask_code() for _ in both]
    code, barrier = device.code(house.clock.now()), Barrier(2)
    came: list[SignedIn | None] = []

    def finish(one: House, step: CodeAsked) -> None:
        barrier.wait()
        try:
            came.append(_finish(one, step, code))
        except SignInFailed:
            came.append(None)

    threads = [Thread(target=finish, args=pair) for pair in zip(both, asked, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one is None for one in came) == [False, True]
    assert _sessions(house) == 1


def test_a_recovery_code_opens_once(house: House, device: Device) -> None:
    """In the place of the device's, and the log says how many are left."""
    signed_in = _finish(house, house.ask_code(), device.recovery_codes[0].upper())

    assert _opens(house, signed_in)
    assert house.activity()[-1].detail == "with a recovery code, 9 left"
    with pytest.raises(SignInFailed):
        _finish(house, house.ask_code(), device.recovery_codes[0])
    assert _opens(house, _finish(house, house.ask_code(), device.recovery_codes[1]))


def test_recovery_codes_are_stored_as_digests(house: House, device: Device) -> None:
    """Neither they nor the key stand in the database."""
    rows = repr(house.execute("SELECT digest FROM recovery_code")) + repr(house.execute("SELECT * FROM second_factor"))

    assert house.execute("SELECT count(*) FROM recovery_code") == [(10,)]
    for code in device.recovery_codes:
        assert code.replace("-", "") not in rows
    assert device.key not in rows


def test_what_belongs_to_another_user_opens_nothing(house: House, device: Device) -> None:
    """Their codes, their recovery codes, and their sealed key copied into one's own row."""
    house.add_user(OTHER)
    theirs = give_device(house.store, house.enrolments, OTHER)
    now = house.clock.now()

    for code in (theirs.code(now), theirs.recovery_codes[0]):
        with pytest.raises(SignInFailed):
            _finish(house, house.ask_code(), code)
    house.execute("UPDATE second_factor SET sealed = (SELECT sealed FROM second_factor ORDER BY user_id DESC LIMIT 1)")
    with pytest.raises(SignInFailed):
        _finish(house, house.ask_code(), theirs.code(now))


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "0" * 100, "123456\0", "½23456"])
def test_what_is_no_code_opens_nothing(house: House, device: Device, typed: str) -> None:
    """Told as a wrong one."""
    with pytest.raises(SignInFailed, match="not right"):
        _finish(house, house.ask_code(), typed)


@pytest.mark.parametrize("step", ["", "lgi_", "lgi_" + "0" * 39, "x"])
def test_a_made_up_step_opens_nothing(house: House, device: Device, step: str) -> None:
    """Whatever code comes with it; and no recovery code is used up."""
    with pytest.raises(SignInFailed, match="Sign in again"):
        house.sign_in_steps.finish(Secret(step), device.recovery_codes[0], BROWSER)

    assert house.execute("SELECT count(*) FROM recovery_code") == [(10,)]


def test_another_key_file_s_step_opens_nothing(house: House, device: Device) -> None:
    """What was digested with it is nobody's here."""
    asked = house.ask_code()

    assert house.with_peppers(OTHER_PEPPERS).sign_in_steps.find(asked.step) is None


def test_a_step_ends_with_its_time(house: House, device: Device) -> None:
    """After some minutes the password is asked for again."""
    asked = house.ask_code()
    house.clock.advance(STEP_SECONDS)

    assert house.sign_in_steps.find(asked.step) is None
    with pytest.raises(SignInFailed, match="Sign in again"):
        _finish(house, asked, device.code(house.clock.now()))


def test_a_step_is_used_up(house: House, device: Device) -> None:
    """It opens one session."""
    asked, now = house.ask_code(), house.clock.now()
    _finish(house, asked, device.code(now))

    with pytest.raises(SignInFailed, match="Sign in again"):
        _finish(house, asked, device.code(now, 1))


def test_a_step_takes_few_codes(house: House, device: Device) -> None:
    """Then even the right one comes too late."""
    asked, now = house.ask_code(), house.clock.now()
    wrong = wrong_code(device, now)
    for _ in range(ATTEMPTS_MAX):
        with pytest.raises(SignInFailed, match="not right"):
            _finish(house, asked, wrong)

    with pytest.raises(SignInFailed, match="Sign in again"):
        _finish(house, asked, device.code(now))


def _new_password(house: House) -> None:
    house.users.set_password(COMMAND_LINE, USER, Secret("another long password"))


def _disable(house: House) -> None:
    house.users.set_enabled(COMMAND_LINE, USER, enabled=False)


def _reset(house: House) -> None:
    house.second_factors.end_for(COMMAND_LINE, USER)


def _delete(house: House) -> None:
    house.users.delete(COMMAND_LINE, USER)


@pytest.mark.parametrize("happens", [_new_password, _disable, _reset, _delete])
def test_a_step_ends_with_what_it_stands_on(house: House, device: Device, happens: Callable[[House], None]) -> None:
    """Another password, a disabled or deleted user, a second factor that was ended."""
    asked = house.ask_code()
    happens(house)

    with pytest.raises(SignInFailed, match="Sign in again"):
        _finish(house, asked, device.code(house.clock.now()))
    assert _sessions(house) == 0


@pytest.mark.parametrize("happens", [_new_password, _disable, _reset, _delete])
def test_what_ends_a_step_meanwhile_counts(house: House, device: Device, happens: Callable[[House], None]) -> None:
    """Also where it happens while the code is looked at; and no recovery code is used up."""
    asked = house.ask_code()
    house.entropy.interrupt = lambda: happens(house)

    with pytest.raises(SignInFailed, match="Sign in again"):
        _finish(house, asked, device.recovery_codes[0])
    assert _sessions(house) == 0
    assert house.execute("SELECT count(*) FROM recovery_code") in ([(10,)], [(0,)])


def test_address_and_hours_are_judged_again(house: House, device: Device) -> None:
    """When the session opens, before the code is looked at."""
    asked = house.ask_code()
    user = house.users.get(USER)
    house.change_user(user, UserChanges(login_after=24))

    with pytest.raises(SignInFailed, match="not allowed at this time"):
        _finish(house, asked, device.code(house.clock.now()))
    assert _sessions(house) == 0


def test_whoever_knows_the_password_is_slowed(house: House, device: Device) -> None:
    """The right password does not begin the count of attempts anew: it is the code that does."""
    wrong = wrong_code(device, house.clock.now())

    def try_once() -> str:
        try:
            house.sign_in_steps.finish(house.ask_code().step, wrong, BROWSER)
        except SignInFailed:
            return "wrong"
        except RateLimited:
            return "limited"
        return "in"

    tried = [try_once() for _ in range(8)]

    assert tried == ["wrong"] * 5 + ["limited"] * 3
    assert _sessions(house) == 0


def test_a_right_password_is_no_failure(house: House, device: Device) -> None:
    """Where one failure is all there may be, the password and the code still open a session; one wrong code is it."""
    strict = Throttles(house.clock, THROTTLES, find_limits=lambda: SignInLimits(1, 10, 600))
    sign_in = replace(house.sign_in, throttles=strict)
    steps = replace(house.sign_in_steps, sign_in=sign_in)

    def begin() -> CodeAsked:
        asked = sign_in.sign_in(SignInAttempt(USER, PASSWORD, ADDRESS, "browser"))
        assert isinstance(asked, CodeAsked)
        return asked

    assert _opens(house, steps.finish(begin().step, device.code(house.clock.now()), BROWSER))
    asked = begin()
    with pytest.raises(SignInFailed):
        steps.finish(asked.step, wrong_code(device, house.clock.now()), BROWSER)
    with pytest.raises(RateLimited):
        steps.finish(asked.step, device.code(house.clock.now(), 1), BROWSER)


def test_after_many_wrong_codes_only_a_recovery_code_is_looked_at(house: House, device: Device) -> None:
    """From whatever addresses they came; the owner is not shut out, and the count ends after a day."""
    wrong = wrong_code(device, house.clock.now())
    for number in range(20):
        browser = Browser(f"198.51.100.{number}", "x")
        asked = house.ask_code(address=browser.ip_address)
        with pytest.raises((SignInFailed, RateLimited)):
            _finish(house, asked, wrong, browser)

    with pytest.raises(RateLimited) as limited:
        _finish(house, house.ask_code(), device.code(house.clock.now()))
    assert limited.value.retry_after_seconds == 86_400
    assert _opens(house, _finish(house, house.ask_code(), device.recovery_codes[0]))
    house.clock.advance(86_400)
    assert _opens(house, _finish(house, house.ask_code(), device.code(house.clock.now())))


def test_a_wrong_password_tells_nothing_of_a_second_factor(house: House, device: Device) -> None:
    """It is answered alike, and leaves no step."""
    house.add_user(OTHER)
    told = []
    for user in (USER, OTHER, "nobody@example.com"):
        with pytest.raises(SignInFailed) as failed:
            house.sign_in.sign_in(SignInAttempt(user, Secret("wrong"), ADDRESS, "browser"))
        told.append((failed.value.public, failed.value.revealed))

    assert len(set(told)) == 1
    assert house.execute("SELECT count(*) FROM sign_in_step") == [(0,)]


def test_steps_that_have_ended_are_forgotten(house: House, device: Device) -> None:
    """By those that come later."""
    house.ask_code()
    house.clock.advance(STEP_SECONDS)
    house.ask_code()

    assert house.execute("SELECT count(*) FROM sign_in_step") == [(1,)]


@pytest.fixture
def required(house: House) -> House:
    """A user with a role that requires a second factor, and without one."""
    house.roles.create(COMMAND_LINE, "Careful")
    house.add_user(UserOrder(USER, password=PASSWORD, roles=frozenset({"Careful"})))
    house.roles.require_second_factor(COMMAND_LINE, "Careful", required=True)
    return house


def test_who_must_have_one_sets_it_up_first(required: House) -> None:
    """No session exists before; then one does, with recovery codes."""
    asked = required.ask_code()
    shown = required.sign_in_steps.begin_enrolment(asked.step)
    now = required.clock.now()

    assert not asked.enrolled
    assert _sessions(required) == 0
    enrolled = required.sign_in_steps.enrol(asked.step, shown.proof, Device(shown.key.text).code(now), BROWSER)

    assert _opens(required, enrolled.signed_in)
    assert len(enrolled.recovery_codes) == 10
    assert [row.operation for row in required.activity()[-2:]] == ["second_factor.enrolled", "session.started"]
    again = required.ask_code()
    assert again.enrolled
    with pytest.raises(SignInFailed):
        _finish(required, again, Device(shown.key.text).code(now))


def test_no_code_skips_the_set_up(required: House) -> None:
    """There is none that could be right."""
    with pytest.raises(SignInFailed):
        _finish(required, required.ask_code(), "123456")


def test_a_key_is_confirmed_by_whom_it_was_shown_to(required: House) -> None:
    """Not by another sign-in of the same user, nor after its time, nor with a wrong code or a forged proof."""
    first, second = required.ask_code(), required.ask_code()
    shown = required.sign_in_steps.begin_enrolment(first.step)
    code = Device(shown.key.text).code(required.clock.now())

    for asked, proof, typed in (
        (second, shown.proof, code),
        (first, shown.proof, "000000"),
        (first, shown.proof[:-1] + ("0" if shown.proof[-1] != "0" else "1"), code),
        (first, "", code),
        (first, "1.zz", code),
        (first, "9" * 700, code),
    ):
        required.throttles.forget_sign_ins(USER, ADDRESS)
        with pytest.raises(Invalid, match="code"):
            required.sign_in_steps.enrol(asked.step, proof, typed, BROWSER)
    assert required.execute("SELECT count(*) FROM second_factor") == [(0,)]


def test_the_quicker_of_two_counts(required: House) -> None:
    """A second factor that is there already is not replaced by whoever knows the password."""
    first, second = required.ask_code(), required.ask_code()
    now = required.clock.now()
    shown = [required.sign_in_steps.begin_enrolment(asked.step) for asked in (first, second)]
    codes = [Device(one.key.text).code(now) for one in shown]
    required.sign_in_steps.enrol(first.step, shown[0].proof, codes[0], BROWSER)

    with pytest.raises(SignInFailed):
        required.sign_in_steps.enrol(second.step, shown[1].proof, codes[1], BROWSER)
    third = required.ask_code()
    with pytest.raises(SignInFailed):
        required.sign_in_steps.begin_enrolment(third.step)
    with pytest.raises(SignInFailed):
        required.sign_in_steps.enrol(third.step, shown[1].proof, codes[1], BROWSER)


def test_a_second_factor_that_came_meanwhile_is_not_replaced(required: House) -> None:
    """Whoever was quicker by a moment, between the look-up and the write, keeps theirs; no session opens."""
    asked = required.ask_code()
    shown = required.sign_in_steps.begin_enrolment(asked.step)
    code = Device(shown.key.text).code(required.clock.now())
    required.entropy.interrupt = lambda: give_device(required.store, required.enrolments, USER)

    with pytest.raises(SignInFailed, match="Sign in again"):
        required.sign_in_steps.enrol(asked.step, shown.proof, code, BROWSER)

    assert _sessions(required) == 0
    assert required.execute("SELECT count(*) FROM second_factor") == [(1,)]
    assert "second_factor.enrolled" not in [row.operation for row in required.activity()]


def test_a_key_is_shown_again(required: House) -> None:
    """After a wrong code the same, after its time another."""
    asked = required.ask_code()
    shown = required.sign_in_steps.begin_enrolment(asked.step)

    assert required.sign_in_steps.show_again(asked.step, shown.proof).key == shown.key
    assert required.sign_in_steps.show_again(asked.step, "1.00").key != shown.key


def test_a_session_by_password_ends_where_a_second_factor_is_due(house: House) -> None:
    """As soon as the user has one, or a role that requires one; and lives on where it was given."""
    house.roles.create(COMMAND_LINE, "Careful")
    house.add_user(UserOrder(USER, password=PASSWORD))
    old = house.open_session()
    assert _opens(house, old)

    house.roles.require_second_factor(COMMAND_LINE, "Careful", required=True)
    assert _opens(house, old)
    house.roles.grant(COMMAND_LINE, USER, "Careful")
    assert not _opens(house, old)
    house.roles.require_second_factor(COMMAND_LINE, "Careful", required=False)
    assert _opens(house, old)
    device = give_device(house.store, house.enrolments, USER)
    assert not _opens(house, old)
    new = _finish(house, house.ask_code(), device.code(house.clock.now()))
    assert _opens(house, new)
    house.roles.require_second_factor(COMMAND_LINE, "Careful", required=True)
    assert _opens(house, new)


@pytest.mark.parametrize("role", [SYSTEM_MANAGER, "All", "Desk User"])
def test_roles_that_nobody_is_granted_can_require_one_too(house: House, role: str) -> None:
    """Administrator is a System Manager by itself, and every user has All."""
    house.users.set_password(COMMAND_LINE, "Administrator", PASSWORD)
    house.roles.require_second_factor(COMMAND_LINE, role, required=True)

    assert not house.ask_code("Administrator").enrolled
