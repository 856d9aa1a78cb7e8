"""Our reader of kustomizations says what kubectl says, and refuses what it does not know."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.k8s.check_network import places
from tests.support.k8s.check_references import dead_references
from tests.support.k8s.check_settings import unknown_settings
from tests.support.k8s.generators import generated, with_hashes
from tests.support.k8s.kustomize import NotSupported, build
from tests.support.k8s.manifests import K8S, OVERLAYS, SERVICES, Manifests, Object
from tests.support.k8s.network import Place, allows
from tests.support.k8s.patches import PatchFailed, apply_patch
from tests.support.k8s.render import by_kubectl, has_kubectl, rendered
from tests.support.k8s.replacements import ReplacementFailed, replace, steps
from tests.support.k8s.schemas import invalid


def keyed(objects: Sequence[Object]) -> dict[tuple[str, str], Object]:
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


@pytest.mark.skipif(not has_kubectl(), reason="there is no kubectl")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_renders_the_same_objects(overlay: str) -> None:
    assert keyed(by_kubectl(K8S / "overlays" / overlay)) == keyed(rendered(overlay).objects)


def test_every_file_of_a_folder_is_used_by_its_kustomization() -> None:
    for kustomization in K8S.rglob("kustomization.yaml"):
        named = kustomization.read_text()
        for path in kustomization.parent.iterdir():
            if path.is_file() and path != kustomization:
                assert path.name in named, path


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_value_is_left_for_an_overlay_to_set(overlay: str) -> None:
    assert "set-by-the-overlay" not in yaml.safe_dump(rendered(overlay).objects)


def test_every_value_of_the_site_is_used() -> None:
    site = (K8S / "overlays" / "production" / "site.env").read_text()
    used = (K8S / "overlays" / "production" / "site.yaml").read_text()
    for line in site.splitlines():
        if not line.startswith("#"):
            assert f"data.{line.partition('=')[0]}}}" in used


def folder_with(tmp_path: Path, kustomization: Object, **files: str) -> Path:
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


THING = "{apiVersion: v1, kind: Thing, metadata: {name: a}, spec: {list: [1]}}"


@pytest.mark.parametrize(
    "kustomization",
    [
        {"namePrefix": "x-"},
        {"resources": ["a.yaml"], "patches": [{"target": {"kind": "Other"}, "patch": "[]"}]},
        {"resources": ["a.yaml"], "patches": [{"target": {"labelSelector": "a"}, "patch": "[]"}]},
        {"resources": ["a.yaml", "b.yaml"]},
        {"configMapGenerator": [{"name": "c", "behavior": "replace", "literals": []}]},
    ],
    ids=["feature", "nothing to patch", "selector", "twice", "behavior"],
)
def test_what_it_does_not_know_is_refused(tmp_path: Path, kustomization: Object) -> None:
    with pytest.raises(NotSupported):
        build(folder_with(tmp_path, kustomization, a=THING, b=THING))


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "add", "path": "/spec/missing/x", "value": 1}],
        [{"op": "replace", "path": "/spec/missing", "value": 1}],
        [{"op": "remove", "path": "/spec/list/5"}],
        {"spec": {"list": [2]}},
    ],
)
def test_a_patch_that_does_not_fit_is_refused(patch: Any) -> None:
    with pytest.raises(PatchFailed):
        apply_patch(yaml.safe_load(THING), patch)


def test_patches_add_replace_remove_and_merge() -> None:
    thing = yaml.safe_load(THING)
    apply_patch(
        thing,
        [
            {"op": "add", "path": "/spec/list/-", "value": 2},
            {"op": "add", "path": "/spec/list/0", "value": 0},
            {"op": "replace", "path": "/spec/list/1", "value": "one"},
            {"op": "add", "path": "/metadata/x~1y", "value": "slash"},
            {"op": "remove", "path": "/spec/list/2"},
        ],
    )
    apply_patch(thing, {"spec": {"more": {"b": 1}}, "metadata": {"x/y": None}})
    assert thing["spec"] == {"list": [0, "one"], "more": {"b": 1}}
    assert thing["metadata"] == {"name": "a"}


def test_a_replacement_writes_where_it_can_and_refuses_fields_that_are_missing() -> None:
    things = [yaml.safe_load(THING)]
    source = {"kind": "Thing", "name": "a", "fieldPath": "metadata.name"}
    everywhere = {"select": {"kind": "Thing"}, "fieldPaths": ["spec.list.*"]}
    nobody = {"select": {"kind": "Other"}, "fieldPaths": ["spec"]}
    unlabelled = {"select": {"kind": "Thing", "labelSelector": "a=b"}, "fieldPaths": ["kind"]}
    replace(things, {"source": source, "targets": [everywhere, nobody, unlabelled]})
    assert things[0]["spec"]["list"] == ["a"]
    assert things[0]["kind"] == "Thing"
    for wrong in (
        {"select": {"kind": "Thing"}, "fieldPaths": ["spec.missing"]},
        {"select": {"kind": "Thing", "version": "v1"}, "fieldPaths": ["spec"]},
    ):
        with pytest.raises(ReplacementFailed):
            replace(things, {"source": source, "targets": [wrong]})
    with pytest.raises(ReplacementFailed):
        replace(things, {"source": source | {"name": "b"}, "targets": []})


def test_a_path_may_name_keys_with_dots() -> None:
    assert steps("spec.from.0.[kubernetes.io/name].x") == [
        "spec",
        "from",
        "0",
        "kubernetes.io/name",
        "x",
    ]


def test_a_changed_setting_gives_its_map_and_all_who_use_it_another_name(tmp_path: Path) -> None:
    def named(value: str) -> str:
        made = generated("ConfigMap", {"name": "c", "literals": [f"A={value}"]}, tmp_path)
        user = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {"envFrom": [{"configMapRef": {"name": "c"}}]},
        }
        objects = with_hashes([made, user])
        assert objects[1]["spec"]["envFrom"][0]["configMapRef"]["name"] == made["metadata"]["name"]
        return str(made["metadata"]["name"])

    assert named("1") != named("2")
    assert named("1") == named("1")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_traces_are_sent_where_the_component_is_added(tmp_path: Path, overlay: str) -> None:
    names = [K8S / "overlays" / overlay, K8S / "components" / "tracing"]
    base, tracing = (os.path.relpath(each, tmp_path) for each in names)
    manifests = Manifests(
        build(folder_with(tmp_path, {"resources": [base], "components": [tracing]}))
    )
    assert invalid(manifests.of("NetworkPolicy")) == []
    assert [*dead_references(manifests), *unknown_settings(manifests)] == []
    for service in SERVICES:
        settings = manifests.settings(manifests.workload("Deployment", service))
        assert settings["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.observability:4318"
    collector = Place("collector", "observability")
    ingest = places(manifests, overlay)["ingest"]
    assert allows(manifests, ingest, collector, 4318)
    assert not allows(rendered(overlay), ingest, collector, 4318)


def test_the_readme_names_folders_and_objects_that_are_there() -> None:
    readme = (K8S.parents[1] / "README.md").read_text()
    section = readme.partition("### On Kubernetes")[2].partition("\n### ")[0]
    for path in re.findall(r"deploy/k8s[\w/.-]*", section):
        assert (K8S.parents[1] / path).exists(), path
    manifests = rendered("production")
    for kind, name in re.findall(r"\b(job|cronjob)/(findme-\w+)", section):
        assert manifests.has({"job": "Job", "cronjob": "CronJob"}[kind], name)
    for name in ("findme-tls", "site.env", "settings.env", *OVERLAYS):
        assert name in section


@pytest.mark.parametrize("component", sorted(path.name for path in (K8S / "components").iterdir()))
def test_any_component_of_production_can_be_left_out(tmp_path: Path, component: str) -> None:
    shutil.copytree(K8S.parent, tmp_path / "deploy", ignore=shutil.ignore_patterns("*.py"))
    overlay = tmp_path / "deploy" / "k8s" / "overlays" / "production"
    kustomization = overlay / "kustomization.yaml"
    lines = kustomization.read_text().splitlines(keepends=True)
    left = [line for line in lines if not line.endswith(f"components/{component}\n")]
    kustomization.write_text("".join(left))
    assert "set-by-the-overlay" not in yaml.safe_dump(build(overlay))
    if has_kubectl():
        assert keyed(by_kubectl(overlay)) == keyed(build(overlay))


def test_the_first_step_of_an_upgrade_has_all_that_the_migration_needs() -> None:
    readme = (K8S.parents[1] / "README.md").read_text()
    (selected,) = re.findall(r"app.kubernetes.io/component in \(([^)]*)\)", readme)
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
