"""docker-compose.yml names nothing that is not there."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from cli.bucket import BucketSettings
from cli.migrate import RoleSettings
from libs.common.database.roles import ServiceRole
from libs.common.settings import CommonSettings
from libs.common.web.serve import GRACEFUL_SHUTDOWN_SECONDS
from services.gallery.settings import GallerySettings
from services.ingest.settings import IngestSettings
from services.media.settings import MediaSettings
from services.recognition.settings import RecognitionSettings
from standalone.settings import StandaloneSettings
from tests.support.compose import COMPOSE_FILE, ROOT, environment_of, read_compose
from tests.support.dockerfile import environment, last, read_stages

COMPOSE = read_compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMETHEUS = ROOT / "deploy/monitoring/prometheus"
PROVISIONING = ROOT / "deploy/monitoring/grafana/provisioning"
STAGES = read_stages(ROOT / "Dockerfile")
SETTINGS: dict[str, list[type[BaseSettings]]] = {
    "ingest": [IngestSettings],
    "ftp": [IngestSettings],
    "recognition": [RecognitionSettings],
    "gallery": [GallerySettings],
    "media": [MediaSettings],
    "migrate": [StandaloneSettings, RoleSettings],
    # One environment for all commands.
    "tools": [StandaloneSettings, BucketSettings, CommonSettings],
}
OURS = ("ingest", "recognition", "gallery", "media")
#: That of a profile is ingest's image.
TARGETS = {name: name for name in OURS} | {"ftp": "ingest"}
#: What a library reads by itself: botocore.
LIBRARIES = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}
#: From the images' own documentation.
OTHERS = {
    "postgres": r"POSTGRES_(USER|DB|PASSWORD_FILE)",
    "grafana": r"GF_(SECURITY|USERS|ANALYTICS|PLUGINS)_[A-Z_]+",
    "caddy": r"FINDME_(HOST|UPSTREAM)",  # of our Caddyfile
}
REPLICAS = 3


def test_it_follows_the_compose_specification(tmp_path: Path) -> None:
    """By the specification's own schema; merged first, as Compose does it."""
    merged = tmp_path / "docker-compose.json"
    merged.write_text(json.dumps(yaml.safe_load(COMPOSE_FILE.read_text())))
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            merged,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_of_ours_is_a_setting(name: str) -> None:
    known = {field.upper() for settings in SETTINGS[name] for field in settings.model_fields}
    known |= {f"{field}_FILE" for field in known} | LIBRARIES
    assert set(SERVICES[name]["environment"]) <= known


def test_every_default_is_a_setting_of_a_service_and_can_be_changed() -> None:
    """Variables of a container count more than findme.env: what is in both could not be changed."""
    defaults = set(environment_of({"env_file": [{"path": "deploy/compose/defaults.env"}]}))
    known = {field.upper() for name in OURS for field in SETTINGS[name][0].model_fields}
    assert defaults <= known | LIBRARIES
    for name in SETTINGS:
        assert [file["path"] for file in SERVICES[name]["env_file"]] == [
            "deploy/compose/defaults.env",
            "findme.env",
        ]
        assert not defaults & set(SERVICES[name]["environment"])


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(SETTINGS)))
def test_every_variable_of_others_is_one_of_their_image(name: str) -> None:
    for variable in SERVICES[name].get("environment", {}):
        assert re.fullmatch(OTHERS[name], variable), variable


@pytest.mark.parametrize("name", TARGETS)
def test_a_service_would_accept_its_environment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_secrets(tmp_path / "secrets")
    for variable, value in environment_of(SERVICES[name]).items():
        monkeypatch.setenv(variable, value.replace("/run/secrets", str(folder)))
    settings = SETTINGS[name][0]()
    assert isinstance(settings, CommonSettings)
    assert settings.amqp_url == (folder / "amqp_url").read_text().strip()
    assert settings.photo_bucket_name is None
    assert settings.photo_store_dir == Path("/objects")


@pytest.mark.parametrize("name", [name for name in SERVICES if "build" in SERVICES[name]])
def test_what_is_built_is_a_target_of_the_dockerfile(name: str) -> None:
    target = SERVICES[name]["build"]["target"]
    assert target in STAGES
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert SERVICES[name]["image"] == f"findme/{target}:{version}"
    base = re.search(r"^ARG PYTHON_IMAGE=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    assert SERVICES[name]["build"]["args"]["PYTHON_IMAGE"] == base[1]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(SETTINGS)))
def test_images_of_others_are_pinned_to_a_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert re.search(r"\d+\.\d+", tag), tag


def test_the_addresses_between_containers_are_ports_that_are_listened_on() -> None:
    texts = [
        json.dumps([environment_of(service) for service in SERVICES.values()]),
        (ROOT / "deploy/compose/gateway/services.conf").read_text(),
        (ROOT / "deploy/compose/make-secrets.sh").read_text(),
        (PROVISIONING / "datasources/prometheus.yml").read_text(),
    ]
    named = {
        (host, int(port))
        for text in texts
        for host, port in re.findall(r"(?:://|@)([a-z]+):(\d+)", text)
        if host in SERVICES
    }
    assert named <= listened_on()
    assert {host for host, _ in named} == {*OURS, "postgres", "rabbitmq", "prometheus"}


def test_cameras_reach_the_door_where_it_listens() -> None:
    door = SERVICES["ftp"]
    given = environment_of(door) | {"FTP_PORT": "2121"}
    known = IngestSettings.model_fields
    settings = IngestSettings.model_validate(
        {name.lower(): value for name, value in given.items() if name.lower() in known}
        | {"database_url": "postgresql://postgres/findme", "secret_key": "x" * 32}
    )
    ports = settings.passive_ports
    assert door["ports"] == ["2121:2121", f"{ports[0]}-{ports[-1]}:{ports[0]}-{ports[-1]}"]
    assert settings.port == 8005
    mounts = dict(volume.split(":")[1::-1] for volume in door["volumes"])
    assert settings.ftp_tls_certificate is not None
    assert str(settings.ftp_tls_certificate.parent) in mounts
    # Only data, and cameras: not the gateway.
    assert door["networks"] == ["cameras", "data"]
    assert [name for name in SERVICES if "cameras" in SERVICES[name]["networks"]] == ["ftp"]


def test_prometheus_asks_every_service_where_it_listens() -> None:
    asked = set()
    for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]:
        for found in job.get("dns_sd_configs", ()):
            asked |= {(name, found["port"]) for name in found["names"]}
        for found in job.get("static_configs", ()):
            asked |= {(host, int(port)) for host, port in (t.split(":") for t in found["targets"])}
    assert asked <= listened_on()
    assert {host for host, _ in asked} >= {*TARGETS, "rabbitmq"}
    reached = [set(SERVICES[host]["networks"]) & {"data"} for host, _ in asked]
    assert all(reached)


def test_grafana_finds_its_dashboards() -> None:
    providers = yaml.safe_load((PROVISIONING / "dashboards/findme.yml").read_text())["providers"]
    mounts = dict(volume.split(":")[1::-1] for volume in SERVICES["grafana"]["volumes"])
    for provider in providers:
        assert list((ROOT / mounts[provider["options"]["path"]]).glob("*.json"))


def listened_on() -> set[tuple[str, int]]:
    """(service, port) of everything in the file; the images' own ports are what they document."""
    found = {(name, int(environment(STAGES, name)["PORT"])) for name in OURS}
    found |= {("ftp", int(SERVICES["ftp"]["environment"]["PORT"]))}
    found |= {("postgres", 5432), ("prometheus", 9090)}
    rabbitmq = (ROOT / "deploy/compose/rabbitmq/findme.conf").read_text()
    ports = re.findall(r"(?:\.port|listeners\.tcp\.default) = (\d+)", rabbitmq)
    return found | {("rabbitmq", int(port)) for port in ports}


@pytest.mark.parametrize("name", OURS)
def test_a_service_listens_where_its_settings_say(name: str) -> None:
    port = environment(STAGES, name)["PORT"]
    assert int(port) == SETTINGS[name][0].model_fields["port"].default
    exposed = last(STAGES, name, "EXPOSE")
    assert exposed is not None
    assert exposed.value == port


def test_published_pages_of_operators_are_on_this_machine_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("gateway") == ["8000:8080"]
    assert published.pop("caddy") == ["80:80", "443:443"]
    assert "ftp" in published
    del published["ftp"]
    assert "listen 8080 " in (ROOT / "deploy/compose/gateway/listen.conf").read_text()
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_everything_that_is_mounted_is_there() -> None:
    mounted = [
        volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", ())
    ]
    for source, target, *_ in mounted:
        assert target.startswith("/")
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source


def test_every_secret_is_made_and_every_one_that_is_used_is_declared(tmp_path: Path) -> None:
    folder = make_secrets(tmp_path / "secrets")
    declared = {name: Path(secret["file"]) for name, secret in COMPOSE["secrets"].items()}
    for path in declared.values():
        assert path.parent == Path("deploy/compose/secrets")
        assert (folder / path.name).is_file(), path
    used = set()
    for name, service in SERVICES.items():
        mounted = {
            secret if isinstance(secret, str) else secret["source"]
            for secret in service.get("secrets", ())
        }
        used |= mounted
        named = re.findall(r"/run/secrets/(\w+)", json.dumps(service.get("environment", {})))
        assert set(named) <= mounted, name
    assert used == set(declared)


def test_everyone_waits_for_what_they_need() -> None:
    for name in TARGETS:
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert waits["objects"]["condition"] == "service_completed_successfully"
    assert set(SERVICES["tools"]["depends_on"]) == {"postgres", "rabbitmq", "objects"}  # no migrate
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                target = SERVICES[other].get("build", {}).get("target")
                own = last(STAGES, target, "HEALTHCHECK") if target else None
                assert "healthcheck" in SERVICES[other] or own is not None, (name, other)


@pytest.mark.parametrize(
    "name", [*SETTINGS, "gateway", "caddy", "prometheus", "alertmanager", "grafana"]
)
def test_nothing_of_it_may_write_or_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_everything_has_limits_a_way_to_restart_and_bounded_logs() -> None:
    for name, service in SERVICES.items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        assert service["logging"]["options"] == {"max-size": "20m", "max-file": "5"}, name
        one_shot = name in {"migrate", "objects", "tools"}
        assert service["restart"] == ("no" if one_shot else "unless-stopped"), name


def test_services_are_given_the_time_that_their_end_takes() -> None:
    # Messages in hand get as long as requests.
    assert 2 * GRACEFUL_SHUTDOWN_SECONDS < 45
    assert {SERVICES[name]["stop_grace_period"] for name in TARGETS} == {"45s"}


def test_the_database_takes_the_connections_of_several_replicas() -> None:
    settings = environment_of(SERVICES["ingest"])
    of_one = int(settings["DB_POOL_SIZE"]) + int(settings["DB_MAX_OVERFLOW"])
    needed = (len(OURS) * REPLICAS + 1) * of_one  # and the door for cameras
    allowed = next(
        int(word.removeprefix("--max_connections="))
        for word in SERVICES["postgres"]["command"]
        if word.startswith("--max_connections=")
    )
    assert needed <= allowed


def test_the_gateway_reaches_no_data_but_objects_which_it_only_reads() -> None:
    assert SERVICES["gateway"]["networks"] == ["front", "outer"]
    assert [volume for volume in SERVICES["gateway"]["volumes"] if volume[0] != "."] == [
        "objects:/objects:ro"
    ]
    assert (
        ROOT / "deploy/compose/gateway/objects_folder.conf"
    ).read_text() == "set $objects_folder /objects;\n"
    assert environment_of(SERVICES["media"])["PHOTO_STORE_DIR"] == "/objects"
    assert environment_of(SERVICES["media"])["MEDIA_DELIVERY"] == "accel"
    # Its folder is closed to all but the services' user (see `objects`).
    assert SERVICES["gateway"]["user"] == "10001:10001"
    on_front = {name for name, service in SERVICES.items() if "front" in service["networks"]}
    assert on_front == {"gateway", "ingest", "gallery", "media"}


def test_what_holds_data_has_no_way_out() -> None:
    networks = COMPOSE["networks"]
    assert networks["data"] == {"internal": True}
    ways_out = {name for name, network in networks.items() if not (network or {}).get("internal")}
    assert ways_out == {"front", "outer", "outside", "pages", "cameras"}
    # With a published page a container needs a network that is not internal.
    for name in ("postgres",):
        assert SERVICES[name]["networks"] == ["data"]
    with_pages = {name for name, service in SERVICES.items() if "pages" in service["networks"]}
    assert with_pages == {"rabbitmq", "prometheus", "grafana"}
    for_guests = {"gateway", "caddy", "ftp"}
    assert with_pages == {
        name for name, service in SERVICES.items() if "ports" in service and name not in for_guests
    }


def test_each_service_has_a_role_of_its_own_which_is_made_before_it_starts(tmp_path: Path) -> None:
    folder = make_secrets(tmp_path / "secrets")
    made = environment_of(SERVICES["migrate"])
    for name, target in TARGETS.items():
        variable = SERVICES[name]["environment"]["DATABASE_URL_FILE"]
        assert variable == made[f"{target.upper()}_DATABASE_URL_FILE"]
        url = (folder / Path(variable).name).read_text().strip()
        role = ServiceRole.of_url(target, url)
        assert role.name == f"findme_{target}"
        assert role.password
        assert "database_url" not in SERVICES[name]["secrets"]


def test_objects_are_written_by_those_who_do_and_mounted_for_all() -> None:
    for name in TARGETS:
        settings = SETTINGS[name][0]
        assert issubclass(settings, CommonSettings)
        mode = ":ro" if settings.only_reads_objects else ""
        assert f"objects:/objects{mode}" in SERVICES[name]["volumes"], name
    made = SERVICES["objects"]
    assert made["entrypoint"][-1] == "/objects"
    runtime = last(STAGES, "ingest", "USER")
    assert runtime is not None
    assert ":".join([made["entrypoint"][3], made["entrypoint"][5]]) == runtime.value


def test_monitoring_and_commands_are_asked_for_by_profile() -> None:
    profiles = {
        name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service
    }
    assert profiles == {
        "caddy": ["tls"],
        "prometheus": ["monitoring"],
        "alertmanager": ["monitoring"],
        "grafana": ["monitoring"],
        "ftp": ["ftp"],
        "tools": ["tools"],
    }


def memory_bytes(service: dict[str, Any]) -> float:
    limit = service["deploy"]["resources"]["limits"]["memory"]
    return float(limit[:-1]) * {"M": 1024**2, "G": 1024**3}[limit[-1]]


def test_the_limits_of_memory_add_up_to_what_is_said() -> None:
    text = (ROOT / "docs/install/requirements.md").read_text()
    table = text.partition("<!-- memory: checked by tests -->")[2].strip().partition("\n\n")[0]
    said = [float(number) for number in re.findall(r"\| ([\d.]+) GB \|", table)]

    def together(*profiles: str) -> float:
        running = [
            service
            for service in SERVICES.values()
            if service["restart"] != "no" and set(service.get("profiles", ())) <= set(profiles)
        ]
        return round(sum(map(memory_bytes, running)) / 1024**3, 1)

    one_more = round(memory_bytes(SERVICES["recognition"]) / 1024**3, 1)
    assert said == [together(), together("tls"), together("monitoring"), one_more]


def test_what_is_ours_is_built_from_what_is_here() -> None:
    for name, service in SERVICES.items():
        if "build" in service and name != "objects":
            assert service["pull_policy"] == "build", name


def make_secrets(folder: Path) -> Path:
    subprocess.run(
        [ROOT / "deploy/compose/make-secrets.sh", folder], check=True, capture_output=True
    )
    return folder
