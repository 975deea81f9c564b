"""Patterns of hosts mean the same, one by one and in the index of many rules."""

from itertools import product

from latchgate.core.hosts import ANY_HOST, host_covers, list_host_patterns

_NAMES = [".".join(labels) for length in (1, 2, 3) for labels in product(("a", "b", "ab"), repeat=length)]
_HOSTS = [*_NAMES, "[::1]", "10.0.0.1"]
_PATTERNS = [ANY_HOST, *_HOSTS, *(f"*.{name}" for name in _NAMES)]


def test_a_pattern_covers_the_hosts_that_list_it() -> None:
    """Else a rule would be told to be for a host for which it never decides, or the other way round."""
    differing = [
        (pattern, host)
        for pattern, host in product(_PATTERNS, _HOSTS)
        if host_covers(pattern, host) is not (pattern in list_host_patterns(host))
    ]

    assert differing == []


def test_what_stands_below_a_name_ends_in_all_of_its_labels() -> None:
    """The name itself is not below it, nor is one that merely ends in its letters."""
    below = [host for host in ("b", "ab", "a.b", "b.ab", "a.a.b") if host_covers("*.b", host)]

    assert below == ["a.b", "a.a.b"]
