"""Which rule a request falls under, however host, method and path are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.access_rules import AccessRule, RuleSet, is_usual_path
from latchgate.core.principals import Reason
from support.rule_books import rule_of

_HOST = "app.example.com"


def _found(rules: list[AccessRule], path: str, method: str = "GET", host: str = _HOST) -> int | Reason | None:
    match = RuleSet(rules).find(method, host, path)
    return match.rule.id if match.rule else match.requirement.refused


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("/*", ["/", "/a", "/a/b/", "/?x=1"], []),
        ("/", ["/", "/?a=/b"], ["/a"]),
        ("/a", ["/a", "/a/", "/a?b"], ["/A", "/ab", "/a/b", "/"]),
        ("/a/", ["/a", "/a/"], ["/a/b"]),
        ("/a/*", ["/a", "/a/", "/a/b", "/a/b/c"], ["/ab", "/b", "/"]),
        ("/a/v*", ["/a/v", "/a/v1", "/a/v1/b"], ["/a", "/a/", "/a/w", "/a/b/v1"]),
        ("/a/*/c", ["/a/b/c", "/a/*/c", "/a/b/c/"], ["/a/c", "/a/b/b/c", "/a/b", "/a/b/cc"]),
        ("/a/*/c/*", ["/a/b/c", "/a/b/c/d/e"], ["/a/b/d", "/a/c"]),
        ("/*/c", ["/b/c"], ["/c", "/a/b/c"]),
        ("/caf%C3%A9/*", ["/caf%C3%A9/x", "/caf%c3%a9"], ["/cafe/x"]),
        ("/100%25", ["/100%25"], ["/100"]),
    ],
)
def test_a_path_is_compared_by_its_segments(pattern: str, matching: list[str], others: list[str]) -> None:
    """A final `*` matches any rest, another one segment; a query and a last slash do not matter, case does."""
    rules = [rule_of(pattern)]

    assert [path for path in matching if _found(rules, path) != 1] == []
    assert [path for path in others if _found(rules, path) is not Reason.NO_RULE] == []


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("", [_HOST, "[::1]:80", "10.0.0.1", "localhost"], []),
        (
            _HOST,
            [_HOST, "APP.Example.COM", f"{_HOST}:8443", f"{_HOST}.", f"{_HOST}.:80"],
            ["example.com", f"x.{_HOST}"],
        ),
        (
            "*.example.com",
            [_HOST, "a.b.example.com", "X.EXAMPLE.COM:1"],
            ["example.com", "xexample.com", "example.com.x"],
        ),
        ("[::1]", ["[::1]", "[0:0::1]:8000"], ["[::2]", "127.0.0.1"]),
    ],
)
def test_a_host_is_compared_without_port_case_and_last_dot(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    """`*.` means one or more labels below a name, never the name itself."""
    rules = [rule_of(host=pattern)]

    assert [host for host in matching if _found(rules, "/", host=host) != 1] == []
    assert [host for host in others if _found(rules, "/", host=host) is not Reason.NO_RULE] == []


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "..", "a..b", ".a", "a b", " a", "a ", "a\t", "a,b", "u@a", "u:p@a", "http://a", "a/b", "a\\b",
        "a%2eb", "a:", "a:b", "a:99999", "a:1:2", "[::1", "::1", "[::g]", "[::1]x", "[127.0.0.1]",
        "bücher.example", "ａ.example", "-a", "a-", "*", "*.example.com", "a\0", "a\n", "a" * 64,
        ".".join(["a" * 60] * 5), "a..", "a?b", "a#b",
    ],
)  # fmt: skip
def test_what_is_no_host_matches_nothing(host: str) -> None:
    """Not even a rule for any host is for it, but for a port that is empty, which RFC 3986 allows."""
    expected = 1 if host == "a:" else Reason.UNUSUAL_HOST
    assert _found([rule_of(guest=True)], "/", host=host) == expected


@pytest.mark.parametrize(
    ("methods", "matching", "others"),
    [
        ("", ["GET", "PURGE", "OPTIONS", "M-SEARCH"], []),
        ("GET", ["GET", "HEAD"], ["POST", "OPTIONS", "GETX"]),
        ("HEAD", ["HEAD"], ["GET"]),
        ("PUT POST", ["PUT", "POST"], ["GET", "HEAD"]),
    ],
)
def test_methods(methods: str, matching: list[str], others: list[str]) -> None:
    """No list means any method, GET means HEAD too."""
    rules = [rule_of(methods=methods)]

    assert [method for method in matching if _found(rules, "/", method) != 1] == []
    assert [method for method in others if _found(rules, "/", method) is not Reason.NO_RULE] == []


@pytest.mark.parametrize("method", ["get", "Get", "", "GET ", "G\0T", "DELETE\n", "ÄT", "x" * 40, "A" * 40])
def test_a_method_not_in_capitals_matches_nothing(method: str) -> None:
    """An application that ignores case must not be asked for `delete` where a rule speaks of DELETE."""
    assert _found([rule_of("/*", "Admin", methods="DELETE"), rule_of(number=2)], "/", method) is Reason.UNUSUAL_METHOD


def test_the_first_rule_that_matches_decides() -> None:
    """A catch-all above hides what stands below, and a narrow rule above wins over a catch-all."""
    admin, all_paths = rule_of("/admin/*", "Admin", number=1), rule_of("/*", number=2, guest=True)

    assert [_found([admin, all_paths], path) for path in ("/admin", "/admin/x", "/adminx", "/")] == [1, 1, 2, 2]
    assert _found([all_paths, admin], "/admin/x") == 2


_UNUSUAL = [
    "//admin", "/open//x", "/./admin", "/open/./x", "/open/../admin", "/open/..", "/open/.", "/..", "/.",
    "/open/%2e%2e/admin", "/open/%2E./admin", "/%2e/x", "/open%2fadmin", "/open%2Fx", "/open%5cx", "/open%5Cx",
    "/open\\x", "/open;x", "/open/x;jsessionid=1", "/open%3bx", "/open/%00", "/open/%0a", "/open/%0D", "/open/%7f",
    "/open/%", "/open/%2", "/open/%zz", "/open/%u002e", "/open/%252e%252e/admin", "/open/%c0%ae%c0%ae/admin",
    "/open/%1f", "/open/%e0%80%ae%e0%80%ae/admin", "/open/..%F0%80%80%AFadmin", "/open/%f8%80%80%80%aex",
    "/open/%FC%80%80%80%80%AF",
]  # fmt: skip
_NO_PATHS = [
    "",
    "*",
    "http://a/open",
    "open",
    "?x",
    "/open/\x00",
    "/open/\n",
    "/open/ x",
    "/open/é",
    "/open/\x7f",
    "\\open",
]


@pytest.mark.parametrize("path", _UNUSUAL + _NO_PATHS)
def test_an_unusual_path_is_refused(path: str) -> None:
    """Unless a rule allows it, also where everything is open."""
    assert not is_usual_path(path)
    assert _found([rule_of(guest=True)], path) is Reason.UNUSUAL_PATH
    allowed = _found([rule_of(guest=True, unusual=True)], path)
    assert allowed == (Reason.UNUSUAL_PATH if path in _NO_PATHS else 1)


@pytest.mark.parametrize(
    "path",
    ["/", "/a", "/a/", "/.well-known/x", "/a.b/..c/...", "/caf%C3%A9", "/a%20b", "/jane%40example.com",
     "/a:b@c!$&'()*+,=~",
     "/100%25", "/[a]|b", "/%E2%82%AC"],
)  # fmt: skip
def test_usual_paths(path: str) -> None:
    """What browsers and programs write every day is in normal form."""
    assert is_usual_path(path)
    assert _found([rule_of()], path) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/open/../admin", "/open/%2e%2e/admin", "/open/%2e%2e%2fadmin", "/open/..%5cadmin", "/open/..\\admin",
        "//admin", "/./admin", "/;x/admin", "/admin;x", "/%61dmin", "/%61dmin/x", "/adm%69n/", "/%2561dmin",
        "/admin%2fx", "/admin%00", "/admin%3fx", "/admin%23x", "/open/..;/admin", "/open/%252e%252e/admin",
        "/open/%c0%ae%c0%ae/admin",
        "/open/%u002e%u002e/admin", "/admin/../admin", "/open/x/../../admin", "/open//../admin", "/admin/%2e%2e/open",
        "/open/%25252e%25252e/admin", "/open/%e0%80%ae%e0%80%ae/admin", "/open/..%f0%80%80%afadmin", "/%E0%81%A1dmin",
        "/open/%fc%80%80%80%80%ae%f8%80%80%80%ae/admin",
    ],
)  # fmt: skip
def test_no_spelling_reaches_an_open_rule_for_what_another_reads_as_closed(path: str) -> None:
    """Where an application may read what a closed rule is for, no open one decides, though it allows such paths."""
    admin = rule_of("/admin/*", "Admin", number=1, unusual=True)
    everything = rule_of("/*", number=2, guest=True, unusual=True)

    found = _found([admin, everything], path)

    assert found in {Reason.UNUSUAL_PATH, 1}


def test_an_escape_that_need_not_be_is_no_way_round() -> None:
    """What is in normal form and yet can be read as another path falls under the rule of both, or under none."""
    at_me, rest = rule_of("/@me/*", "Admin", number=1), rule_of("/*", number=2, guest=True)

    found = [_found([at_me, rest], path) for path in ("/@me", "/%40me", "/%40me/x", "/you/%40me")]

    assert found == [1, Reason.UNUSUAL_PATH, Reason.UNUSUAL_PATH, 2]


@given(st.text("/.%2eEfFcC5\\;a*0?#", max_size=24), st.lists(st.sampled_from(["/a/*", "/a", "/*/a", "/a/a/*", "/*"])))
def test_every_text_is_answered_and_found_as_by_looking_at_each_rule(path: str, patterns: list[str]) -> None:
    """The index gives what comparing rule after rule gives, for whatever was sent."""
    rules = [rule_of(pattern, number=number, unusual=True) for number, pattern in enumerate(patterns)]
    match = RuleSet(rules).find("GET", _HOST, "/" + path)

    if match.rule is not None:
        sent = ("/" + path).partition("?")[0]
        assert match.rule.id == next(rule.id for rule in rules if rule.covers_path(sent))


@given(st.text("/abA%C3.~-", max_size=12), st.randoms())
def test_writing_more_escapes_never_reaches_another_rule(path: str, random: object) -> None:
    """A path of which more is escaped than need be falls under the same rule, or is refused."""
    rules = [rule_of("/a/*", number=1), rule_of("/b", number=2), rule_of("/*", number=3)]
    escaped = "/" + "".join(f"%{ord(one):02x}" if one.isalpha() else one for one in path)

    plain, other = _found(rules, "/" + path), _found(rules, escaped)

    assert other in {plain, Reason.UNUSUAL_PATH}
