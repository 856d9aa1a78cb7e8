"""The metrics that FindMe's services expose, read from the code that registers them."""

import importlib
from collections.abc import Iterable

from prometheus_client import REGISTRY, Metric
from prometheus_client.metrics import MetricWrapperBase

from tests.support.monitoring import TARGET_LABELS, Known

MODULES = (
    "libs.common.telemetry.metrics",
    "libs.common.messaging.bus.subscriptions",
    "libs.common.telemetry.worker_metrics",
    "services.gallery.metrics",
    "services.ingest.metrics",
    "services.media.metrics",
    "services.recognition.metrics",
)


def registered() -> dict[str, Known]:
    """Every series' name with its kind and the labels its metric was declared with."""
    for module in MODULES:
        importlib.import_module(module)
    return series(REGISTRY.collect(), _declared_labels())


def series(
    metrics: Iterable[Metric], declared: dict[str, frozenset[str]] | None = None
) -> dict[str, Known]:
    """The series of metric families; labels are declared ones and those of the samples."""
    found = {}
    for metric in metrics:
        labels = (declared or {}).get(metric.name, frozenset())
        for sample in metric.samples:
            labels |= sample.labels.keys()
        labels = labels - {"le"} | TARGET_LABELS
        match metric.type:
            case "counter":
                found[f"{metric.name}_total"] = Known("counter", labels)
            case "histogram":
                found[f"{metric.name}_bucket"] = Known("counter", labels | {"le"})
                for suffix in ("count", "sum"):
                    found[f"{metric.name}_{suffix}"] = Known("counter", labels)
            case kind:
                found[metric.name] = Known(kind, labels)
    return found


def _declared_labels() -> dict[str, frozenset[str]]:
    # Asked of the collectors: a family without a sample does not tell its labels.
    collectors = REGISTRY._collector_to_names
    return {
        next(iter(collector.describe())).name: frozenset(collector._labelnames)
        for collector in collectors
        if isinstance(collector, MetricWrapperBase)
    }
