"""The one-time link that lets the first administrator in, once, for an hour, and never beside a password."""

import pytest

from latchgate.core.tokens import Secret, TokenKind, issue_token, verify_checksum
from latchgate.core.users import ADMINISTRATOR
from latchgate.errors import Invalid, NotFound, SignInFailed
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.sign_in import SETUP_LINK_SECONDS
from support.house import ADDRESS, OTHER_PEPPERS, PASSWORD, House

_OTHER_PASSWORD = Secret("another long password")


def _make_link(house: House) -> Secret:
    link = house.sign_in.make_setup_link()
    assert link is not None
    return link


def test_a_link_sets_the_first_password(house: House) -> None:
    """Whoever holds the link chooses Administrator's password, and signs in with it."""
    link = _make_link(house)

    opens = house.sign_in.setup_link_opens(link)
    house.sign_in.use_setup_link(link, PASSWORD, ADDRESS)

    assert opens
    assert verify_checksum(link.text)
    assert house.open_session(ADMINISTRATOR).user.name == ADMINISTRATOR
    told = house.activity()[0]
    assert (told.user, told.operation, told.ip_address) == (ADMINISTRATOR, "user.password_set", ADDRESS)


def test_looking_uses_no_link_up(house: House) -> None:
    """A preview of the page, by a mail scanner or a reload, leaves the link as it is."""
    link = _make_link(house)

    assert [house.sign_in.setup_link_opens(link) for _ in range(3)] == [True] * 3


def test_a_link_works_once(house: House) -> None:
    """The second use of a link changes nothing."""
    link = _make_link(house)
    house.sign_in.use_setup_link(link, PASSWORD, ADDRESS)

    with pytest.raises(NotFound):
        house.sign_in.use_setup_link(link, _OTHER_PASSWORD, ADDRESS)

    assert not house.sign_in.setup_link_opens(link)
    assert house.open_session(ADMINISTRATOR).user.name == ADMINISTRATOR


def test_of_two_uses_at_once_one_counts(house: House) -> None:
    """Two that submit the page at the same moment do not both set a password."""
    link = _make_link(house)
    house.entropy.interrupt = lambda: house.sign_in.use_setup_link(link, PASSWORD, ADDRESS)

    with pytest.raises(NotFound):
        house.sign_in.use_setup_link(link, _OTHER_PASSWORD, ADDRESS)

    assert house.open_session(ADMINISTRATOR).user.name == ADMINISTRATOR


def test_a_link_lives_an_hour(house: House) -> None:
    """A link opens to its last second, and not in that of its end."""
    link = _make_link(house)

    house.clock.advance(SETUP_LINK_SECONDS - 1)
    before = house.sign_in.setup_link_opens(link)
    house.clock.advance(1)

    assert (before, house.sign_in.setup_link_opens(link)) == (True, False)
    with pytest.raises(NotFound):
        house.sign_in.use_setup_link(link, PASSWORD, ADDRESS)


def test_a_link_that_ends_while_it_is_used_is_refused(house: House) -> None:
    """The moment of the change counts, not that of the click."""
    link = _make_link(house)
    house.clock.advance(SETUP_LINK_SECONDS - 1)
    house.entropy.interrupt = lambda: house.clock.advance(1)

    with pytest.raises(NotFound, match="was used or has expired"):
        house.sign_in.use_setup_link(link, PASSWORD, ADDRESS)

    assert house.users.get(ADMINISTRATOR).password_hash is None


def test_a_new_link_ends_the_one_before(house: House) -> None:
    """Of all links that were printed the last one opens."""
    first, second = _make_link(house), _make_link(house)

    assert not house.sign_in.setup_link_opens(first)
    assert house.sign_in.setup_link_opens(second)


def test_there_is_no_link_beside_a_password(house: House) -> None:
    """Once Administrator has a password, no link is made."""
    house.users.set_password(COMMAND_LINE, ADMINISTRATOR, PASSWORD)

    assert house.sign_in.make_setup_link() is None


def test_an_old_link_replaces_no_password(house: House) -> None:
    """A link that was printed before the password was set in another way opens nothing, and is not shown as open."""
    link = _make_link(house)
    house.users.set_password(COMMAND_LINE, ADMINISTRATOR, PASSWORD)

    with pytest.raises(NotFound):
        house.sign_in.use_setup_link(link, _OTHER_PASSWORD, ADDRESS)

    assert not house.sign_in.setup_link_opens(link)
    assert house.open_session(ADMINISTRATOR).user.name == ADMINISTRATOR
    with pytest.raises(SignInFailed):
        house.open_session(ADMINISTRATOR, _OTHER_PASSWORD)


def test_a_password_set_meanwhile_stands(house: House) -> None:
    """A password that is set in another way while a link is used is not replaced."""
    link = _make_link(house)
    house.entropy.interrupt = lambda: house.users.set_password(COMMAND_LINE, ADMINISTRATOR, PASSWORD)

    with pytest.raises(NotFound):
        house.sign_in.use_setup_link(link, _OTHER_PASSWORD, ADDRESS)

    assert house.open_session(ADMINISTRATOR).user.name == ADMINISTRATOR


@pytest.mark.parametrize("password", [Secret("short"), Secret("Administrator"), Secret("x" * 1025)])
def test_a_password_that_is_refused_uses_no_link_up(house: House, password: Secret) -> None:
    """Whoever chooses too weak a password tries again with the same link."""
    link = _make_link(house)

    with pytest.raises(Invalid) as refused:
        house.sign_in.use_setup_link(link, password, ADDRESS)
    house.sign_in.use_setup_link(link, PASSWORD, ADDRESS)

    assert list(refused.value.fields) == ["password"]


@pytest.mark.parametrize("text", ["", "lgl_", "nonsense", "\ud800", issue_token(TokenKind.LINK, b"l" * 24)], ids=repr)
def test_no_other_text_is_a_link(house: House, text: str) -> None:
    """Whatever is not the link opens nothing, and raises nothing but that."""
    _make_link(house)

    assert not house.sign_in.setup_link_opens(Secret(text))
    with pytest.raises(NotFound):
        house.sign_in.use_setup_link(Secret(text), PASSWORD, ADDRESS)


def test_a_stolen_database_opens_no_link(house: House) -> None:
    """Under another key file a link is none, and its stored digest is never one."""
    link = _make_link(house)
    ((digest,),) = house.execute("SELECT digest FROM link")

    assert not house.with_peppers(OTHER_PEPPERS).sign_in.setup_link_opens(link)
    assert not house.sign_in.setup_link_opens(Secret(digest.hex()))
    assert link.text.encode() not in digest


def test_without_administrator_there_is_no_link(house: House) -> None:
    """A database from which Administrator was taken by hand yields no link to nobody, and an old one opens nothing."""
    link = _make_link(house)
    house.execute("UPDATE user SET name = 'somebody@example.com' WHERE name = 'Administrator'")

    with pytest.raises(NotFound):
        house.sign_in.use_setup_link(link, PASSWORD, ADDRESS)
    assert house.sign_in.make_setup_link() is None
