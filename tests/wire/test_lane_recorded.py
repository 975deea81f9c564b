"""The whole recorded table, sent to a server with the fast lane and to one without: alike to the last byte."""

import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.frappe_like import VECTORS, running_like_frappe
from support.lanes import COMMON, LANES
from support.likeness import Likeness
from support.recorded_documents import carry_over
from support.recorded_oauth import carry_over_oauth
from support.replay import Replayer
from support.two_servers import Exchange, Seen, Side, Twins, running_twins

_RECORDED = json.loads((VECTORS / "cases.json").read_text())
_CUT_EVERY = 67
"""Bytes between the places where a request that changes nothing is cut."""


class _Replay:
    """Sends each case to both sides, each with the values and cookies that it itself was given."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self._memories = {id(side): Replayer("http://127.0.0.1") for side in (twins.one, twins.other)}

    def send(self, case: dict[str, Any]) -> None:
        """Send a case to both, whole; and what changes nothing once more, from memory and cut in two everywhere."""
        self._send(case, lambda raw: Exchange((raw,), answers=1))
        if case["area"] in {"token", "source"} and case["request"]["method"] == "GET":
            length = len(_raw(self._memories[id(self._twins.one)], case["request"]))
            for position in range(1, length, _CUT_EVERY):
                self._send(case, lambda raw, at=position: Exchange((raw[:at], raw[at:]), answers=1))

    def _send(self, case: dict[str, Any], make: Any) -> None:  # noqa: ANN401  # a function of bytes
        is_head = case["request"]["method"] == "HEAD"
        seen = [self._ask(side, case, make, is_head=is_head) for side in (self._twins.one, self._twins.other)]
        problems = self._twins.differences(*seen)
        assert not problems, f"{case['area']} / {case['name']}\n" + "\n".join(problems)

    def _ask(self, side: Side, case: dict[str, Any], make: Any, *, is_head: bool) -> Seen:  # noqa: ANN401  # as above
        memory = self._memories[id(side)]
        exchange = make(_raw(memory, case["request"]))
        seen = side.play(Exchange(exchange.pieces, answers=1, is_head=is_head))
        head, _, body = seen.answers.partition(b"\r\n\r\n")
        lines = [line.decode("latin-1").partition(": ")[::2] for line in head.split(b"\r\n")[1:]]
        memory.capture(case.get("captures", {}), lines, body)
        if jar := case["request"].get("cookie_jar"):
            _keep_cookies(memory.jars.setdefault(jar, {}), lines)
        return seen


def _raw(memory: Any, asked: dict[str, Any]) -> bytes:  # noqa: ANN401  # the replayer has no types
    """Write a case's request, as the replayer sends it."""
    fields = dict(memory.fill(asked["headers"]))
    body = None
    if "body_form" in asked:
        body = urllib.parse.urlencode(memory.fill(asked["body_form"])).encode()
        fields.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif "body_json" in asked:
        body = json.dumps(memory.fill(asked["body_json"])).encode()
        fields.setdefault("Content-Type", "application/json")
    elif "body_raw" in asked:
        body = asked["body_raw"].encode()
        fields.setdefault("Content-Type", "application/json" if body[:1] in {b"{", b"["} else "text/plain")
    if jar := memory.jars.get(asked.get("cookie_jar") or ""):
        fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
    lines = [f"{asked['method']} {memory.fill(asked['path'])} HTTP/1.1".encode(), b"Host: 127.0.0.1"]
    lines += [name.encode() + b": " + value.encode("latin-1") for name, value in fields.items()]
    if body is not None or asked["method"] in {"POST", "PUT", "PATCH"}:
        lines.append(b"Content-Length: %d" % len(body or b""))
    return b"\r\n".join([*lines, b"", body or b""])


def _keep_cookies(jar: dict[str, str], lines: list[tuple[str, str]]) -> None:
    for name, value in lines:
        if name.lower() == "set-cookie":
            key, _, text = value.partition(";")[0].partition("=")
            jar.pop(key, None)
            if text:
                jar[key] = text


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that nobody has open, with what the recorded server held."""
    home = tmp_path_factory.mktemp("filled") / "home"
    with running_like_frappe(home):
        pass
    return home


@contextmanager
def _recorded_twins(filled: Path, folder: Path) -> Iterator[Twins]:
    """Run a server with the lane and one without, both with what the recorded one held."""
    settings = [{**COMMON, "LATCHGATE_OAUTH_REGISTRATION": "open", **lane} for lane in LANES]
    with running_twins(filled, folder, settings) as twins:
        yield Twins(twins.one, twins.other, liken=Likeness())


@pytest.mark.parametrize("areas", ["token,source", "login", "keys", "resource,client", "oauth"])
def test_every_recorded_case_is_answered_alike(filled: Path, tmp_path: Path, areas: str) -> None:
    """Each recorded request, and what follows from its answer, is answered, logged and ended alike by both."""
    cases = [carry_over(case) for case in _RECORDED if case["area"] in areas.split(",")]
    if areas == "oauth":
        cases = [*cases, *carry_over_oauth(_RECORDED)]
    assert len(cases) > 40

    with _recorded_twins(filled, tmp_path) as twins:
        replay = _Replay(twins)
        for case in cases:
            replay.send(case)
