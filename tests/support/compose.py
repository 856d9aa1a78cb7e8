"""docker-compose.yml as Compose reads it: merged, with the defaults of its variables filled in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"

#: ${NAME}, ${NAME:-default} and ${NAME-default}
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?:(:?-)([^}]*))?\}")


def read_compose(given: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the file; `given` is what .env would say."""
    found: dict[str, Any] = _filled(yaml.safe_load(COMPOSE_FILE.read_text()), given or {})
    return found


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """All that a container is given; findme.env is the operator's, and not there."""
    found: dict[str, str] = {}
    for file in service.get("env_file", ()):
        if file.get("required", True):
            lines = (ROOT / file["path"]).read_text().splitlines()
            found |= dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    own: Mapping[str, str] = service.get("environment", {})
    return found | dict(own)


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, given) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, given) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, given), value)
    return value


def _value(found: re.Match[str], given: Mapping[str, str]) -> str:
    name, separator, default = found.groups()
    value = given.get(name)
    if value is None or (not value and separator == ":-"):
        return default or ""
    return value
