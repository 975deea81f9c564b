"""The page for Prometheus, read as Prometheus reads it."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Scraped", "changes"]


class Scraped:
    """What one page told: each sample by its name and labels."""

    def __init__(self, page: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(page)}
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Give a sample that must be there."""
        return self.samples[name, frozenset(labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """Add up the samples of a name that have at least these labels."""
        return sum(value for (other, has), value in self.samples.items() if other == name and labels.items() <= has)

    @property
    def requests(self) -> dict[tuple[str, str, str], float]:
        """How many requests there were, by scheme, outcome and way."""
        found = {}
        for (name, labels), value in self.samples.items():
            if name == "latchgate_requests_total" and value:
                by = dict(labels)
                found[by["scheme"], by["outcome"], by["way"]] = value
        return found

    @property
    def counters(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Give every sample that must never fall."""
        names = {
            sample.name
            for family in self.families.values()
            if family.type in {"counter", "histogram"}
            for sample in family.samples
        }
        return {key: value for key, value in self.samples.items() if key[0] in names}


def changes(
    before: Mapping[tuple[str, str, str], float], after: Mapping[tuple[str, str, str], float]
) -> dict[tuple[str, str, str], float]:
    """Tell by how much each number has grown, if it has."""
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
