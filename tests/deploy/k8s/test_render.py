"""The overlays are whole: nothing is left to be set, and each part can be left out or added."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.k8s.check_network import places
from tests.support.k8s.check_references import dead_references
from tests.support.k8s.check_settings import unknown_settings
from tests.support.k8s.manifests import K8S, OVERLAYS, SERVICES, Manifests
from tests.support.k8s.network import Place, allows
from tests.support.k8s.render import idle_patches, kustomized, rendered
from tests.support.k8s.schemas import invalid


def test_every_file_of_a_folder_is_used_by_its_kustomization() -> None:
    for kustomization in K8S.rglob("kustomization.yaml"):
        named = kustomization.read_text()
        for path in kustomization.parent.iterdir():
            if path.is_file() and path != kustomization:
                assert path.name in named, path


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_value_is_left_for_an_overlay_to_set(overlay: str) -> None:
    assert "set-by-the-overlay" not in str(rendered(overlay).objects)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_patch_finds_what_it_is_for(overlay: str) -> None:
    assert idle_patches(K8S / "overlays" / overlay) == []


@pytest.mark.parametrize(
    ("overlay", "file", "before", "after"),
    [
        ("dev", "overlays/dev", "name: recognition\n", "name: recognitionx\n"),
        ("production", "components/aws-irsa", "|media", "|medla"),
    ],
)
def test_a_patch_for_what_is_not_there_is_found(
    tmp_path: Path, overlay: str, file: str, before: str, after: str
) -> None:
    shutil.copytree(K8S.parent, tmp_path / "deploy")
    kustomization = tmp_path / "deploy" / "k8s" / file / "kustomization.yaml"
    text = kustomization.read_text()
    assert text.count(before) == 1
    kustomization.write_text(text.replace(before, after))
    (idle,) = idle_patches(tmp_path / "deploy" / "k8s" / "overlays" / overlay)
    assert idle.partition("/")[2] in after


def test_every_service_has_the_role_that_opens_the_bucket() -> None:
    manifests = rendered("production")
    site = (K8S / "overlays" / "production" / "site.env").read_text()
    (role,) = re.findall("^SERVICES_ROLE=(.+)$", site, re.MULTILINE)
    for service in SERVICES:
        account = manifests.workload("Deployment", service).spec["serviceAccountName"]
        annotations = manifests.get("ServiceAccount", account)["metadata"].get("annotations", {})
        assert annotations.get("eks.amazonaws.com/role-arn") == role, service


def test_every_value_of_the_site_is_used() -> None:
    site = (K8S / "overlays" / "production" / "site.env").read_text()
    used = (K8S / "overlays" / "production" / "site.yaml").read_text()
    for line in site.splitlines():
        if not line.startswith("#"):
            assert f"data.{line.partition('=')[0]}}}" in used


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_traces_are_sent_where_the_component_is_added(tmp_path: Path, overlay: str) -> None:
    names = [K8S / "overlays" / overlay, K8S / "components" / "tracing"]
    base, tracing = (os.path.relpath(each, tmp_path) for each in names)
    kustomization = yaml.safe_dump({"resources": [base], "components": [tracing]})
    (tmp_path / "kustomization.yaml").write_text(kustomization)
    manifests = Manifests(kustomized(tmp_path))
    assert invalid(manifests.of("NetworkPolicy")) == []
    assert [*dead_references(manifests), *unknown_settings(manifests)] == []
    for service in SERVICES:
        settings = manifests.settings(manifests.workload("Deployment", service))
        assert settings["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.observability:4318"
    collector = Place("collector", "observability")
    ingest = places(manifests, overlay)["ingest"]
    assert allows(manifests, ingest, collector, 4318)
    assert not allows(rendered(overlay), ingest, collector, 4318)


def test_the_installation_names_folders_and_objects_that_are_there() -> None:
    section = (K8S.parents[1] / "docs/install/kubernetes.md").read_text()
    for path in re.findall(r"deploy/k8s[\w/.-]*", section):
        assert (K8S.parents[1] / path).exists(), path
    manifests = rendered("production")
    for kind, name in re.findall(r"\b(job|cronjob)/(findme-\w+)", section):
        assert manifests.has({"job": "Job", "cronjob": "CronJob"}[kind], name)
    for name in ("findme-tls", "site.env", "settings.env", *OVERLAYS):
        assert name in section


def test_any_component_of_production_can_be_left_out(tmp_path: Path) -> None:
    shutil.copytree(K8S.parent, tmp_path / "deploy")
    overlay = tmp_path / "deploy" / "k8s" / "overlays" / "production"
    kustomization = overlay / "kustomization.yaml"
    lines = kustomization.read_text().splitlines(keepends=True)
    components = [line for line in lines if "/components/" in line]
    assert len(components) > 5
    for component in components:
        kustomization.write_text("".join(line for line in lines if line != component))
        assert "set-by-the-overlay" not in str(kustomized(overlay)), component


def test_the_first_step_of_an_upgrade_has_all_that_the_migration_needs() -> None:
    guide = (K8S.parents[1] / "docs/install/kubernetes.md").read_text()
    (selected,) = re.findall(r"app.kubernetes.io/component in \(([^)]*)\)", guide)
    manifests = rendered("production")
    first = Manifests(
        [
            each
            for each in manifests.objects
            if each["metadata"].get("labels", {}).get("app.kubernetes.io/component")
            in selected.split(", ")
        ]
    )
    # The secrets are there since the first apply.
    made_before = manifests.of("Cluster", "RabbitmqCluster", "ObjectStore", "ExternalSecret")
    stores = manifests.of("SecretStore", "ServiceAccount")
    assert first.has("Job", "findme-migrate")
    accounts = [each for each in stores if not first.has(each["kind"], each["metadata"]["name"])]
    others = [each for each in accounts if each["metadata"]["name"] != "migrate"]
    assert dead_references(Manifests([*first.objects, *made_before, *others])) == []
    assert first.of("Deployment") == []
