"""generate_keys: a user's first key keeps its id and gets a new secret, for whoever may ask."""

import pytest

from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Pair, Service, opened_service
from support.envelopes import assert_refused, assert_refused_v2, assert_shown

API, WEB = "api@example.com", "web@example.com"
GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"
V2 = "/api/v2/method/frappe.core.doctype.user.user.generate_keys"


def _pair(document: dict[str, str]) -> Pair:
    assert document.keys() == {"api_key", "api_secret"}
    return Pair(document["api_key"], document["api_secret"])


# 200


def test_a_system_manager_makes_keys_for_others(service: Service, manager_key: Pair) -> None:
    """The answer holds key and secret, which then open as that user; the secret is not in the log."""
    user = service.make_user("first@example.com")

    answer = service.post(GENERATE, {"user": user}, manager_key.token)
    pair = _pair(answer.document["message"])

    assert answer.row.user == "manager@example.com"
    assert pair.secret not in str(answer.row)
    assert service.ask(authorization=pair.token).document == {"message": user}


def test_a_second_call_keeps_the_key_and_ends_the_secret(service: Service, manager_key: Pair) -> None:
    """As recorded: the same api_key, another api_secret, and the former one opens nothing any more."""
    user = service.make_user("second@example.com")
    former = _pair(service.post(GENERATE, {"user": user}, manager_key.token).document["message"])

    pair = _pair(service.post(GENERATE, {"user": user}, manager_key.token).document["message"])

    assert pair.key_id == former.key_id
    assert service.ask(authorization=pair.token).status == 200
    assert service.ask(authorization=former.token).row.reason == "wrong_secret"


@pytest.mark.parametrize("target", [V2, "/api/v2/method/User/generate_keys"])
def test_version_2_answers_in_its_envelope(service: Service, manager_key: Pair, target: str) -> None:
    """Both names of version 2 give the pair as `data`."""
    answer = service.post(target, {"user": WEB}, manager_key.token)

    assert service.ask(authorization=_pair(answer.document["data"]).basic).document == {"message": WEB}


@pytest.mark.parametrize("form", [True, False])
def test_arguments_come_in_every_form(service: Service, manager_key: Pair, form: bool) -> None:
    """The user may stand in the body, as JSON or a form, or in the query, and in any case of letters."""
    assert service.post(GENERATE, {"user": WEB.upper()}, manager_key.token, form=form).status == 200
    assert service.post(f"{GENERATE}?user={WEB}", {}, manager_key.token, form=form).status == 200


def test_users_make_keys_for_themselves(service: Service) -> None:
    """One's own keys need no System Manager, by key or by session."""
    user = service.make_user("own@example.com")
    pair = _pair(service.post(GENERATE, {"user": user}, service.make_key(user).token).document["message"])
    sid = service.sign_in(user).sid
    headers = [("cookie", f"sid={sid}"), ("x-frappe-csrf-token", service.csrf_token(sid))]

    answer = service.post(GENERATE, {"user": user}, headers=headers)

    assert answer.status == 200
    assert answer.cookies == {}
    assert service.ask(authorization=pair.token).status == 401
    assert service.ask(authorization=_pair(answer.document["message"]).token).document == {"message": user}


def test_each_pair_is_told_in_the_activity_log(service: Service, manager_key: Pair) -> None:
    """Who made which key for whom, from where; never the secret."""
    pair = _pair(service.post(GENERATE, {"user": WEB}, manager_key.token).document["message"])

    with service.latchgate.store.read() as tx:
        (entry,) = tx.activity.list_latest(1)

    assert (entry.user, entry.subject, entry.ip_address) == ("manager@example.com", pair.key_id, "192.0.2.7")
    assert pair.secret not in str(entry)


# 400


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"user"', b"\xff", b"null", b"NaN", b'{"user": Infinity}', b"{}{}"])
def test_a_body_that_is_no_object_is_refused(service: Service, manager_key: Pair, body: bytes) -> None:
    """What does not read as a JSON object is told so, after the credential was judged."""
    fields = [("content-type", "application/json; charset=utf-8")]

    answer = service.ask(GENERATE, manager_key.token, method="POST", headers=fields, body=body)

    assert "JSON" in assert_refused(answer, 400, "BadRequest")
    assert (answer.row.user, answer.row.reason) == ("manager@example.com", "bad_request")
    assert_refused(
        service.ask(GENERATE, "token a:b", method="POST", headers=fields, body=body), 401, "AuthenticationError"
    )


def test_a_session_without_its_csrf_token_is_refused(service: Service) -> None:
    """A form of another site cannot make keys with a visitor's cookie."""
    sid = service.sign_in(API).sid
    for shown in ([], [("x-frappe-csrf-token", "0" * 64)], [("x-frappe-csrf-token", "")]):
        answer = service.post(GENERATE, {"user": API}, headers=[("cookie", f"sid={sid}"), *shown])

        assert_refused(answer, 400, "CSRFTokenError")
        assert answer.row.reason == "csrf_token_missing_or_wrong"


# 401


@pytest.mark.parametrize("target", [GENERATE, "/?cmd=frappe.core.doctype.user.user.generate_keys"])
def test_a_wrong_credential_makes_nothing(service: Service, target: str) -> None:
    """A bad header is a 401 whatever is asked."""
    assert_refused(service.post(target, {"user": API}, "token a:b"), 401, "AuthenticationError")


# 403


def test_a_guest_makes_nothing(service: Service) -> None:
    """Without a credential nobody makes keys, and the answer says where to begin."""
    answer = service.post(GENERATE, {"user": API})

    assert_refused(answer, 403, "PermissionError")
    assert answer.header("www-authenticate")
    assert_refused_v2(service.post(V2, {"user": API}), 403, "PermissionError")
    assert answer.rows == ()


@pytest.mark.parametrize("target", ["manager@example.com", "nobody@example.com", "Administrator", "Guest", "' OR 1=1"])
def test_nobody_makes_keys_for_others(service: Service, api_key: Pair, target: str) -> None:
    """Without the role, another's account is refused in one wording, whether it exists or not."""
    answer = service.post(GENERATE, {"user": target}, api_key.token)

    assert assert_refused(answer, 403, "PermissionError") == "Not permitted to manage these keys"
    assert (answer.row.user, answer.row.reason) == (API, "role_missing")
    assert answer.header("www-authenticate") is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_only_a_post_makes_keys(service: Service, manager_key: Pair, method: str) -> None:
    """A link that is followed must not end a secret."""
    answer = service.ask(f"{GENERATE}?user={API}", manager_key.token, method=method)

    assert_refused(answer, 403, "PermissionError")
    assert answer.row.reason == "not_permitted"


def test_an_operator_may_keep_keys_to_system_managers(service: Service) -> None:
    """With `allow_own_keys` off, as in Frappe, one's own keys need the role too."""
    home = service.latchgate.settings.home

    with opened_service(home, allow_own_keys=False) as strict:
        answer = strict.post(GENERATE, {"user": API}, strict.make_key(API).token)

    assert_refused(answer, 403, "PermissionError")


@pytest.mark.parametrize("scopes", [("read",), ("profile",), ("User:write", "API Key:read")])
def test_a_scope_that_does_not_cover_it_is_refused(service: Service, scopes: tuple[str, ...]) -> None:
    """A key limited to other things makes no keys, not even its user's own."""
    key = service.make_key(API, scopes=frozenset(scopes))

    answer = service.post(GENERATE, {"user": API}, key.token)

    assert "scopes" in assert_refused(answer, 403, "PermissionError")
    assert answer.row.reason == "scope_missing"
    assert "scopes" in assert_shown(
        service.ask(GENERATE, key.token, method="POST", headers=[("accept", "text/html")]), 403
    )


# 404


def test_an_unknown_user_is_told_to_a_system_manager(service: Service, manager_key: Pair) -> None:
    """Whoever may know the users is told that there is none of that name."""
    answer = service.post(GENERATE, {"user": "nobody@example.com"}, manager_key.token)

    assert assert_refused(answer, 404, "DoesNotExistError") == "User nobody@example.com not found"
    assert answer.row.reason == "not_found"
    assert "nobody" in assert_refused_v2(
        service.post(V2, {"user": "nobody@example.com"}, manager_key.token), 404, "DoesNotExistError"
    )


# 417


@pytest.mark.parametrize("value", [None, "", [API], {"name": API}, 1, 1.5, True, [[[]]], 10**400])
def test_a_user_that_is_no_text_is_told_so(service: Service, manager_key: Pair, value: object) -> None:
    """The field is named; nothing but a text is looked up."""
    answer = service.post(GENERATE, {"user": value}, manager_key.token)

    assert assert_refused(answer, 417, "ValidationError").startswith("user: is required, as a text")
    assert answer.row.reason == "invalid"
    assert_refused_v2(service.post(V2, {"user": value}, manager_key.token), 417, "ValidationError")


def test_guest_owns_no_key(service: Service, manager_key: Pair) -> None:
    """Guest is who carries no credential."""
    assert "Guest" in assert_refused(
        service.post(GENERATE, {"user": "guest"}, manager_key.token), 417, "ValidationError"
    )


@pytest.mark.parametrize("name", ["\ud800", "a\x00b", "\u202eevil", "\x1b[31m", "<script>", "a\r\nb", "x" * 100_000])
def test_no_name_breaks_the_answer(service: Service, manager_key: Pair, name: str) -> None:
    """Half characters, control characters and markup are escaped where an answer repeats them, and cut."""
    first = service.post(GENERATE, {"user": name}, manager_key.token)
    second = service.post(V2, {"user": name}, manager_key.token)
    page = service.post(GENERATE, {"user": name}, manager_key.token, headers=[("accept", "text/html")])

    message = assert_refused(first, first.status, first.document["exc_type"])
    assert first.status in {404, 417}
    assert message.isprintable()
    assert len(message) <= 500
    assert assert_refused_v2(second, first.status, first.document["exc_type"]) == message
    assert "<script>" not in assert_shown(page, first.status)


# 429


def test_a_limit_counts_every_use(service: Service) -> None:
    """Making keys counts as any use of a key that is limited."""
    user = service.make_user("limited@example.com", roles=frozenset({SYSTEM_MANAGER}))
    key = service.make_key(user, per_minute=1)

    assert service.ask(LOGGED_USER, key.token).status == 200
    assert_refused(service.post(GENERATE, {"user": API}, key.token), 429, "RateLimitExceededError")


# The former key of a user who came back


def test_a_new_user_of_the_same_name_inherits_nothing(service: Service, manager_key: Pair) -> None:
    """Keys and sessions of a deleted user stay dead when the name is given again; rows tell the two apart."""
    user = service.make_user("again@example.com")
    former = _pair(service.post(GENERATE, {"user": user}, manager_key.token).document["message"])
    sid = service.sign_in(user).sid
    before = service.ask(authorization=former.token).row

    service.latchgate.users.delete(COMMAND_LINE, user)
    service.make_user(user)
    pair = _pair(service.post(GENERATE, {"user": user}, manager_key.token).document["message"])

    assert service.ask(authorization=former.token).row.reason == "unknown_key"
    assert service.ask(headers=[("cookie", f"sid={sid}")]).status == 403
    assert pair.key_id != former.key_id
    after = service.ask(authorization=pair.token).row
    assert (after.user, before.user) == (user, user)
    assert after.user_id != before.user_id
