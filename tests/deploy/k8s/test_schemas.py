"""Every object is one that the cluster's API would take."""

from typing import Any

import pytest

from tests.support.k8s.manifests import OVERLAYS, Change, Manifests
from tests.support.k8s.render import rendered
from tests.support.k8s.schemas import CRDS, invalid


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_fits_its_schema(overlay: str) -> None:
    assert invalid(rendered(overlay).objects) == []


def test_every_schema_is_used() -> None:
    kinds = {each["kind"].lower() for each in rendered("production").objects}
    assert {path.stem for path in CRDS.glob("*.yaml")} <= kinds


def test_a_field_that_nobody_knows_is_refused_in_every_kind() -> None:
    one_of_each = {each["kind"]: each for o in OVERLAYS for each in rendered(o).objects}
    assert len(one_of_each) > 20
    taken = []
    for kind, each in one_of_each.items():
        each.get("spec", each)["replicass"] = 3
        if not any("replicass" in problem for problem in invalid([each])):
            taken.append(kind)
    assert taken == []


def first(manifests: Manifests, kind: str) -> Any:
    return manifests.of(kind)[0]["spec"]


WRONG: dict[str, Change] = {
    "a replica count that is text": lambda m: first(m, "RabbitmqCluster").update(replicas="3"),
    "a value of KEDA that is no text": lambda m: first(m, "ScaledObject")["triggers"][0][
        "metadata"
    ].update(value=176),
    "a regex over AMQP": lambda m: first(m, "ScaledObject")["triggers"][0]["metadata"].update(
        protocol="amqp"
    ),
    "a password in the address": lambda m: first(m, "ScaledObject")["triggers"][0][
        "metadata"
    ].update(host="http://a:b@c/"),
    "a parameter of PostgreSQL that is no text": lambda m: first(m, "Cluster")["postgresql"][
        "parameters"
    ].update(max_connections=700),
    "a schedule of five fields": lambda m: first(m, "ScheduledBackup").update(schedule="0 3 * * *"),
    "a backup by a plugin that is not named": lambda m: first(m, "ScheduledBackup").pop(
        "pluginConfiguration"
    ),
    "a retention without a unit": lambda m: first(m, "ObjectStore").update(retentionPolicy="30"),
    "a bucket that is none": lambda m: first(m, "ObjectStore")["configuration"].update(
        destinationPath="bucket"
    ),
    "HTTPS without a certificate": lambda m: first(m, "Gateway")["listeners"][1].pop("tls"),
    "an exact path without a slash": lambda m: first(m, "HTTPRoute")["rules"][0]["matches"][0][
        "path"
    ].update(type="Exact", value="api"),
    "a timeout without a unit": lambda m: first(m, "HTTPRoute")["rules"][1]["timeouts"].update(
        request="0"
    ),
    "a secret without a key": lambda m: first(m, "ExternalSecret")["data"][0]["remoteRef"].pop(
        "key"
    ),
    "a region that is none": lambda m: first(m, "SecretStore")["provider"]["aws"].update(
        region="Frankfurt"
    ),
    "a parameter that KEDA does not have": lambda m: first(m, "TriggerAuthentication")[
        "secretTargetRef"
    ][0].update(parameter="user"),
    "an interval that is none": lambda m: first(m, "PodMonitor")["podMetricsEndpoints"][0].update(
        interval="often"
    ),
    "a rule that is alert and record": lambda m: first(m, "PrometheusRule")["groups"][0]["rules"][
        0
    ].update(alert="A", record="a"),
    "a memory that is none": lambda m: first(m, "Deployment")["template"]["spec"]["containers"][0][
        "resources"
    ]["limits"].update(memory=[]),
    "an autoscaler without a maximum": lambda m: first(m, "HorizontalPodAutoscaler").pop(
        "maxReplicas"
    ),
    "a policy of a type that is none": lambda m: first(m, "NetworkPolicy").update(
        policyTypes="Ingress"
    ),
    "a resource of the CRD in another version": lambda m: m.of("Cluster")[0].update(
        apiVersion="postgresql.cnpg.io/v2"
    ),
    "an object without a namespace": lambda m: m.of("ScaledObject")[0]["metadata"].pop("namespace"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_api_would_refuse_is_refused_here(name: str) -> None:
    manifests = rendered("production")
    WRONG[name](manifests)
    untouched = rendered("production").objects
    (changed,) = [each for each in manifests.objects if each not in untouched]
    assert len(invalid([changed])) >= 1
