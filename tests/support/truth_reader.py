"""A process that serves from the cache, as a worker of the server does, and answers on its standard output.

python -m support.truth_reader HOME         one line in for each line out, both JSON

{"ask": "token …:…"}    → {"user": "ann@example.com" or null, "reason": …, "remembered": whether memory alone told}
{"beats": 2}            → {} once the watcher has looked at the files that often from beginning to end
"""

import json
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.core.credentials import Presented
from latchgate.core.policy import SIGNED_IN
from latchgate.services.verified_cache import VerifiedCache
from latchgate.settings import Settings

ADDRESS = "192.0.2.1"


class Beats:
    """Counts the beats that ended."""

    def __init__(self) -> None:
        self._count = 0
        self._ended = threading.Condition()
        beat = VerifiedCache.beat

        def counted(cache: VerifiedCache) -> None:
            beat(cache)
            with self._ended:
                self._count += 1
                self._ended.notify_all()

        VerifiedCache.beat = counted  # type: ignore[method-assign,assignment]  # this process is the test's alone

    def wait(self, count: int) -> None:
        # One more: the first to end may have begun before it was asked.
        with self._ended:
            until = self._count + count + 1
            self._ended.wait_for(lambda: self._count >= until)


def answer(latchgate: Latchgate, beats: Beats, asked: Mapping[str, object]) -> dict[str, object]:
    """Do what a line asks."""
    if "beats" in asked:
        beats.wait(int(str(asked["beats"])))
        return {}
    authorization = str(asked["ask"]).encode()
    remembered = latchgate.gate.recall(authorization, None, ADDRESS, latchgate.gate.name(authorization, None))
    presented = Presented("GET", "/", ADDRESS, authorization=(authorization,))
    admission = latchgate.gate.admit(presented, SIGNED_IN)
    user = admission.principal.user if admission.principal else None
    return {"user": user, "reason": admission.reason, "remembered": remembered is not None}


if __name__ == "__main__":
    counting = Beats()
    with closing(open_latchgate(Settings(home=Path(sys.argv[1])), cached=True)) as opened:
        print(json.dumps({"ready": opened.cache is not None}), flush=True)  # noqa: T201  # its way to answer
        for line in sys.stdin:
            print(json.dumps(answer(opened, counting, json.loads(line))), flush=True)  # noqa: T201  # as above
