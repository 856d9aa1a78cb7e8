"""The tables of settings and metrics name exactly what the code has; the README is short."""

import importlib
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from libs.common.settings import CommonSettings
from services.gallery.settings import GallerySettings
from services.ingest.settings import IngestSettings
from services.media.settings import MediaSettings
from services.recognition.settings import RecognitionSettings
from standalone.settings import StandaloneSettings

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
METRICS_MODULES = (
    "libs.common.telemetry.metrics",
    "libs.common.messaging.bus.subscriptions",
    "libs.common.telemetry.worker_metrics",
    "services.gallery.metrics",
    "services.ingest.metrics",
    "services.media.metrics",
    "services.recognition.metrics",
)
SETTINGS: dict[str, type[BaseSettings]] = {
    "all": CommonSettings,
    "ingest": IngestSettings,
    "recognition": RecognitionSettings,
    "gallery": GallerySettings,
    "media": MediaSettings,
    "standalone": StandaloneSettings,
}


def table(name: str) -> list[list[str]]:
    """The rows of the table behind the marker, without its heading."""
    text = (
        (PROJECT / "docs" / "operate" / f"{name}.md")
        .read_text()
        .partition(f"<!-- {name}: checked by tests -->")[2]
    )
    lines = re.match(r"\n*((?:\|.*\n)+)", text)
    assert lines is not None
    rows = [line.strip("|").split("|") for line in lines[1].splitlines()[2:]]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows]


def shown(default: object) -> str:
    """A default as one writes it into the environment."""
    if default is None:
        return "unset"
    if isinstance(default, tuple):
        return ",".join(f"{item:g}" for item in default)
    return "required" if default is PydanticUndefined else str(default)


def defaults() -> dict[tuple[str, str], str]:
    """(setting, service): default, for every setting that a service has of its own."""
    found = {}
    for service, settings in SETTINGS.items():
        for name, field in settings.model_fields.items():
            inherited = CommonSettings.model_fields.get(name)
            own = inherited is None or inherited.default != field.default
            if not own and service not in ("all", "standalone"):
                continue
            if (service, name) == ("all", "port"):
                continue  # every service has another
            found[name.upper(), service] = shown(field.default)
    return found


def test_the_settings_table_names_every_setting_its_services_and_its_default() -> None:
    documented = {
        (name, service.strip()): default
        for name, services, default, _ in table("settings")
        for service in services.split(",")
    }
    assert documented == defaults()


def test_the_metrics_table_names_every_metric() -> None:
    for module in METRICS_MODULES:
        importlib.import_module(module)  # registers its metrics
    exposed = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in REGISTRY.collect()
        if metric.name.startswith("findme_")
    }
    assert {row[0] for row in table("metrics")} == exposed


def shown_targets() -> list[str]:
    """What documents tell to `make`."""
    documents = [README, PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")]
    text = "\n".join(document.read_text() for document in documents)
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    in_blocks = re.findall(r"^make ([a-z][a-z-]+)", blocks, re.MULTILINE)
    return sorted({*in_blocks, *re.findall(r"`make ([a-z][a-z-]+)", text)})


@pytest.mark.parametrize("target", shown_targets())
def test_the_commands_that_are_shown_are_targets_of_the_makefile(target: str) -> None:
    assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)


def test_the_readme_is_a_door() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= 200
    assert {"make demo", "make up", "make docker"} <= {f"make {name}" for name in shown_targets()}
