"""Changes of access rules: their order, what they may say, who may, and a whole file at once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latchgate.core.access_rules import AccessRule
from latchgate.core.rule_fields import RULES_MAX, rule_from
from latchgate.errors import Conflict, Flaw, Invalid, NotFound, NotPermitted, StorageError
from latchgate.services.access_rules import RuleChanges
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.rule_loading import load_rules
from support.house import USER, House, present_pair

_TYPE = "Access Rule"


@pytest.fixture
def ruled(house: House) -> House:
    """A house with a role and four rules, of which the second asks for it."""
    house.roles.create(COMMAND_LINE, "Reader")
    for path in "abcd":
        _make(house, path=f"/{path}", roles=["Reader"] if path == "b" else [])
    return house


def _make(house: House, **fields: Any) -> str:  # noqa: ANN401  # a record's
    return str(house.documents.create(COMMAND_LINE, _TYPE, fields)["name"])


def _order(house: House) -> str:
    rules = house.access_rules.get_all(COMMAND_LINE).rules
    assert [rule.position for rule in rules] == list(range(1, len(rules) + 1))
    return "".join(rule.path[1:] for rule in rules)


def _name(house: House, path: str) -> str:
    return next(rule.name for rule in house.access_rules.get_all(COMMAND_LINE).rules if rule.path == f"/{path}")


def _user(house: House, *roles: str) -> Actor:
    house.add_user()
    for role in roles:
        house.roles.grant(COMMAND_LINE, USER, role)
    key = house.add_key()
    return Actor.of(house.principal(present_pair(key.key.key_id, key.secret.text)), "192.0.2.1")


@pytest.mark.parametrize(
    ("position", "order"), [(0, "abcdx"), (1, "xabcd"), (3, "abxcd"), (5, "abcdx"), (6, "abcdx"), (1_000_000, "abcdx")]
)
def test_a_rule_is_made_where_it_is_wanted(ruled: House, position: int, order: str) -> None:
    """By default at the end; beyond the end means the end, and no position is left out or used twice."""
    _make(ruled, path="/x", position=position)

    assert _order(ruled) == order


@pytest.mark.parametrize(
    ("path", "position", "order"),
    [("a", 1, "abcd"), ("a", 2, "bacd"), ("a", 4, "bcda"), ("d", 1, "dabc"), ("c", 2, "acbd"), ("b", 99, "acdb")],
)
def test_a_rule_is_moved(ruled: House, path: str, position: int, order: str) -> None:
    """By its position, over the API as by its own command, keeping its name."""
    name = _name(ruled, path)

    ruled.documents.update(COMMAND_LINE, _TYPE, name, {"position": position})
    assert _order(ruled) == order
    ruled.access_rules.move(COMMAND_LINE, name, 1 + "abcd".index(path))

    assert (_order(ruled), _name(ruled, path)) == ("abcd", name)


def test_what_stands_elsewhere_was_changed(ruled: House) -> None:
    """Whoever read a rule before others moved it is told, and does not move it back by sending its old position."""
    seen = ruled.documents.get(COMMAND_LINE, _TYPE, _name(ruled, "c"))
    _make(ruled, path="/x", position=1)

    with pytest.raises(Invalid) as stale:
        ruled.documents.update(COMMAND_LINE, _TYPE, seen["name"], {**seen, "host": "h"})
    with pytest.raises(Conflict):
        ruled.access_rules.move(COMMAND_LINE, seen["name"], 1, expected=3)

    assert stale.value.flaw is Flaw.STALE
    assert _order(ruled) == "xabcd"


def test_a_deleted_rule_leaves_no_gap_and_its_name_to_nobody(ruled: House) -> None:
    """Those after it move up; a later rule has another name."""
    gone = _name(ruled, "d")
    ruled.documents.delete(COMMAND_LINE, _TYPE, _name(ruled, "b"))
    ruled.documents.delete(COMMAND_LINE, _TYPE, gone)

    assert _order(ruled) == "ac"
    assert _make(ruled, path="/d") != gone
    with pytest.raises(NotFound):
        ruled.documents.get(COMMAND_LINE, _TYPE, gone)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"host": "https://x"}, "host"),
        ({"host": "x:80"}, "host"),
        ({"host": "[::1]:80"}, "host"),
        ({"host": "bücher.example"}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "*"}, "host"),
        ({"host": "a.*"}, "host"),
        ({"host": "*.[::1]"}, "host"),
        ({"host": "*.10.0.0.1"}, "host"),
        ({"host": "u@x"}, "host"),
        ({"host": 7}, "host"),
        ({"host": " "}, "host"),
        ({"host": "\u3000 "}, "host"),
        ({"path": "x"}, "path"),
        ({"path": "/x?y=1"}, "path"),
        ({"path": "/a/../b"}, "path"),
        ({"path": "/a%2Fb"}, "path"),
        ({"path": "/a%2Ab"}, "path"),
        ({"path": "/a*/b"}, "path"),
        ({"path": "/**"}, "path"),
        ({"path": "/é"}, "path"),
        ({"path": "/\x07"}, "path"),
        ({"path": "/" + "x" * 1000}, "path"),
        ({"path": "/a/../b", "allow_unusual_path": 1}, "path"),
        ({"methods": "GE T"}, "methods"),
        ({"methods": ["GET", 7]}, "methods"),
        ({"methods": "po\u017ft"}, "methods"),
        ({"methods": ""}, "methods"),
        ({"methods": [""]}, "methods"),
        ({"roles": ""}, "roles"),
        ({"roles": " , "}, "roles"),
        ({"roles": [""]}, "roles"),
        ({"roles": ["Reader", ""]}, "roles"),
        ({"scopes": ""}, "scopes"),
        ({"scopes": [""]}, "scopes"),
        ({"scopes": ["*", "a"]}, "scopes"),
        ({"roles": "Nope"}, "roles"),
        ({"roles": "Guest"}, "roles"),
        ({"roles": ["Read\ner"]}, "roles"),
        ({"scopes": "Foo:jump"}, "scopes"),
        ({"scopes": "a b"}, "scopes"),
        ({"allow_guest": 1, "roles": ["Reader"]}, "allow_guest"),
        ({"allow_guest": 1, "scopes": ["x"]}, "allow_guest"),
        ({"allow_guest": 2}, "allow_guest"),
        ({"allow_foreign_authorization": 1}, "allow_foreign_authorization"),
        ({"position": -1}, "position"),
        ({"position": 1.5}, "position"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_a_rule_cannot_say_is_told_at_its_field(ruled: House, fields: dict[str, object], field: str) -> None:
    """And nothing is made of it."""
    with pytest.raises(Invalid) as refused:
        _make(ruled, **fields)

    assert list(refused.value.fields) == [field]
    assert _order(ruled) == "abcd"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"host": " API.Example.COM. "}, {"host": "api.example.com"}),
        ({"host": "*.Example.com"}, {"host": "*.example.com"}),
        ({"host": "[0:0::1]"}, {"host": "[::1]"}),
        ({"host": "::1"}, None),
        ({"methods": "get, post"}, {"methods": ["GET", "POST"]}),
        ({"methods": '["GET"]'}, {"methods": ["GET"]}),
        ({"roles": ["Reader", "Reader"]}, {"roles": ["Reader"]}),
        ({"roles": ["Reader"], "every_role": 1}, {"every_role": 1}),
        ({"every_role": 1}, {"every_role": 0}),
        ({"path": ""}, {"path": "/*"}),
        ({"path": "/a%2Fb/*", "allow_unusual_path": 1}, {"path": "/a%2Fb/*"}),
        ({"scopes": "*"}, {"scopes": ["*"]}),
        ({"methods": [], "roles": [], "scopes": "[]"}, {"methods": [], "roles": [], "scopes": []}),
        ({"scopes": "orders.read, User:read"}, {"scopes": ["User:read", "orders.read"]}),
    ],
)
def test_a_rule_is_kept_in_one_spelling(ruled: House, sent: dict[str, Any], stored: dict[str, Any] | None) -> None:
    """Lists by commas or as JSON, hosts as they are compared."""
    if stored is None:
        with pytest.raises(Invalid):
            _make(ruled, **sent)
        return

    made = ruled.documents.get(COMMAND_LINE, _TYPE, _make(ruled, **sent))

    assert {name: made[name] for name in stored} == stored


def test_nothing_is_taken_away_by_an_empty_text(ruled: House) -> None:
    """An update says so by an empty list; the text is refused at its field."""
    name = _make(ruled, host="x", path="/x", roles=["Reader"], scopes=["x"], methods=["GET"])

    for field in ("roles", "scopes", "methods", "path"):
        with pytest.raises(Invalid) as refused:
            ruled.documents.update(COMMAND_LINE, _TYPE, name, {field: ""})
        assert list(refused.value.fields) == [field]
    with pytest.raises(Invalid, match="is blank: name a host, or leave it empty for any"):
        ruled.documents.update(COMMAND_LINE, _TYPE, name, {"host": "  "})
    emptied = ruled.documents.update(COMMAND_LINE, _TYPE, name, {"roles": [], "scopes": [], "methods": []})

    assert (emptied["roles"], emptied["scopes"], emptied["methods"], emptied["path"]) == ([], [], [], "/x")


def test_a_role_that_a_rule_names_stays(ruled: House) -> None:
    """It cannot be deleted; one that went by other means lets nobody in, and keeps nobody from changing the rule."""
    with pytest.raises(Conflict, match="asks for Reader"):
        ruled.roles.delete(COMMAND_LINE, "Reader")
    ruled.execute("DELETE FROM role WHERE name = 'Reader'")
    name = _name(ruled, "b")

    changed = ruled.documents.update(COMMAND_LINE, _TYPE, name, {"methods": "GET"})

    assert changed["roles"] == ["Reader"]
    with pytest.raises(Invalid):
        ruled.documents.update(COMMAND_LINE, _TYPE, _name(ruled, "a"), {"roles": ["Reader"]})


def test_rules_are_for_system_managers(ruled: House) -> None:
    """Whoever has no right neither reads nor changes them, nor tries them out, nor learns which there are."""
    actor, name = _user(ruled), _name(ruled, "a")
    attempts: list[Callable[[], object]] = [
        lambda: ruled.access_rules.get_all(actor),
        lambda: ruled.documents.create(actor, _TYPE, {"path": "/x"}),
        lambda: ruled.documents.update(actor, _TYPE, name, {"path": "/x"}),
        lambda: ruled.documents.delete(actor, _TYPE, name),
        lambda: ruled.access_rules.move(actor, name, 4),
        lambda: ruled.access_rules.move(actor, "RULE-999", 4),
        lambda: ruled.access_rules.load(actor, [], origin="x"),
        lambda: ruled.access_rules.load(actor, [], origin="x", dry_run=True),
    ]

    for attempt in attempts:
        with pytest.raises(NotPermitted):
            attempt()

    assert _order(ruled) == "abcd"


def test_ones_own_rules_are_not_enough(ruled: House) -> None:
    """A right on one's own rules alone makes none: each rule undoes others."""
    ruled.execute(
        "INSERT INTO permission (role_id, doctype, if_owner, can_read, can_write, can_create, can_delete, owner,"
        " creation, modified, modified_by) SELECT id, 'Access Rule', true, true, true, true, true, 'x', 0, 0, 'x'"
        " FROM role WHERE name = 'Reader'"
    )
    actor = _user(ruled, "Reader")

    with pytest.raises(NotPermitted):
        ruled.documents.create(actor, _TYPE, {"path": "/x", "position": 1})


def test_there_are_so_many_rules_at_most(house: House) -> None:
    """Each request may look at all of them; neither one by one nor at once are there more."""
    house.documents.create(COMMAND_LINE, _TYPE, {"path": "/x"})
    house.execute(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < :most)"
        " INSERT INTO access_rule SELECT i, i, host, path, methods, roles, scopes, every_role, allow_guest,"
        " allow_foreign_authorization, allow_unusual_path, owner, creation, modified, modified_by FROM n, access_rule",
        {"most": RULES_MAX},
    )

    with pytest.raises(Invalid, match="which is the most there may be"):
        house.documents.create(COMMAND_LINE, _TYPE, {"path": "/x"})
    with pytest.raises(Invalid, match=f"at most {RULES_MAX}"):
        house.access_rules.load(COMMAND_LINE, [rule_from({})] * (RULES_MAX + 1), origin="f")

    assert house.execute("SELECT count(*) FROM access_rule") == [(RULES_MAX,)]


def test_every_change_is_told(ruled: House) -> None:
    """In the activity log, with what the rule says."""
    name = _name(ruled, "a")
    before = len(ruled.activity())

    ruled.documents.update(COMMAND_LINE, _TYPE, name, {"host": "h", "position": 2})
    ruled.documents.delete(COMMAND_LINE, _TYPE, name)
    ruled.access_rules.load(COMMAND_LINE, [AccessRule(0, "", 0)], origin="rules.toml")

    told = [(row.operation, row.subject, row.detail) for row in ruled.activity()[before:]]
    assert told == [
        ("access_rule.changed", name, "any method /a on h: any user"),
        ("access_rule.moved", name, "from position 1 to 2"),
        ("access_rule.deleted", name, "position 2: any method /a on h: any user"),
        ("access_rule.loaded", _TYPE, "1 added, 3 removed, 0 moved, from rules.toml"),
    ]


def test_a_change_that_cannot_be_told_of_is_not_made(ruled: House) -> None:
    """Where the activity log cannot be written, the rules stay."""
    ruled.execute("ALTER TABLE activity_log RENAME TO activity_log_gone")

    for change in (
        lambda: _make(ruled, path="/x"),
        lambda: ruled.access_rules.move(COMMAND_LINE, _name(ruled, "a"), 3),
        lambda: ruled.documents.delete(COMMAND_LINE, _TYPE, _name(ruled, "a")),
        lambda: ruled.access_rules.load(COMMAND_LINE, [], origin="x"),
    ):
        with pytest.raises(StorageError):
            change()

    assert _order(ruled) == "abcd"


class TestLoading:
    def test_a_whole_set(self, ruled: House) -> None:
        """What says the same stays with its name, the rest comes and goes, in the order that was given."""
        names = {path: _name(ruled, path) for path in "abcd"}
        present = {rule.path[1:]: rule for rule in ruled.access_rules.get_all(COMMAND_LINE).rules}
        wanted = [rule_from({"path": "/x"}), present["d"], present["a"], rule_from({"path": "/y"})]

        planned = ruled.access_rules.load(COMMAND_LINE, wanted, origin="f", dry_run=True)
        assert _order(ruled) == "abcd"
        done = ruled.access_rules.load(COMMAND_LINE, wanted, origin="f")

        assert planned == done
        assert _told(done) == ("xy", "bc", "da")
        assert _order(ruled) == "xday"
        assert (_name(ruled, "a"), _name(ruled, "d")) == (names["a"], names["d"])
        assert not ruled.access_rules.load(COMMAND_LINE, wanted, origin="f")

    def test_two_alike(self, ruled: House) -> None:
        """Rules that say the same are two rules all the same."""
        twice = [rule_from({"path": "/a"})] * 2

        ruled.access_rules.load(COMMAND_LINE, twice, origin="f")

        assert _order(ruled) == "aa"

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('[[rule]]\npath = "/x"\n\n[[rule]]\nhost = "x:1"\n', "rule 2 (line 4), host: 'x:1' names a port"),
            ('\n[[rule]]\nroles = ["Nope"]\n', "rule 1 (line 2), roles: Could not find Role: Nope"),
            ("[[rule]]\ncolour = 1\n", "rule 1 (line 1), colour: is no field of a rule"),
            ("[[rule]]\nposition = 1\n", "rule 1 (line 1), position: is no field of a rule"),
            (
                '[[rule]]\nroles = ""\n',
                "rule 1 (line 1), roles: is empty: name a role, or leave it out to let any user in",
            ),
            ('[[rule]]\npath = "/x"\n[[rule]]\nroles = []\n', "rule 2 (line 3), roles: is empty: name a role"),
            ('[[rule]]\nroles = ["", " "]\n', "rule 1 (line 1), roles: is empty: name a role"),
            ('[[rule]]\nroles = " , "\n', "rule 1 (line 1), roles: is empty: name a role"),
            ('[[rule]]\nroles = ["Reader", ""]\n', "rule 1 (line 1), roles: a role has a name"),
            ('[[rule]]\nroles = "[]"\n', "rule 1 (line 1), roles: is empty: name a role"),
            ('[[rule]]\nroles = \' ["", " "] \'\n', "rule 1 (line 1), roles: is empty: name a role"),
            ('[[rule]]\nmethods = "[ ]"\n', "rule 1 (line 1), methods: is empty: name a method"),
            ('[[rule]]\nscopes = "[]"\n', "rule 1 (line 1), scopes: is empty: name a scope"),
            ('[[rule]]\nmethods = ""\n', "rule 1 (line 1), methods: is empty: name a method"),
            ("[[rule]]\nscopes = []\n", "rule 1 (line 1), scopes: is empty: name a scope"),
            ('[[rule]]\nhost = ""\n', "rule 1 (line 1), host: is empty: name a host, or leave it out for any"),
            ('[[rule]]\nhost = "  "\n', "rule 1 (line 1), host: is empty: name a host"),
            ('[[rule]]\npath = ""\n', "rule 1 (line 1), path: is empty: for every path, write /*"),
            ("[[rule]]\nroles = 7\n", "rule 1 (line 1), roles: "),
            ('[[rule]]\nmethods = [["GET"]]\n', "rule 1 (line 1), methods: "),
            ('rule = [{ roles = ["Nope"] }]\n', "rule 1, roles: Could not find Role: Nope"),
            ("rule = [{}, { colour = 1 }]\n", "rule 2, colour: is no field of a rule"),
            ("rule = 7\n", "each rule is a table [[rule]]"),
            ("[rule]\n", "each rule is a table [[rule]]"),
            ("rules = []\n", "'rules' is nothing that a file of rules holds"),
            ("[[rule]\n", "it is no TOML"),
            ("x = " + "[" * 100_000, "it is no TOML"),
        ],
    )
    def test_a_file_that_is_wrong_changes_nothing(self, ruled: House, tmp_path: Path, text: str, told: str) -> None:
        """It is told where it is wrong: rule, line and field."""
        file = tmp_path / "rules.toml"
        file.write_text(text)

        with pytest.raises(Invalid) as refused:
            load_rules(ruled.access_rules, COMMAND_LINE, file)

        assert told in refused.value.public
        assert _order(ruled) == "abcd"

    def test_files_that_cannot_be_read(self, ruled: House, tmp_path: Path) -> None:
        """There is none, it is a folder, no text, or larger than any rules are, such as a device without an end."""
        (tmp_path / "bytes").write_bytes(b"\xff")

        with pytest.raises(NotFound):
            load_rules(ruled.access_rules, COMMAND_LINE, tmp_path / "none")
        for name in (".", "bytes"):
            with pytest.raises(Invalid):
                load_rules(ruled.access_rules, COMMAND_LINE, tmp_path / name)
        with pytest.raises(Invalid, match="is larger than"):
            load_rules(ruled.access_rules, COMMAND_LINE, Path("/dev/zero"))

    def test_where_the_rules_are_the_operators(self, ruled: House, tmp_path: Path) -> None:
        """Nobody changes them but by that file."""
        file, other = tmp_path / "rules.toml", tmp_path / "other.toml"
        for path in (file, other):
            path.write_text(f'[[rule]]\npath = "/{path.stem}"\n')
        service = replace(ruled.access_rules, file=file)
        documents = replace(ruled.documents, access_rules=service)
        attempts: list[Callable[[], object]] = [
            lambda: documents.create(COMMAND_LINE, _TYPE, {"path": "/x"}),
            lambda: documents.update(COMMAND_LINE, _TYPE, _name(ruled, "a"), {"path": "/x"}),
            lambda: documents.delete(COMMAND_LINE, _TYPE, _name(ruled, "a")),
            lambda: service.move(COMMAND_LINE, _name(ruled, "a"), 2),
            lambda: load_rules(service, COMMAND_LINE, other),
        ]

        for attempt in attempts:
            with pytest.raises(Invalid, match="are changed there alone"):
                attempt()
        assert _order(ruled) == "abcd"
        load_rules(service, COMMAND_LINE, file)

        assert _order(ruled) == "rules"


def _told(changes: RuleChanges) -> tuple[str, str, str]:
    lists = changes.added, changes.removed, changes.moved
    added, removed, moved = ("".join(rule.path[1:] for rule in rules) for rules in lists)
    return added, removed, moved
