"""The sums hold at the most replicas, and autoscaling follows what was measured."""

from typing import Any

import pytest

from tests.support.k8s.check_capacity import (
    badly_scaled,
    connections_needed,
    max_connections,
    measured_photos_per_second,
)
from tests.support.k8s.manifests import OVERLAYS, SERVICES, Change, Manifests
from tests.support.k8s.render import rendered


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_replicas_together_fit_into_the_database(overlay: str) -> None:
    manifests = rendered(overlay)
    assert connections_needed(manifests) <= max_connections(manifests)


def test_one_more_replica_of_each_service_would_not() -> None:
    manifests = rendered("production")
    manifests.get("ScaledObject", "recognition")["spec"]["maxReplicaCount"] += 1
    assert connections_needed(manifests) > max_connections(manifests)


def test_recognition_follows_its_queues() -> None:
    assert badly_scaled(rendered("production")) == []


def metadata(manifests: Manifests, number: int) -> Any:
    return manifests.get("ScaledObject", "recognition")["spec"]["triggers"][number]["metadata"]


def spec(manifests: Manifests) -> Any:
    return manifests.get("ScaledObject", "recognition")["spec"]


WRONG: dict[str, Change] = {
    "analyze counts []": lambda m: metadata(m, 0).update(queueName=r"^findme.analyse\.\d+$"),
    "match counts": lambda m: metadata(m, 1).update(queueName=r"findme\."),
    "match looks at 10 of 16": lambda m: metadata(m, 1).update(pageSize="10"),
    "analyze is MessageRate": lambda m: metadata(m, 0).update(mode="MessageRate"),
    "analyze does not add up": lambda m: metadata(m, 0).update(operation="max"),
    "leaves out what is being worked on": lambda m: metadata(m, 0).update(
        excludeUnacknowledged="true"
    ),
    "is given 20 photos": lambda m: metadata(m, 0).update(value="20"),
    "one replica of recognition": lambda m: spec(m).update(minReplicaCount=1),
    "scales down in a pause": lambda m: spec(m)["advanced"]["horizontalPodAutoscalerConfig"][
        "behavior"
    ]["scaleDown"].update(stabilizationWindowSeconds=0),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_other_autoscaling_is_found(complaint: str) -> None:
    manifests = rendered("production")
    WRONG[complaint](manifests)
    assert complaint in "\n".join(badly_scaled(manifests))


def test_the_measured_speed_is_read_from_the_results() -> None:
    assert 1 < measured_photos_per_second() < 1000


def test_a_recognition_replica_requests_a_core_for_each_worker() -> None:
    manifests = rendered("production")
    workload = manifests.workload("Deployment", "recognition")
    workers = manifests.settings(workload)["PHOTO_QUEUE_WORKERS"]
    assert workload.spec["containers"][0]["resources"]["requests"]["cpu"] == workers


def test_every_service_scales_in_production_and_runs_alone_in_dev() -> None:
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]
        for each in rendered("production").of("HorizontalPodAutoscaler", "ScaledObject")
    }
    assert scaled == set(SERVICES)
    assert rendered("dev").of("HorizontalPodAutoscaler", "ScaledObject") == []
