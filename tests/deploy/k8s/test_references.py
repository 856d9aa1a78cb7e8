"""Selectors, ports, secrets, targets: what the objects name is there."""

from typing import Any

import pytest

from tests.support.k8s.check_references import dead_references
from tests.support.k8s.manifests import OVERLAYS, Change, Manifests
from tests.support.k8s.render import rendered


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whatever_an_object_names_is_there(overlay: str) -> None:
    assert dead_references(rendered(overlay)) == []


def pod(manifests: Manifests, name: str = "ingest") -> Any:
    return manifests.workload("Deployment", name).spec


def without(kind: str, name: str) -> Change:
    def change(manifests: Manifests) -> None:
        manifests.objects.remove(manifests.get(kind, name))

    return change


def relabelled(manifests: Manifests) -> None:
    template = manifests.get("Deployment", "media")["spec"]["template"]
    template["metadata"]["labels"]["app.kubernetes.io/component"] = "gallery"


def versioned(manifests: Manifests) -> None:
    for labels in (
        manifests.get("Deployment", "media")["spec"]["selector"]["matchLabels"],
        manifests.workload("Deployment", "media").labels,
    ):
        labels["app.kubernetes.io/version"] = "1"


PRODUCTION: dict[str, Change] = {
    "does not select its own pods": relabelled,
    "changes with the release": versioned,
    "no service account ingest": without("ServiceAccount", "ingest"),
    "wants SECRET_KEY of the secret findme-app": without("ExternalSecret", "findme-app"),
    "wants uri of the secret findme-db-app": without("Cluster", "findme-db"),
    "wants username of the secret findme-mq-default-user": without("RabbitmqCluster", "findme-mq"),
    "has no username in findme-mq-default-user": without("RabbitmqCluster", "findme-mq"),
    "has no store findme": without("SecretStore", "findme"),
    "has no service account secrets-reader": without("ServiceAccount", "secrets-reader"),
    "backs up to findme-db, which is not there": without("ObjectStore", "findme-db"),
    "ScheduledBackup/findme-db-nightly has no cluster": without("Cluster", "findme-db"),
    "has no gateway findme": without("Gateway", "findme"),
    "leads to media:8004, which is not there": without("Service", "media"),
    "has no authentication findme-broker": without("TriggerAuthentication", "findme-broker"),
    "HorizontalPodAutoscaler/gallery scales gallery": without("Deployment", "gallery"),
    "ScaledObject/recognition scales recognition": without("Deployment", "recognition"),
    "PodDisruptionBudget/media selects no pod": without("Deployment", "media"),
    "PodMonitor/findme-mq selects no pod": without("RabbitmqCluster", "findme-mq"),
    "Service/ingest selects no pod": without("Deployment", "ingest"),
    "has no listener nowhere": lambda m: m.get("HTTPRoute", "findme")["spec"]["parentRefs"][
        0
    ].update(sectionName="nowhere"),
    "has no certificate other": lambda m: m.get("Gateway", "findme")["spec"]["listeners"][1]["tls"][
        "certificateRefs"
    ][0].update(name="other"),
    "both say how many replicas": lambda m: m.get("Deployment", "recognition")["spec"].update(
        replicas=1
    ),
    "no config map other": lambda m: pod(m)["containers"][0]["envFrom"][0]["configMapRef"].update(
        name="other"
    ),
    "mounts nothing, which is no volume": lambda m: pod(m)["containers"][0]["volumeMounts"].append(
        {"name": "nothing", "mountPath": "/x"}
    ),
    "has the volume tmp and mounts it nowhere": lambda m: pod(m)["containers"][0][
        "volumeMounts"
    ].pop(0),
    "Deployment/ingest has no port http of 8001": lambda m: pod(m)["containers"][0]["ports"][
        0
    ].update(containerPort=9000),
    "Service/gallery finds that Deployment/gallery has no port web": lambda m: m.get(
        "Service", "gallery"
    )["spec"]["ports"][0].update(targetPort="web"),
}
DEV: dict[str, Change] = {
    "StatefulSet/findme-db selects the pods of findme-mq": lambda m: m.workload(
        "StatefulSet", "findme-mq"
    ).labels.update({"cnpg.io/cluster": "findme-db"}),
    "no volume claim findme-objects": without("PersistentVolumeClaim", "findme-objects"),
    "leads to gallery:http, which is not there": without("Service", "gallery"),
    "Service/findme-mq selects no pod": without("StatefulSet", "findme-mq"),
    "StatefulSet/findme-mq has no config map": lambda m: m.objects.remove(
        next(c for c in m.of("ConfigMap") if "rabbitmq" in c["metadata"]["name"])
    ),
    "wants password of the secret findme-db-app": lambda m: next(
        s for s in m.of("Secret") if "db" in s["metadata"]["name"]
    )["data"].pop("password"),
}


@pytest.mark.parametrize(
    ("overlay", "complaint"),
    [*(("production", each) for each in PRODUCTION), *(("dev", each) for each in DEV)],
)
def test_a_dead_reference_is_found(overlay: str, complaint: str) -> None:
    manifests = rendered(overlay)
    (PRODUCTION if overlay == "production" else DEV)[complaint](manifests)
    assert complaint in "\n".join(dead_references(manifests))
