"""A thread that does something again and again."""

import threading

from latchgate.services.watchers import Watcher


def test_beats() -> None:
    """The first beat is over before `start` returns, others follow by themselves, and none after `stop`."""
    beats, third = list[int](), threading.Event()

    def beat() -> None:
        beats.append(threading.get_ident())
        if len(beats) == 3:
            third.set()

    watcher = Watcher(beat, 0.001)
    watcher.start()
    assert beats[0] == threading.get_ident()
    assert third.wait(60)
    watcher.stop()

    assert threading.get_ident() not in beats[1:]
    assert not watcher._thread.is_alive()
