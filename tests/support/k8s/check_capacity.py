"""Sums over the most replicas, and figures against what was measured."""

import re
from pathlib import Path

from libs.common.messaging.bus.topology import findme_topology
from tests.support.k8s.check_pods import max_replicas, min_replicas
from tests.support.k8s.check_settings import settings_of
from tests.support.k8s.manifests import SERVICES, Manifests

#: Migration, operators at work, the exporter, replication, superuser_reserved_connections.
OTHER_CONNECTIONS = 30
BACKLOG_SECONDS = 30
ROUGHLY = 1.5

_RESULTS = Path(__file__).parents[3] / "benchmarks" / "RESULTS.md"


def connections_needed(manifests: Manifests) -> int:
    """What all services may hold at once, in the middle of a rollout at their most replicas."""
    total = OTHER_CONNECTIONS
    for name in SERVICES:
        workload = manifests.workload("Deployment", name)
        per_process = settings_of(manifests, workload).db_connections
        surge = workload.owner["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        total += (max_replicas(manifests, name) + surge) * per_process
    return total


def max_connections(manifests: Manifests) -> int:
    """What the database allows."""
    for each in manifests.of("Cluster"):
        return int(each["spec"]["postgresql"]["parameters"]["max_connections"])
    (container,) = manifests.workload("StatefulSet", "findme-db").spec["containers"]
    (given,) = [each for each in container["args"] if each.startswith("max_connections=")]
    return int(given.partition("=")[2])


def measured_photos_per_second() -> float:
    """Of one process with two workers, by the last benchmark."""
    found = re.search(r"\| photos_per_second \| \**([\d.]+)", _RESULTS.read_text())
    assert found is not None
    return float(found[1])


def badly_scaled(manifests: Manifests) -> list[str]:
    """Where recognition's autoscaling is not what was decided about it."""
    spec = manifests.get("ScaledObject", "recognition")["spec"]
    triggers = {each["name"]: each["metadata"] for each in spec["triggers"]}
    topology = findme_topology()
    problems = []
    for name, queues in (("analyze", topology.analyze), ("match", topology.match)):
        trigger = triggers.pop(name)
        selected = {
            queue.name for queue in topology.queues if re.search(trigger["queueName"], queue.name)
        }
        if selected != {queue.name for queue in queues}:
            problems.append(f"{name} counts {sorted(selected)}")
        if int(trigger["pageSize"]) < len(queues):
            problems.append(f"{name} looks at {trigger['pageSize']} of {len(queues)} queues")
        if (trigger["protocol"], trigger["mode"]) != ("http", "QueueLength"):
            problems.append(f"{name} is {trigger['mode']} over {trigger['protocol']}")
        if (trigger["useRegex"], trigger["operation"]) != ("true", "sum"):
            problems.append(f"{name} does not add up its queues")
        if trigger.get("excludeUnacknowledged") == "true":
            problems.append(f"{name} leaves out what is being worked on")
    wanted = measured_photos_per_second() * BACKLOG_SECONDS
    value = float(
        next(each for each in spec["triggers"] if each["name"] == "analyze")["metadata"]["value"]
    )
    if not wanted / ROUGHLY < value < wanted * ROUGHLY:
        problems.append(f"a replica is given {value:g} photos and does {wanted:g} in half a minute")
    if min_replicas(manifests, "recognition") < 2:
        problems.append("one replica of recognition is none while it moves")
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    if down["stabilizationWindowSeconds"] < 300:
        problems.append("recognition scales down in a pause")
    return problems
