"""The door for cameras, where its component is added to production."""

import shutil

import pytest

from services.ingest.settings import IngestSettings
from tests.support.k8s.check_capacity import connections_needed, max_connections
from tests.support.k8s.check_network import idle_policies, places
from tests.support.k8s.check_pods import not_restricted, with_tokens
from tests.support.k8s.check_references import dead_references
from tests.support.k8s.check_settings import (
    settings_of,
    unknown_addresses,
    unknown_images,
    unknown_settings,
    unreadable_settings,
    wrong_files,
    wrong_ports_and_probes,
)
from tests.support.k8s.manifests import K8S, Manifests
from tests.support.k8s.network import Place, allows
from tests.support.k8s.render import kustomized
from tests.support.k8s.schemas import invalid

CHECKS = (
    not_restricted,
    with_tokens,
    dead_references,
    unknown_settings,
    unreadable_settings,
    wrong_files,
    wrong_ports_and_probes,
    unknown_addresses,
    unknown_images,
)


@pytest.fixture(scope="module")
def with_ftp(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    folder = tmp_path_factory.mktemp("deploy")
    shutil.copytree(K8S.parent, folder, dirs_exist_ok=True)
    overlay = folder / "k8s" / "overlays" / "production"
    kustomization = overlay / "kustomization.yaml"
    last = "  - ../../components/monitoring\n"
    text = kustomization.read_text()
    assert last in text
    kustomization.write_text(text.replace(last, f"{last}  - ../../components/ftp\n"))
    settings = overlay / "settings.env"
    settings.write_text(
        settings.read_text() + "FTP_PUBLIC_HOST=ftp.example.com\nFTP_PUBLIC_ADDRESS=203.0.113.7\n"
    )
    return Manifests(kustomized(overlay))


@pytest.mark.parametrize("check", CHECKS)
def test_what_holds_for_every_pod_holds_for_it(with_ftp: Manifests, check: object) -> None:
    assert callable(check)
    assert list(check(with_ftp)) == []


def test_its_objects_are_valid(with_ftp: Manifests) -> None:
    own = [each for each in with_ftp.objects if each["metadata"]["name"].startswith("ftp")]
    assert {each["kind"] for each in own} == {"Deployment", "Service", "NetworkPolicy"}
    assert invalid(own) == []
    assert list(idle_policies(with_ftp)) == []


def test_the_balancer_has_every_port_that_a_camera_is_told(with_ftp: Manifests) -> None:
    settings = settings_of(with_ftp, with_ftp.workload("Deployment", "ftp"))
    assert isinstance(settings, IngestSettings)
    balanced = with_ftp.services["ftp"].values()
    assert set(balanced) == {settings.ftp_port, *settings.passive_ports}
    assert with_ftp.get("Service", "ftp")["spec"]["type"] == "LoadBalancer"
    # Ingest tells photographers where the door is.
    ingest = settings_of(with_ftp, with_ftp.workload("Deployment", "ingest"))
    assert isinstance(ingest, IngestSettings)
    assert (ingest.ftp_port, ingest.ftp_public_host) == (2121, "ftp.example.com")


def test_cameras_reach_its_door_and_nothing_else_of_it(with_ftp: Manifests) -> None:
    everybody = places(with_ftp, "production")
    door, camera = everybody["ftp"], Place("camera", address="198.51.100.4")
    for port in (2121, 50_000, 50_009):
        assert allows(with_ftp, camera, door, port)
    for port in (8005, 50_010):
        assert not allows(with_ftp, camera, door, port)
    assert not allows(with_ftp, camera, everybody["ingest"], 2121)
    assert allows(with_ftp, door, everybody["findme-db"], 5432)
    assert allows(with_ftp, door, everybody["aws"], 443)
    assert not allows(with_ftp, door, everybody["metadata"], 443)


def test_its_connections_fit_into_the_database_too(with_ftp: Manifests) -> None:
    door = settings_of(with_ftp, with_ftp.workload("Deployment", "ftp"))
    assert connections_needed(with_ftp) + door.db_connections <= max_connections(with_ftp)


def test_it_is_given_the_time_that_its_end_takes(with_ftp: Manifests) -> None:
    ftp, ingest = (with_ftp.workload("Deployment", name) for name in ("ftp", "ingest"))
    for name in ("terminationGracePeriodSeconds", "securityContext"):
        assert ftp.spec[name] == ingest.spec[name]
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "securityContext"):
        assert ftp.spec["containers"][0][name] == ingest.spec["containers"][0][name]
