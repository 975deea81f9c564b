"""Backpressure on both sides: reading that stays paused, and a peer that has stopped taking its answers."""

import math

from uvicorn.protocols.http.flow_control import FlowControl


class HeldFlow(FlowControl):
    """uvicorn's flow control, which besides can hold reading paused, whoever asks for more."""

    _is_held = False

    def hold(self) -> None:
        """Pause reading until ``release``."""
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Read again."""
        self._is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        """Read again, unless held: an application that waits for its request's body calls this again and again."""
        if not self._is_held:
            super().resume_reading()


class StallWatch:
    """Notices that a peer has stopped taking what is written to it."""

    def __init__(self) -> None:
        self._unsent_bytes = 0
        self._since = math.inf

    def has_stalled(self, unsent_bytes: int, now: float, seconds_max: float) -> bool:
        """Return whether the same bytes have been waiting for ``seconds_max``; to be asked at every look."""
        # Over the transport's high-water mark nobody adds to them: an unchanged number means that nothing left.
        if unsent_bytes == 0 or unsent_bytes != self._unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self._since = now
        return now - self._since >= seconds_max
