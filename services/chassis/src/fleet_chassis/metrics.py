"""What every service's metrics have in common: labels that stay few, and a list of what there is."""

from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.registry import Collector

OTHER = "other"
"""The label of all who came after the bound was reached."""
_LABELS = "_labelnames"
MOST_SERIES = 4096
"""So many of a metric are found fast."""


class Names:
    """Label values that come from outside: the first so many keep their own, all others share one.

    A label without a bound would let a caller fill the memory of every worker and of Prometheus.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """The label for `name`."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name


@dataclass(frozen=True, slots=True)
class Described:
    """One metric, as an operator may ask for it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query may use."""
        match self.kind:
            case "counter":
                return (f"{self.name}_total",)
            case "histogram":
                return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
            case _:
                return (self.name,)


class Registry(CollectorRegistry):
    """A registry that can list what was registered, and shows the process itself too (processor, memory)."""

    def __init__(self) -> None:
        super().__init__()
        self._collectors: list[Collector] = []
        ProcessCollector(registry=self)

    def register(self, collector: Collector) -> None:
        """As the library's own; what counts finds its series by known labels at once, without a lock."""
        if isinstance(collector, Counter | Histogram):
            # No series of these is ever taken away, as one of a gauge may be.
            vars(collector)["labels"] = lru_cache(MOST_SERIES)(collector.labels)
        super().register(collector)
        # A parent calls this while it is being built.
        self._collectors.append(collector)

    def described(self) -> list[Described]:
        """Every metric, by name."""
        found = [
            Described(family.name, family.type, _labels_of(collector), family.documentation)
            for collector in self._collectors
            for family in collector.collect()
        ]
        return sorted(found, key=lambda metric: metric.name)


def _labels_of(collector: Collector) -> tuple[str, ...]:
    # The library shows a metric's labels nowhere but on its samples, and a new metric has none.
    return tuple(getattr(collector, _LABELS, ()))
