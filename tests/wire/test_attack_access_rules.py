"""Rules of wrong types, lengths and letters, and requests made to be misread: refused by the field, or taken literally.

What holds for every answer over HTTP, `support.attacked` asserts: no 5xx, no word of what lies beneath, one row.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from latchgate.core.access_rules import AccessRule
from latchgate.core.forwarded import Proxy
from latchgate.core.rule_fields import rule_from
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer
from support.attacked import Attacked, opened_attacked
from support.protected import APP, PROXY, question

RULES = "/api/resource/Access%20Rule"
_TRY = "/api/method/latchgate.access_rules.test"
_LISTS = ("methods", "roles", "scopes")
_SWITCHES = ("every_role", "allow_guest", "allow_foreign_authorization", "allow_unusual_path")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The instance, asked by a proxy too."""
    with opened_attacked(tmp_path_factory.mktemp("attacked") / "home", None, trusted_proxies=[PROXY]) as attacked:
        yield attacked


@pytest.fixture(autouse=True)
def _a_few_rules(attacked: Attacked) -> None:
    """One for managers, one for any user, and one that says something in each field."""
    whole = {"host": "x.example.com", "path": "/x", "methods": ["GET"], "roles": ["System Manager"], "scopes": ["s"]}
    admin = rule_from({"path": "/admin/*", "roles": ["System Manager"]})
    _load(attacked, admin, rule_from({"host": APP, "path": "/mine/*"}), rule_from(whole))


def _load(attacked: Attacked, *rules: AccessRule) -> None:
    attacked.service.latchgate.access_rules.load(COMMAND_LINE, rules, origin="the test")


def _rules(attacked: Attacked) -> tuple[AccessRule, ...]:
    return attacked.service.latchgate.access_rules.get_all(COMMAND_LINE).rules


def _verify(
    attacked: Attacked,
    target: str,
    key: str | None,
    *,
    proxy: Proxy = Proxy.NGINX,
    told: dict[bytes, str] | None = None,
) -> Answer:
    """Ask as a proxy would; `told` stands in the place of what it would say of the original."""
    method, address, headers = question(proxy, target=target.encode())
    sent = [(name, told[name].encode() if told and name in told else value) for name, value in headers]
    answer = attacked.service.ask(address, key, method=method, headers=sent, peer=PROXY)
    assert answer.status < 500, answer.text[:300]
    return answer


_WRONG: dict[tuple[str, ...], list[Any]] = {
    ("host", "path"): [7, 1.5, True, [], {}, ["a"], {"a": "b"}, "\x00", "a\nb", "\ud800"],
    _LISTS: [
        *[7, True, {}, [7], [["GET"]], [None], [{}], "", " ", ",", [""], ["a\x00"], ["a\u2028"]],
        *[["X"] * 201, ["X" * 201], "x," * 20_000, "[" * 5_000],
    ],
    ("position",): [-1, 1.5, True, "x", "1e3", "NaN", 10**30, [], {}],
    _SWITCHES: [2, -1, "yes", [], {}, 0.5, "true"],
    ("host",): [
        *["a" * 64, "a." * 200, "x" * 100_000, "https://a", "a/b", "a:80", "a:", "u@a", "a b"],
        *["*", "*.*.a", "a.*", "**.a", "a%2eb", "a..b", ".a", "-a", "[::1", "[::1]:80", "*.[::1]", "*.10.0.0.1"],
        *[
            "bücher.example",
            "ａpp.example",
            "app。example",
            "e\u0301.example",
            "\u202eapp",
            "app\u200b.example",
            "ß.de",
        ],
        *["(a|b).example", "[a-z].example", "a+.example", "^a$", "a\\.b", "'; DROP TABLE x; --"],
    ],
    ("path",): [
        *["x", "^/x$", "*", "**", "/**", "/a*/b", "/*a", "/a/**", "/.*/x", "/(.*)x", "/a?b", "/a#b", "/a?(?=b)"],
        *["/" + "x" * 1000, "/" + "a/" * 40_000, "/é", "/\u2028", "/ａ", "/a b", "/a\tb", "/\ud800", "/%2A", "/%2a/x"],
        *["/a%", "/a%zz", "/a%2Fb", "/a/../b", "//a", "/a//b", "/./a", "/a;b", "/a\\b", "/%00", "/%252e"],
    ],
    ("methods",): ["GE T", "GÉT", "G" * 33, "GET/1.1", "(GET|POST)", "ＧＥＴ", "po\u017ft", "1", "-GET"],
    ("roles",): ["Nope", "Guest", "System Manager ' OR 1=1", "ＳＭ", ["System Manager", ""]],
    ("scopes",): ["a b", "Foo:jump", 'a"b', "é", ["*", "a"], "x" * 148, "User:\u00a0read"],
}
_REFUSED = [(field, value) for fields, values in _WRONG.items() for field in fields for value in values]


@pytest.mark.parametrize(("field", "value"), _REFUSED, ids=range(len(_REFUSED)))
def test_what_no_rule_can_say_is_refused_by_its_field(attacked: Attacked, field: str, value: object) -> None:
    """Made or changed, the answer names the field and nothing comes of it; who may not is told no more than that."""
    before = _rules(attacked)

    for method, target in (("POST", RULES), ("PUT", f"{RULES}/{before[2].name}")):
        answer = attacked.ask(target, attacked.manager, {field: value}, method=method)
        assert answer.status == 417, (method, value, answer.text[:300])
        assert f"{field}: " in answer.text
        assert attacked.ask(target, attacked.plain, {field: value}, method=method).status == 403

    assert _rules(attacked) == before


@pytest.mark.parametrize(
    "name", ["RULE-0", "RULE-" + "9" * 30, "RULE-1%00", "RULE-%D9%A1", "'%20OR%201=1", "..%2f", "RULE-1e1", "%F0%28"]
)
def test_a_name_that_no_rule_has_finds_none(attacked: Attacked, name: str) -> None:
    """Whatever letters it is of; who may not learns nothing of which there are."""
    for method, arguments in (("GET", {}), ("PUT", {"path": "/x"}), ("DELETE", {})):
        assert attacked.ask(f"{RULES}/{name}", attacked.manager, arguments, method=method).status in {400, 404}
        assert attacked.ask(f"{RULES}/{name}", attacked.plain, arguments, method=method).status in {400, 403}


@pytest.mark.parametrize(
    ("path", "others"),
    [
        ("/(a+)+$", ["/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "/a", "/aa$"]),
        ("/[a-z]", ["/a", "/-"]),
        ("/a|b", ["/a", "/b"]),
        ("/a.c", ["/abc", "/a/c"]),
        ("/.+", ["/xx", "/admins"]),
        ("/^x$", ["/x"]),
        ("/{1,9}", ["/1", "/9"]),
        ("/$(id)", ["/id"]),
        ("/'--", ["/"]),
    ],
)
def test_a_pattern_is_no_expression(attacked: Attacked, path: str, others: list[str]) -> None:
    """A rule's path means its own letters: only `*` is a sign."""
    assert attacked.ask(RULES, attacked.manager, {"path": path}, method="POST").status == 200

    assert _verify(attacked, path, attacked.plain).status == 204
    for other in others:
        refused = _verify(attacked, other, attacked.plain)
        assert (refused.status, refused.row.reason) == (403, "no_rule")


@pytest.mark.parametrize("proxy", [Proxy.NGINX, Proxy.TRAEFIK])
@pytest.mark.parametrize(
    "target",
    [
        *("/mine/" + "%25%32%35;a%3fb%23%5c%c0%af" * 300, "/mine/" + "../" * 20_000 + "admin", "/" + "%" * 9_000),
        *("/mine/" + "%2e%2e%2f" * 900 + "admin/x", "/mine/" + ";x" * 30_000, "/mine/" + "/" * 60_000),
        *("/mine/%F0%80%80%AF..%C0%AE/admin", "/mine/..%u2215admin", "/mine/%u002e%u002e/admin", "/mine/\u202e"),
        *("/ａdmin/", "/mine/a%2525252fb"),
    ],
    ids=range(12),
)
def test_a_long_or_odd_path_opens_nothing(attacked: Attacked, proxy: Proxy, target: str) -> None:
    """Neither to a user nor to a guest, and the row says why."""
    refused = _verify(attacked, target, attacked.plain, proxy=proxy)

    assert (refused.status, refused.row.reason) == (403, "unusual_path")
    assert _verify(attacked, target, None, proxy=proxy).status == 403


def test_a_long_path_of_usual_words_is_one_like_any_other(attacked: Attacked) -> None:
    """Its length alone is no reason; how long a head may be at all is bounded before."""
    assert _verify(attacked, "/mine/" + "a/" * 30_000, attacked.plain).status == 204


@pytest.mark.parametrize(
    "host",
    [
        *("app.example.com.evil", "ａpp.example.com", "app。example.com", "app.example.com\u200b", "аpp.example.com"),
        *("xn--pp-8cd.example.com", "app.example.com,evil", "app.example.com@evil", "app.example.com/..", "[::1]%00"),
        "a" * 10_000,
    ],
)
def test_a_host_of_other_letters_is_another(attacked: Attacked, host: str) -> None:
    """What looks alike is not the same, and what is no host no rule is for, not even one for any."""
    assert _verify(attacked, "/mine/1", attacked.plain, told={b"host": host}).status == 403
    if host.isascii() and host.replace(".", "").replace("-", "").isalnum() and len(host) < 64:
        return
    _load(attacked, rule_from({}))
    assert _verify(attacked, "/mine/1", attacked.plain, told={b"host": host}).row.reason == "unusual_host"


@pytest.mark.parametrize("host", [APP, "APP.EXAMPLE.COM.", f"{APP}:443"])
def test_a_host_is_the_same_however_it_is_written(attacked: Attacked, host: str) -> None:
    """Case, port and a last dot do not matter."""
    assert _verify(attacked, "/mine/1", attacked.plain, told={b"host": host}).status == 204


@pytest.mark.parametrize("method", ["get", "G" * 5_000, "GÉT", "GET\x00", "(GET)", "GET,POST", "PUT", "ＧＥＴ"])
def test_a_method_is_one_method(attacked: Attacked, method: str) -> None:
    """A rule for some lets in no spelling of another."""
    _load(attacked, rule_from({"methods": ["GET"]}))

    assert _verify(attacked, "/mine/1", attacked.plain).status == 204
    assert _verify(attacked, "/mine/1", attacked.plain, told={b"x-original-method": method}).status == 403


@pytest.mark.parametrize(
    "arguments",
    [
        *({}, {"method": "GET"}, {"url": "https://a/"}, {"method": 7, "url": "https://a/"}),
        *({"method": "GET", "url": url} for url in ("", "ftp://a/", "https://")),
        *({"method": "GET", "url": []}, {"method": "GET", "url": {"a": 1}}),
        *({"method": "GET", "url": "https://a/", "user": user} for user in (7, "nobody@x", "\x00", ["a"])),
        *({"method": "GET", "url": "https://a/", "scopes": scopes} for scopes in ({"a": 1}, [7], "a b", 7)),
    ],
)
def test_a_trial_of_nonsense_is_refused(attacked: Attacked, arguments: dict[str, Any]) -> None:
    """By the argument that is wrong; whoever may not read rules is told of none."""
    for key, statuses in ((attacked.manager, {417}), (attacked.plain, {403, 417})):
        answer = attacked.ask(_TRY, key, arguments, method="POST")
        assert answer.status in statuses, answer.text[:300]
        assert "RULE-" not in answer.text


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("get", "https://app.example.com/mine/1"),
        ("GET", "https://bücher.example/"),
        ("GET", "https://\ud800/"),
        ("GET", "https://a/" + "%25%32%35;a%3f" * 4_000),
        ("G" * 10_000, "https://a/"),
        ("GET", "a" * 100_000),
        ("GET", "https://u:p@app.example.com/mine"),
        ("GET", "https://app.example.com/mine/../admin"),
        ("GET", "https://app.example.com\\mine"),
    ],
    ids=range(9),
)
def test_a_trial_of_an_odd_request_says_that_it_is_refused(attacked: Attacked, method: str, url: str) -> None:
    """As the request itself would be, to whoever asks."""
    asked = {"method": method, "url": url, "user": "Administrator"}

    answer = attacked.ask(_TRY, attacked.manager, asked, method="POST")

    assert answer.status == 200
    assert answer.document["message"]["decision"] == "forbidden"
    assert attacked.ask(_TRY, attacked.plain, asked, method="POST").status == 403
