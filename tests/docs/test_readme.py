"""The README's tables name exactly what the code has."""

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

README = Path(__file__).parents[2] / "README.md"
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
    text = README.read_text().partition(f"<!-- {name}: checked by tests -->")[2]
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


@pytest.mark.parametrize(
    "command", ["make demo", "make test", "make up", "make docker", "make images", "make secrets"]
)
def test_the_commands_it_shows_are_targets_of_the_makefile(command: str) -> None:
    assert command in README.read_text()
    target = command.removeprefix("make ")
    assert re.search(rf"^{target}:", (README.parent / "Makefile").read_text(), re.MULTILINE)
