"""The rules: pure functions and frozen values that do no I/O and read no clock, randomness or environment."""
