"""Serve as `latchgate serve` does, but without a part of it, to measure what that part costs.

    python bench/launch.py --without log serve

Only for benchmarks: no setting leaves these parts out, since a service without its log is not what anybody asked for.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from latchgate import bootstrap

__all__ = ["METRICS", "missing_parts"]

METRICS = (
    "latchgate.services.measures:Measures.counter",
    "latchgate.services.measures:Measures.gauge",
    "latchgate.services.measures:Measures.observer",
    "latchgate.services.measures:Measures.recalled_observer",
    "latchgate.services.measures:Measures.found_observer",
    "latchgate.services.measures:RequestMeasures.count",
)
"""What counts for /metrics, or gives what does, as `module:name.name`."""


class DroppingLog:
    """A request log that takes every row and keeps none; all else, such as reading, it leaves to the real one."""

    waits_for_disk = False

    def __init__(self, log: object) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the real one has
        """Give what the real log has under that name."""
        return getattr(self._log, name)

    def reserve(self) -> None:
        """Find room for a row, of which there is always enough."""

    def append(self, entry: object, reservation: object = None) -> None:
        """Drop a row."""

    def append_prepared(self, *parts: object) -> None:
        """Drop a row of pieces that were made before."""

    def append_refused(self, entry: object, reservation: object = None) -> None:
        """Drop the row of a refused request."""


def missing_parts(targets: tuple[str, ...]) -> list[str]:
    """List which of these, `module:name.name`, this release does not have."""
    return [target for target in targets if _find(target) is None]


def main() -> None:
    """Take the parts out and run the command that follows."""
    _, option, parts, *arguments = sys.argv
    if option != "--without":
        raise SystemExit(__doc__)
    for part in parts.split(","):
        _PARTS[part]()
    sys.argv[1:] = arguments
    from latchgate.cli.app import main as run  # noqa: PLC0415  # only now may it import what was changed

    run()


def _leave_log_out() -> None:
    opened: Callable[..., bootstrap.Latchgate] = bootstrap.open_latchgate

    def open_without_log(*arguments: Any, **options: Any) -> bootstrap.Latchgate:  # noqa: ANN401  # as it is called
        latchgate = opened(*arguments, **options)
        log: Any = DroppingLog(latchgate.request_log)
        return replace(latchgate, request_log=log, gate=replace(latchgate.gate, request_log=log))

    bootstrap.open_latchgate = open_without_log


def _leave_metrics_out() -> None:
    missing = missing_parts(METRICS)
    if missing:
        raise SystemExit(f"There is no {', no '.join(missing)}: launch.py must be told what counts now.")
    for target in METRICS:
        owner, name = _find(target) or (None, "")
        setattr(owner, name, lambda *_arguments, **_options: _count_nothing)


def _count_nothing(_amount: int) -> None:
    """Stand where something counts."""


def _find(target: str) -> tuple[object, str] | None:
    """Find what holds a name, and the name."""
    module, _, path = target.partition(":")
    if find_spec(module) is None:
        return None
    *owners, name = path.split(".")
    found: object = import_module(module)
    for owner in owners:
        found = getattr(found, owner, None)
    return (found, name) if hasattr(found, name) else None


_PARTS = {"log": _leave_log_out, "metrics": _leave_metrics_out}

if __name__ == "__main__":
    main()
