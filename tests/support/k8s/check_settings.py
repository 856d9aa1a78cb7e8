"""Environment, ports, probes and images, against the code that they are for."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from fastapi.routing import APIRoute
from pydantic_settings import BaseSettings

from cli.migrate import RoleSettings
from libs.common.setting_files import WrongSettings
from libs.common.settings import CommonSettings
from libs.common.web import health
from services.gallery.settings import GallerySettings
from services.ingest.settings import IngestSettings
from services.media.settings import MediaSettings
from services.recognition.settings import RecognitionSettings
from standalone.settings import StandaloneSettings
from tests.support.dockerfile import read_stages
from tests.support.k8s.manifests import Manifests, Object, Workload

ROOT = Path(__file__).parents[3]


class MigrationSettings(StandaloneSettings, RoleSettings):
    """What `findme migrate` reads."""


SETTINGS: dict[str, type[BaseSettings]] = {
    "ingest": IngestSettings,
    "ftp": IngestSettings,
    "recognition": RecognitionSettings,
    "gallery": GallerySettings,
    "media": MediaSettings,
    "migrate": MigrationSettings,
    "tools": StandaloneSettings,
}
#: Pods that run the image of another.
_IMAGES = {"ftp": "ingest"}
#: Parts of AMQP_URL, put together by the kubelet; and OpenTelemetry's own.
_OTHERS = re.compile(r"BROKER_(USER|PASSWORD)|OTEL_[A-Z_]+")
_VARIABLE = re.compile(r"\$\((\w+)\)")
_ADDRESSES = ("RECOGNITION_URL", "GALLERY_URL", "AMQP_URL")


def unknown_settings(manifests: Manifests) -> list[str]:
    """Variables that no settings class reads, and needed ones that are not given."""
    names = {name for each in SETTINGS.values() for name in _variables(each)}
    problems = []
    for workload in _ours(manifests):
        settings = manifests.settings(workload)
        own = {each["name"] for each in workload.spec["containers"][0]["env"]}
        readable = _variables(SETTINGS[workload.labels["app.kubernetes.io/component"]])
        for name in settings:
            plain = name.removesuffix("_FILE")
            if _OTHERS.fullmatch(name) is None and plain not in (
                readable if name in own else names
            ):
                problems.append(f"{workload.name} is given {name}, which it does not read")
        given = {name.removesuffix("_FILE") for name in settings}
        needed = {"DATABASE_URL", "AMQP_URL"} | _required(workload)
        problems += [f"{workload.name} lacks {name}" for name in sorted(needed - given)]
        problems += [
            f"{workload.name}: {name} wants {part}, which comes later or never"
            for name, part in _unexpanded(workload)
        ]
    return problems


def unreadable_settings(manifests: Manifests) -> list[str]:
    """Values that the services would refuse at their start."""
    problems = []
    for workload in _ours(manifests):
        try:
            _read(manifests, workload)
        except WrongSettings as error:
            problems.append(f"{workload.name}: {error}")
    return problems


def settings_of(manifests: Manifests, workload: Workload) -> CommonSettings:
    """What a service reads from the environment of its pod."""
    settings = _read(manifests, workload)
    assert isinstance(settings, CommonSettings)
    return settings


def _read(manifests: Manifests, workload: Workload) -> BaseSettings:
    given = {
        name.removesuffix("_FILE").lower(): _example(name, value)
        for name, value in manifests.settings(workload).items()
    }
    settings = SETTINGS[workload.labels["app.kubernetes.io/component"]]
    return settings.model_validate({k: v for k, v in given.items() if k in settings.model_fields})


def wrong_files(manifests: Manifests) -> list[str]:
    """NAME_FILE variables that name no file of the pod."""
    problems = []
    for workload in _ours(manifests):
        files = set(_files(workload))
        for name, value in manifests.settings(workload).items():
            if name.endswith("_FILE") and value not in files:
                problems.append(f"{workload.name}: {name} is {value}, which is not mounted")
    return problems


def wrong_ports_and_probes(manifests: Manifests) -> list[str]:
    """Ports the services do not listen on, and probes that ask what they do not answer."""
    paths = {route.path for route in health.router.routes if isinstance(route, APIRoute)}
    problems = []
    for workload in _ours(manifests):
        component = workload.labels["app.kubernetes.io/component"]
        if workload.owner["kind"] in ("Job", "CronJob"):
            continue
        settings = manifests.settings(workload)
        listens = int(settings.get("PORT") or SETTINGS[component].model_fields["port"].default)
        if list(workload.ports.values()) != [listens, *_other_ports(manifests, workload)]:
            problems.append(f"{workload.name} listens on {listens}, not {workload.ports}")
        if settings.get("HOST") != "0.0.0.0":
            problems.append(f"{workload.name} does not listen to others")
        (container,) = workload.spec["containers"]
        for kind, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
            probe = container.get(f"{kind}Probe", {}).get("httpGet", {})
            if probe.get("path") not in paths or probe["path"] != path:
                problems.append(f"{workload.name}: its {kind} probe is {probe}, not {path}")
            elif probe["port"] not in workload.ports:
                problems.append(f"{workload.name}: its {kind} probe has no port {probe['port']}")
        wait = container.get("readinessProbe", {}).get("timeoutSeconds", 1)
        if wait <= health.CHECK_TIMEOUT_SECONDS:
            problems.append(f"{workload.name}: its readiness answers later than after {wait} s")
    return problems


def unknown_addresses(manifests: Manifests) -> list[str]:
    """Hosts and ports in settings that no service has."""
    problems = []
    for workload in _ours(manifests):
        settings = manifests.settings(workload)
        for name in _ADDRESSES:
            url = urlsplit(_VARIABLE.sub("x", settings.get(name) or ""))
            if settings.get(name) and not _answers(manifests, url.hostname, url.port):
                problems.append(f"{workload.name}: nothing answers {name}={settings[name]}")
    for each in manifests.of("ScaledObject"):
        for trigger in each["spec"]["triggers"]:
            url = urlsplit(trigger["metadata"]["host"])
            if not _answers(manifests, url.hostname, url.port):
                problems.append(f"ScaledObject: nothing answers {trigger['metadata']['host']}")
    return problems


def unknown_images(manifests: Manifests) -> list[str]:
    """Images of ours that the Dockerfile has no target for, and images without a version."""
    targets = {
        name for name, stage in read_stages(ROOT / "Dockerfile").items() if stage.all("ENTRYPOINT")
    }
    problems = []
    for workload in manifests.workloads:
        for container in workload.containers:
            name, _, tag = container["image"].rpartition(":")
            if not name or tag == "latest":
                problems.append(f"{workload.name}: {container['image']} has no version")
            target = name.rpartition("/")[2]
            if "findme/" in container["image"] and target not in targets:
                problems.append(f"{workload.name}: the Dockerfile has no target {target}")
            image = _IMAGES.get(container["name"], container["name"])
            if workload in _ours(manifests) and target not in (image, "tools"):
                problems.append(f"{workload.name}: {container['name']} runs {target}")
    return problems


def _other_ports(manifests: Manifests, workload: Workload) -> list[int]:
    """Ports beside that of probes and requests."""
    if workload.labels["app.kubernetes.io/component"] != "ftp":
        return []
    settings = _read(manifests, workload)
    assert isinstance(settings, IngestSettings)
    assert settings.ftp_port is not None
    return [settings.ftp_port, *settings.passive_ports]


def _ours(manifests: Manifests) -> list[Workload]:
    return [
        each
        for each in manifests.workloads
        if each.labels.get("app.kubernetes.io/name") == "findme"
    ]


def _variables(settings: type[BaseSettings]) -> set[str]:
    return {name.upper() for name in settings.model_fields}


def _required(workload: Workload) -> set[str]:
    fields = SETTINGS[workload.labels["app.kubernetes.io/component"]].model_fields
    return {name.upper() for name, field in fields.items() if field.is_required()}


def _example(name: str, value: str | None) -> str | None:
    """A value as the service gets it, where it comes out of a secret."""
    if name.startswith("SECRET_KEY"):
        return "x" * 64
    if "DATABASE_URL" in name:
        return "postgresql://findme:x@findme-db-rw:5432/findme"
    return value


def _unexpanded(workload: Workload) -> Iterator[tuple[str, str]]:
    """$(NAME) is only put in where NAME stands above it."""
    seen: set[str] = set()
    for each in workload.spec["containers"][0]["env"]:
        for part in _VARIABLE.findall(each.get("value") or ""):
            if part not in seen:
                yield each["name"], part
        seen.add(each["name"])


def _files(workload: Workload) -> Iterator[str]:
    mounts = {
        mount["name"]: mount["mountPath"]
        for mount in workload.spec["containers"][0].get("volumeMounts", [])
    }
    for volume in workload.spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            for item in _items(source):
                yield f"{mounts.get(volume['name'])}/{item['path']}"


def _items(source: Object) -> list[Object]:
    items: list[Object] = source["secret"]["items"]
    return items


def _answers(manifests: Manifests, host: str | None, port: int | None) -> bool:
    name = (host or "").removesuffix(".svc").removesuffix(".findme")
    return port in manifests.services.get(name, {}).values()
