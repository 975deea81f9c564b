"""The one-time set-up link: who holds it sets Administrator's first password, once, and it stays secret."""

from collections.abc import Iterator

import pytest

from support.asgi import Answer, Service, opened_service
from support.envelopes import assert_page, assert_shown

GOOD = {"password": "a few unrelated words", "password_again": "a few unrelated words"}


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance whose Administrator has no password yet."""
    with opened_service(tmp_path_factory.mktemp("fresh") / "home") as service:
        yield service


@pytest.fixture
def link(fresh: Service) -> str:
    """The address that the first start prints."""
    secret = fresh.latchgate.sign_in.make_setup_link()
    assert secret is not None
    return fresh.latchgate.setup_url(secret).removeprefix("http://127.0.0.1:8000")


def _assert_kept_secret(answer: Answer, link: str) -> None:
    assert answer.header("referrer-policy") == "no-referrer"
    assert answer.header("cache-control") == "no-store"
    assert link.rpartition("/")[2] not in answer.text
    assert answer.rows == ()


# 200 and 303


def test_the_link_sets_the_first_password(fresh: Service, link: str) -> None:
    """The page's form sets it, without a script, and Administrator can sign in."""
    page = fresh.ask(link)
    assert "Administrator" in assert_page(page)
    assert 'name="password_again"' in page.text

    answer = fresh.post(link, GOOD, form=True)
    signed_in = fresh.post("/api/method/login", {"usr": "Administrator", "pwd": GOOD["password"]})

    assert (answer.status, answer.header("location")) == (303, "/login")
    assert signed_in.status == 200
    _assert_kept_secret(page, link)


def test_looking_does_not_use_the_link_up(fresh: Service, link: str) -> None:
    """Programs that look at every link in a message do not end it."""
    assert [fresh.ask(link, method=method).status for method in ("GET", "HEAD", "GET")] == [200] * 3


# 404


def test_the_link_works_once(fresh: Service, link: str) -> None:
    """After its use it sets nothing and shows nothing."""
    fresh.post(link, GOOD, form=True)

    for answer in (fresh.ask(link), fresh.post(link, {**GOOD, "password": "another"}, form=True)):
        assert "ended" in assert_shown(answer, 404)
        _assert_kept_secret(answer, link)
    assert fresh.latchgate.sign_in.make_setup_link() is None


def test_of_many_uses_at_once_one_counts(fresh: Service, link: str) -> None:
    """Whoever is quicker sets the password; the others are told that the link has ended."""
    assert sorted(fresh.post_together(link, GOOD, 6)) == [303] + [404] * 5


def test_a_new_link_ends_the_former(fresh: Service, link: str) -> None:
    """There is never more than one that works."""
    assert fresh.latchgate.sign_in.make_setup_link()

    assert_shown(fresh.ask(link), 404)


@pytest.mark.parametrize("end", ["", "x", "%00", "/", "/x", "?", ";"])
def test_a_link_is_exact(fresh: Service, link: str, end: str) -> None:
    """Cut, lengthened or altered it opens nothing; only a slash or an empty query at its end are no part of it."""
    altered = link[:-1] + end if end == "" else link + end

    assert (fresh.ask(altered).status == 200) == (end in {"/", "?"})


# 417


@pytest.mark.parametrize(
    ("password", "again"),
    [
        ("short", "short"),
        ("a few unrelated words", "other words"),
        ("", ""),
        ("administrator", "administrator"),
        ("x" * 1025, "x" * 1025),
        (["a few unrelated words"], ["a few unrelated words"]),
    ],
)
def test_a_password_that_is_not_accepted_leaves_the_link_alive(
    fresh: Service, link: str, password: object, again: object
) -> None:
    """The page says what is wrong, and can be sent again."""
    answer = fresh.post(link, {"password": password, "password_again": again})

    assert 'role="alert"' in assert_shown(answer, 417)
    _assert_kept_secret(answer, link)
    assert fresh.post(link, GOOD, form=True).status == 303
