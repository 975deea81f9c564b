"""The uses: what Latchgate can be asked to do, and the ports it needs for that."""
