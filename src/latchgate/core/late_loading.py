"""What is loaded only when it is first needed, so that a worker that never needs it does not hold it."""

from threading import RLock

__all__ = ["ONE_AT_A_TIME"]

ONE_AT_A_TIME = RLock()
"""Held while a module is imported within a function.

Two threads that begin at two ends of packages that import each other would wait for each other; Python then lets one of
them go on with a module that is only half there.
"""
