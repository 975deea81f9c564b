"""What service managers find on standard error."""

import json
from datetime import UTC, datetime

import pytest

from latchgate.services.operator_log import OperatorLog


def test_each_happening_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Its fields as they are, then what happened, how grave it is and when, in UTC."""
    log, before = OperatorLog(), datetime.now(UTC)

    log.warning("request failed", code="storage", detail='a "quoted"\nline')
    log.error("request log failed", request_id=None)

    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert list(first) == ["code", "detail", "event", "level", "timestamp"]
    assert (first["code"], first["detail"]) == ("storage", 'a "quoted"\nline')
    assert (first["event"], first["level"]) == ("request failed", "warning")
    assert first["timestamp"].endswith("Z")
    assert abs((datetime.fromisoformat(first["timestamp"]) - before).total_seconds()) < 3600
    assert (second["request_id"], second["event"], second["level"]) == (None, "request log failed", "error")


def test_an_exception_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """In the same line, as Python prints it; a field that JSON does not know is shown as Python shows it."""
    try:
        int("nothing")
    except ValueError:
        OperatorLog().exception("unexpected error", about={1, 2})

    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["about"]) == ("error", "{1, 2}")
    assert told["exception"].startswith("Traceback (most recent call last):\n")
    assert told["exception"].endswith("\nValueError: invalid literal for int() with base 10: 'nothing'")


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed")])
def test_nobody_fails_for_a_line_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Whoever reads them may be gone, or the disk be full."""

    class _Broken:
        def write(self, _: str) -> None:
            raise error

    monkeypatch.setattr("sys.stderr", _Broken())

    OperatorLog().error("worker died", pid=1)
