"""The monitoring files of the deployment, and what they may ask for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
MONITORING = PROJECT / "deploy" / "monitoring"
RULES = sorted((MONITORING / "prometheus" / "rules").glob("*.yml"))
RULE_TESTS = sorted((MONITORING / "prometheus" / "tests").glob("*.yml"))
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))

#: Labels that Prometheus adds to whatever it scrapes.
TARGET_LABELS = frozenset({"job", "instance"})


@dataclass(frozen=True)
class Known:
    """A metric that somebody exposes: counter, gauge, histogram or untyped, and its labels."""

    kind: str
    labels: frozenset[str]


def _known(kind: str, *labels: str) -> Known:
    return Known(kind, frozenset(labels) | TARGET_LABELS)


#: What others than FindMe's services expose.
FOREIGN = {
    # Prometheus itself.
    "up": _known("gauge"),
    "ALERTS": _known("gauge", "alertname", "alertstate", "severity"),
    # RabbitMQ's plugin; a test compares these with a broker.
    "rabbitmq_alarms_memory_used_watermark": _known("gauge"),
    "rabbitmq_alarms_free_disk_space_watermark": _known("gauge"),
    "rabbitmq_alarms_file_descriptor_limit": _known("gauge"),
    "rabbitmq_process_resident_memory_bytes": _known("gauge"),
    "rabbitmq_resident_memory_limit_bytes": _known("gauge"),
    "rabbitmq_disk_space_available_bytes": _known("gauge"),
    "rabbitmq_disk_space_available_limit_bytes": _known("gauge"),
    "rabbitmq_connections": _known("gauge"),
    "rabbitmq_channels": _known("gauge"),
    "rabbitmq_detailed_queue_messages_ready": _known("gauge", "queue", "vhost"),
    "rabbitmq_detailed_queue_messages_unacked": _known("gauge", "queue", "vhost"),
    "rabbitmq_detailed_queue_consumers": _known("gauge", "queue", "vhost"),
    # Kubernetes' kubelet, read in its documentation (Kubernetes Metrics Reference).
    "kubelet_volume_stats_available_bytes": _known("gauge", "namespace", "persistentvolumeclaim"),
    "kubelet_volume_stats_capacity_bytes": _known("gauge", "namespace", "persistentvolumeclaim"),
}


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every file, recording and alerting."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> dict[str, dict[str, Any]]:
    return {rule["record"]: rule for rule in rules() if "record" in rule}


def dashboards() -> Mapping[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in DASHBOARDS}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel that shows something, with its dashboard's name."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield name, panel


def expressions() -> dict[str, str]:
    """Every expression of rules and dashboards, by where it stands."""
    found: dict[str, str] = {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
    for name, panel in panels():
        for target in panel["targets"]:
            found[f"{name}: {panel['title']}, {target['refId']}"] = target["expr"]
    return found


def legend_labels(legend: str) -> set[str]:
    return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))
