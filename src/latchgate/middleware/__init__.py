"""Latchgate within another application: the same gate, rules and log, in that application's own processes."""
