"""Token-based authentication for HTTP APIs: who is asking, what may they do, and a log of it."""

__version__ = "0.1.0"
