"""An application that opens the instance of its environment, serves and forks: run as a program.

It is given a credential and what to do. What it prints is JSON, one line at a time.
"""

import itertools
import json
import os
import sys
import threading

from latchgate.core.heads import Head
from latchgate.core.policy import SIGNED_IN
from latchgate.middleware.local import LocalKeeper

__all__ = ["ask"]

_THREADS = 4
_FORKS = 12
"""By each of two threads."""


def ask(keeper: LocalKeeper, authorization: str, path: str) -> int:
    """Ask once as a middleware does; give the status that was answered."""
    head = Head("GET", path.encode(), "127.0.0.1", ((b"authorization", authorization.encode()),))
    passage = keeper.admit_at_once(head, SIGNED_IN) or keeper.admit(head, SIGNED_IN)
    status = passage.refusal.status if passage.refusal else 200
    return status if passage.try_record(status) else 503


def _tell(told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def _serve_in_child(keeper: LocalKeeper, authorization: str, then: str) -> None:
    """Serve, fork, and answer in the child a request for each line that is read; the parent ends, closes or goes on."""
    assert ask(keeper, authorization, "/parent/0") == 200
    if os.fork():
        if then == "goes on":
            assert ask(keeper, authorization, "/parent/1") == 200
        elif then == "closes":
            keeper.close()
        if then != "ends":
            os.wait()
            _tell(ask(keeper, authorization, "/parent/2"))
    else:
        for number, _ in enumerate(iter(sys.stdin.readline, "")):
            _tell(ask(keeper, authorization, f"/child/{number}"))
    os._exit(0)


def _fork_among_threads(keeper: LocalKeeper, authorization: str) -> None:
    """Fork again and again by two threads, while others serve; each child serves too."""
    stop = threading.Event()
    asked: list[tuple[str, int]] = []

    def serve(thread: int) -> None:
        for number in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
            path = f"/{thread}/{number}"
            asked.append((path, ask(keeper, authorization, path)))

    def fork(thread: int) -> None:
        for number in range(_FORKS):
            path = f"/child/{thread}/{number}"
            asked.append((path, _ask_in_child(keeper, authorization, path)))

    servers = [threading.Thread(target=serve, args=(number,)) for number in range(_THREADS)]
    forkers = [threading.Thread(target=fork, args=(number,)) for number in range(2)]
    for thread in (*servers, *forkers):
        thread.start()
    for thread in forkers:
        thread.join()
    stop.set()
    for thread in servers:
        thread.join()
    _tell(asked)


def _ask_in_child(keeper: LocalKeeper, authorization: str, path: str) -> int:
    child = os.fork()
    if not child:
        os._exit(ask(keeper, authorization, path) // 100)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) * 100


def _main(authorization: str, then: str) -> None:
    keeper = LocalKeeper()
    if then == "threads":
        _fork_among_threads(keeper, authorization)
    else:
        _serve_in_child(keeper, authorization, then)


if __name__ == "__main__":
    _main(*sys.argv[1:])
