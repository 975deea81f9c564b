"""Many attempts to sign in: which are answered 429, and whom that does not keep out."""

from support.asgi import PASSWORD, Service
from support.envelopes import assert_refused, assert_refused_v2, assert_shown

API = "api@example.com"
LOGIN = "/api/method/login"
GOOD = {"usr": API, "pwd": PASSWORD}


def test_the_sixth_attempt_on_a_user_is_not_examined(service: Service) -> None:
    """Beyond five wrong passwords even the right one waits, there alone: not elsewhere, and not for other users."""
    user, peer = service.make_user("besieged@example.com"), "198.51.100.20"
    wrong, right = {"usr": user, "pwd": "wrong horse battery"}, {"usr": user, "pwd": PASSWORD}
    answers = [service.post(LOGIN, wrong, peer=peer) for _ in range(5)]

    sixth = service.post(LOGIN, right, peer=peer)

    assert [answer.status for answer in answers] == [401] * 5
    assert "Too many" in assert_refused(sixth, 429, "RateLimitExceededError")
    assert 0 < int(sixth.header("retry-after") or 0) <= 600
    assert_refused_v2(service.post("/api/v2/method/login", right, peer=peer), 429, "RateLimitExceededError")
    page = service.post("/login", right, form=True, peer=peer)
    assert "Too many" in assert_shown(page, 429)
    assert service.post(LOGIN, right, peer="198.51.100.21").status == 200
    assert service.post(LOGIN, GOOD, peer=peer).status == 200
    assert service.ask(authorization=service.make_key(user).token, peer=peer).status == 200


def test_an_address_that_tries_many_users_gets_429(service: Service) -> None:
    """Beyond fifty wrong passwords from an address there are no more 401s, but a good password still opens."""
    peers = [f"2001:db8:1:1::{number:x}" for number in range(1, 60)]
    answers = [
        service.post(LOGIN, {"usr": f"user{number}@example.com", "pwd": "wrong horse battery"}, peer=peer)
        for number, peer in enumerate(peers)
    ]

    assert [answer.status for answer in answers] == [401] * 50 + [429] * 9
    assert service.post(LOGIN, GOOD, peer=peers[0]).status == 200
    assert service.post(LOGIN, {"usr": API, "pwd": "wrong horse battery"}, peer="2001:db8:1:2::1").status == 401


def test_an_address_waits_for_a_few_passwords_at_once(service: Service) -> None:
    """Of twelve attempts at the same moment ten wait their turn; so no flood takes the memory that hashing needs."""
    statuses = service.post_together(LOGIN, GOOD, 12, peer="198.51.100.77")

    assert sorted(statuses) == [200] * 10 + [429] * 2
    assert service.post(LOGIN, GOOD, peer="198.51.100.77").status == 200


def test_who_fails_often_keeps_nobody_beside_them_out(service: Service) -> None:
    """From an address that has failed often, ten attempts still wait their turn, and a good one among them opens."""
    peer = "198.51.100.78"
    for number in range(51):
        service.post(LOGIN, {"usr": f"nobody{number}@example.com", "pwd": "wrong horse battery"}, peer=peer)

    statuses = service.post_together(LOGIN, GOOD, 10, peer=peer)

    assert statuses == [200] * 10
