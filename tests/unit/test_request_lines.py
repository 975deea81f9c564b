"""A line for each request, where the operator asked for it."""

import json
from dataclasses import replace

import pytest

from latchgate.services import request_lines
from latchgate.services.request_lines import write_request_line
from support.log_rows import make_row


def test_a_request_is_one_line_with_the_fields_of_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Under the names that the log's readers know, so that one looks up in the other."""
    entry = make_row()

    write_request_line(entry)
    write_request_line(replace(entry, reason="wrong_secret", user_agent='a "b"\nc', host="app.example.com"))

    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert {name: first[name] for name in entry.document()} == entry.document()
    assert (first["event"], first["level"]) == ("request", "info")
    assert (second["reason"], second["user_agent"], second["host"]) == ("wrong_secret", 'a "b"\nc', "app.example.com")
    assert "host" not in first


def test_lines_that_nobody_reads_hurt_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gathered them may have gone away."""

    def fail(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(request_lines._log, "info", fail)

    write_request_line(make_row())
