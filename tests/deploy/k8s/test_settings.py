"""Environment, ports, probes and images agree with the code."""

from typing import Any

import pytest

from tests.support.k8s.check_settings import (
    unknown_addresses,
    unknown_images,
    unknown_settings,
    unreadable_settings,
    wrong_files,
    wrong_ports_and_probes,
)
from tests.support.k8s.manifests import OVERLAYS, Change, Check, Manifests
from tests.support.k8s.render import rendered

CHECKS = (
    unknown_settings,
    unreadable_settings,
    wrong_files,
    wrong_ports_and_probes,
    unknown_addresses,
    unknown_images,
)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("check", CHECKS)
def test_what_the_pods_are_given_is_what_the_code_takes(check: Check, overlay: str) -> None:
    assert check(rendered(overlay)) == []


def container(manifests: Manifests, name: str = "ingest") -> Any:
    return manifests.workload("Deployment", name).spec["containers"][0]


def settings(manifests: Manifests) -> Any:
    (found,) = [each for each in manifests.of("ConfigMap") if "HOST" in each["data"]]
    return found["data"]


def given(name: str, value: str) -> Change:
    return lambda m: container(m)["env"].append({"name": name, "value": value})


def put_last(manifests: Manifests) -> None:
    env = container(manifests)["env"]
    env.append(env.pop([each["name"] for each in env].index("BROKER_USER")))


def deprived(name: str) -> Change:
    def change(manifests: Manifests) -> None:
        env = container(manifests)["env"]
        del env[[each["name"] for each in env].index(name)]

    return change


def trigger(manifests: Manifests) -> Any:
    return manifests.get("ScaledObject", "recognition")["spec"]["triggers"][0]["metadata"]


WRONG: dict[str, Change] = {
    "is given DB_POLL_SIZE, which it does not read": lambda m: settings(m).update(DB_POLL_SIZE="4"),
    "Deployment/ingest is given PHOTO_QUEUE_WORKERS": given("PHOTO_QUEUE_WORKERS", "2"),
    "Deployment/ingest lacks SECRET_KEY": deprived("SECRET_KEY_FILE"),
    "Deployment/ingest lacks DATABASE_URL": deprived("DATABASE_URL_FILE"),
    "AMQP_URL wants BROKER_USER, which comes later": put_last,
    "DB_POOL_SIZE: ": lambda m: settings(m).update(DB_POOL_SIZE="many"),
    "LOG_LEVEL": lambda m: settings(m).update(LOG_LEVEL="loud"),
    "which is not mounted": given("SECRET_KEY_FILE", "/run/secrets/other"),
    "listens on 9001": given("PORT", "9001"),
    "does not listen to others": lambda m: settings(m).update(HOST="127.0.0.1"),
    "its liveness probe is": lambda m: container(m)["livenessProbe"]["httpGet"].update(
        path="/healthz"
    ),
    "its readiness probe is": lambda m: container(m)["readinessProbe"]["httpGet"].update(
        path="/livez"
    ),
    "its startup probe has no port web": lambda m: container(m)["startupProbe"]["httpGet"].update(
        port="web"
    ),
    "its readiness answers later": lambda m: container(m)["readinessProbe"].update(
        timeoutSeconds=1
    ),
    "nothing answers RECOGNITION_URL": lambda m: settings(m).update(
        RECOGNITION_URL="http://recognition:8001"
    ),
    "nothing answers AMQP_URL": given("AMQP_URL", "amqp://rabbit:5672/findme"),
    "nothing answers http://findme-mq.findme.svc:5673": lambda m: trigger(m).update(
        host="http://findme-mq.findme.svc:5673/findme"
    ),
    "has no target uploads": lambda m: container(m).update(image="findme/uploads:1"),
    "has no version": lambda m: container(m).update(image="findme/ingest"),
    "ingest runs gallery": lambda m: container(m).update(image="findme/gallery:1"),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_what_it_would_not_take_is_found(complaint: str) -> None:
    manifests = rendered("production")
    WRONG[complaint](manifests)
    assert complaint in "\n".join(problem for check in CHECKS for problem in check(manifests))
